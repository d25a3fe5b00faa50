//! MAIL, RCPT, DATA, BDAT and RSET (RFC 5321 §3.3, RFC 3030, spec §3.9).

use std::time::Duration;

use email2::limits;
use email2::rejection::Rejection;

use super::phase::Phase;
use super::{Answer, Event, Question, Server, Step, Wait, wrong_answer};
use crate::bdat::Chunk;
use crate::data::{DataReader, Fault, LineEnds};
use crate::envelope::{Mail, Recipient};
use crate::reply;

/// Octets of input made into one event of content.
const PIECE_OCTETS: usize = 16 * 1024;

/// The content of a transaction, while it comes in.
#[derive(Debug)]
pub(super) struct Intake {
    began: Duration,
    /// Octets of content so far.
    size: u64,
    limit: u64,
    /// For DATA.
    reader: DataReader,
    /// For BDAT.
    ends: LineEnds,
    /// Why nothing of it is wanted any more.
    refusal: Option<Rejection>,
    ended: bool,
}

impl Intake {
    fn new(limit: u64, began: Duration) -> Self {
        Intake {
            began,
            size: 0,
            limit,
            reader: DataReader::new(),
            ends: LineEnds::default(),
            refusal: None,
            ended: false,
        }
    }

    /// When the transfer will have been too slow if nothing more arrives (spec §8.1).
    pub(super) fn too_slow_at(&self) -> Duration {
        let due = self.size / limits::SLOW_OCTETS_PER_SECOND;
        self.began + Duration::from_secs(due.max(limits::SLOW_AFTER))
    }

    /// Counts `content`; gives it back unless it is not wanted.
    fn take(&mut self, content: Vec<u8>) -> Option<Vec<u8>> {
        self.size = self.size.saturating_add(content.len() as u64);
        if self.size > self.limit {
            self.refuse(Rejection::MessageTooBig { limit: self.limit });
        }
        if let Some(fault) = self.reader.fault().or(self.ends.fault()) {
            self.refuse(refusal_of(fault));
        }
        (self.refusal.is_none() && !content.is_empty()).then_some(content)
    }

    fn refuse(&mut self, rejection: Rejection) {
        self.refusal.get_or_insert(rejection);
    }
}

fn refusal_of(fault: Fault) -> Rejection {
    match fault {
        Fault::BareLineEnd => Rejection::BareLineEnd,
        Fault::Nul => Rejection::Nul,
    }
}

impl Server {
    /// Nothing more of the content is wanted, for this reason: it is refused at its end (DATA)
    /// or at the end of the chunk (BDAT), and no more `Content` comes (spec §4.12).
    pub fn refuse_content(&mut self, rejection: Rejection) {
        if let Some(intake) = &mut self.intake {
            intake.refuse(rejection);
        }
    }

    /// The client hears of a refusal before all of the content came: at the end of a chunk that
    /// is not the last; after DATA it hears nothing before the end.
    #[must_use]
    pub fn hears_early(&self) -> bool {
        matches!(&self.wait, Wait::ChunkOctets(chunk) if !(chunk.last && chunk.is_complete()))
    }

    /// Sealed mail is taken under TLS only (spec §3.2.2).
    pub(super) fn mail(&mut self, mail: Mail) -> Step {
        if mail.announced.is_some() && !self.config.tls {
            return self.refuse(&Rejection::TlsRequired);
        }
        let limit = self.config.size_limit;
        if mail.size.is_some_and(|size| size > limit) {
            self.reject(&Rejection::MessageTooBig { limit });
            return Step::Again;
        }
        self.smtputf8 = mail.smtputf8;
        self.sealed = mail.announced.is_some();
        self.ask(Question::Mail, Event::Mail(mail))
    }

    pub(super) fn mail_answered(&mut self, answer: Answer) {
        if let Answer::Rejected(rejection) = answer {
            return self.reject(&rejection);
        }
        self.phase = Phase::AwaitingRecipient;
        self.say(&reply::SENDER_TAKEN);
    }

    pub(super) fn recipient(&mut self, recipient: Recipient) -> Step {
        if recipient.address.needs_smtputf8() && !self.smtputf8 {
            return self.refuse(&Rejection::SmtpUtf8Required);
        }
        if self.recipients >= self.most_recipients() {
            self.reject(&Rejection::TooManyRecipients);
            return Step::Again;
        }
        self.ask(Question::Recipient, Event::Recipient(recipient))
    }

    /// A seal names no more people than that: who is above it would fail at the end (spec §4.4).
    fn most_recipients(&self) -> usize {
        let most = self.config.recipients_limit;
        match self.sealed {
            true => most.min(limits::SEAL_RECIPIENTS),
            false => most,
        }
    }

    pub(super) fn recipient_answered(&mut self, answer: Answer) {
        if let Answer::Rejected(rejection) = answer {
            self.refused_recipient = true;
            return self.reject(&rejection);
        }
        self.recipients += 1;
        self.phase = Phase::AwaitingContent;
        self.say(&reply::RECIPIENT_TAKEN);
    }

    pub(super) fn data(&mut self) -> Step {
        self.intake = Some(Intake::new(self.config.size_limit, self.now));
        self.wait = Wait::DataOctets;
        self.say(&reply::SEND_DATA)
    }

    /// RFC 2920 §3.1: a client that pipelines may send DATA after refused recipients.
    pub(super) fn data_without_recipient(&mut self) -> Step {
        self.reject(&Rejection::NoRecipients);
        Step::Again
    }

    pub(super) fn data_octets(&mut self) -> Step {
        let Some(intake) = &mut self.intake else {
            return Step::Stuck;
        };
        if intake.ended {
            return self.content_complete();
        }
        let unread = self.input.unread();
        let piece = unread.get(..PIECE_OCTETS).unwrap_or(unread);
        if piece.is_empty() {
            return Step::Stuck;
        }
        let mut content = Vec::with_capacity(piece.len());
        let taken = intake.reader.read(piece, &mut content);
        intake.ended = taken.ended;
        let content = intake.take(content);
        self.input.consume(taken.used);
        self.since = self.now;
        content.map_or(Step::Again, |content| Step::Event(Event::Content(content)))
    }

    pub(super) fn bdat(&mut self, chunk: Chunk) -> Step {
        let limit = self.config.size_limit;
        let began = self.now;
        let intake = self.intake.get_or_insert_with(|| Intake::new(limit, began));
        if intake.size.saturating_add(chunk.size) > limit {
            intake.refuse(Rejection::MessageTooBig { limit });
        }
        self.wait = Wait::ChunkOctets(chunk);
        Step::Again
    }

    /// The octets of a chunk that is not allowed are read and thrown away (RFC 3030 §2).
    pub(super) fn refused_bdat(&mut self, chunk: Chunk, rejection: Rejection) -> Step {
        let pipelined = self.refused_chunk || self.refused_recipient;
        if !pipelined {
            self.errors += 1;
        }
        let mut intake = Intake::new(0, self.now);
        intake.refuse(if self.refused_recipient {
            Rejection::NoRecipients
        } else {
            rejection
        });
        self.intake = Some(intake);
        self.wait = Wait::ChunkOctets(chunk);
        Step::Again
    }

    pub(super) fn chunk_octets(&mut self) -> Step {
        let (Wait::ChunkOctets(chunk), Some(intake)) = (&mut self.wait, &mut self.intake) else {
            return Step::Stuck;
        };
        if chunk.is_complete() {
            let last = chunk.last;
            return self.chunk_complete(last);
        }
        let unread = self.input.unread();
        let count = chunk.take(unread.len().min(PIECE_OCTETS));
        if count == 0 {
            return Step::Stuck;
        }
        let piece = unread.get(..count).unwrap_or_default();
        intake.ends.push(piece);
        let content = intake.take(piece.to_vec());
        self.input.consume(count);
        self.since = self.now;
        content.map_or(Step::Again, |content| Step::Event(Event::Content(content)))
    }

    fn chunk_complete(&mut self, last: bool) -> Step {
        let refused = self.intake.as_ref().is_some_and(|i| i.refusal.is_some());
        if last || refused {
            self.refused_chunk = refused && !last;
            return self.content_complete();
        }
        self.phase = Phase::AwaitingChunk;
        self.await_command();
        self.say(&reply::CHUNK_TAKEN)
    }

    /// All octets came, by DATA or by BDAT: ask, or refuse on our own account.
    fn content_complete(&mut self) -> Step {
        let Some(intake) = &mut self.intake else {
            return Step::Stuck;
        };
        if let Some(fault) = intake.ends.fault_at_end() {
            intake.refuse(refusal_of(fault));
        }
        let size = intake.size;
        match intake.refusal.take() {
            None => self.ask(Question::ContentEnd, Event::ContentEnd(size)),
            Some(rejection) => {
                self.await_command();
                self.forget_transaction(Some(rejection.clone()));
                self.reject(&rejection);
                Step::Again
            }
        }
    }

    pub(super) fn content_answered(&mut self, answer: Answer) {
        self.end_transaction();
        match answer {
            Answer::Stored(text) => self.write(&reply::completed(&text)),
            Answer::Rejected(rejection) => self.reject(&rejection),
            Answer::Accepted | Answer::Challenge(_) | Answer::KeyStored(_) => {
                self.reject(&wrong_answer())
            }
        }
    }

    pub(super) fn rset(&mut self) -> Step {
        self.forget_transaction(None);
        self.say(&reply::FLUSHED)
    }

    /// Ends the transaction that may be open, and says so.
    pub(super) fn forget_transaction(&mut self, refusal: Option<Rejection>) {
        let open = !matches!(self.phase, Phase::AwaitingHello | Phase::AwaitingMail);
        if open {
            self.events.push_back(Event::Reset(refusal));
        }
        self.end_transaction();
    }

    fn end_transaction(&mut self) {
        if self.phase != Phase::AwaitingHello {
            self.phase = Phase::AwaitingMail;
        }
        self.intake = None;
        self.smtputf8 = false;
        self.sealed = false;
        self.recipients = 0;
        self.refused_recipient = false;
    }
}
