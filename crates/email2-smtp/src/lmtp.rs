//! Handing a message on to the mail system behind this one, as a state machine: by LMTP
//! (RFC 2033), where every recipient has an answer of its own behind the content, or by SMTP
//! without extensions of ours. One transaction a connection, one command at a time: that system
//! is near, and what matters is that no answer is ever taken for another's.

use std::collections::VecDeque;
use std::time::Duration;

use email2::address::Address;
use email2::limits;

use crate::client::Failure;
use crate::data::DataWriter;
use crate::envelope::Envelope;
use crate::extension::Extensions;
use crate::line::{Input, Line};
use crate::reply::{self, Reply, ReplyReader};

/// What the other side speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// LHLO, and one reply a recipient behind the content (RFC 2033 §4.1, §4.2).
    Lmtp,
    /// EHLO, and one reply for all.
    Smtp,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Handover {
    /// How the other side is spoken to.
    pub dialect: Dialect,
    /// What we call ourselves.
    pub name: String,
    /// From whom, to whom; what it says of seals and certificates is not told.
    pub envelope: Envelope,
    /// Nothing is delivered: the other side is only asked whom it takes mail for.
    pub only_asks: bool,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// Give the next piece: [`Lmtp::content`] (at most 32 KiB) or [`Lmtp::content_end`].
    WantsContent,
    /// What became of each recipient, in their order; of a question, what was said to it.
    Done(Vec<(Address, Result<Reply, Failure>)>),
    /// Nothing more comes: send what is to be sent, close.
    Closed,
}

/// The reply that is awaited, or that the content is.
#[derive(Debug)]
enum Waiting {
    Greeting,
    Hello,
    Mail,
    Recipient(usize),
    Data,
    Content(DataWriter),
    /// The recipients whose answers are to come.
    End(VecDeque<usize>),
    Quit,
    Nothing,
}

/// Our side of one connection to the system behind.
#[derive(Debug)]
pub struct Lmtp {
    handover: Handover,
    input: Input,
    output: Vec<u8>,
    replies: ReplyReader,
    events: VecDeque<Event>,
    waiting: Waiting,
    /// Of each recipient, once it is known; a positive one to RCPT only when that was the question.
    outcomes: Vec<Option<Result<Reply, Failure>>>,
    accepted: VecDeque<usize>,
    done: bool,
    now: Duration,
    /// When the reply waited for became the next.
    since: Duration,
}

impl Lmtp {
    /// Waits for the greeting.
    #[must_use]
    pub fn new(handover: Handover, now: Duration) -> Self {
        Lmtp {
            outcomes: vec![None; handover.envelope.recipients.len()],
            handover,
            input: Input::default(),
            output: Vec::new(),
            replies: ReplyReader::default(),
            events: VecDeque::new(),
            waiting: Waiting::Greeting,
            accepted: VecDeque::new(),
            done: false,
            now,
            since: now,
        }
    }

    /// Octets are welcome: what was received before is used up but for a bounded rest.
    #[must_use]
    pub fn wants_octets(&self) -> bool {
        self.input.unread().len() < limits::KEY_ANSWER_OCTETS
    }

    /// Octets that arrived at `now`.
    pub fn receive(&mut self, octets: &[u8], now: Duration) {
        self.now = now;
        if !matches!(self.waiting, Waiting::Nothing) {
            self.input.push(octets);
        }
    }

    /// The other side sends no more.
    pub fn end_of_stream(&mut self, now: Duration) {
        self.end_by(&Failure::Lost, now);
    }

    /// The other side said more than is read of it: what was answered in what was read stays
    /// answered, and nothing more is heard.
    pub fn too_much(&mut self, now: Duration) {
        self.end_by(&reply::ReplyError::TooLong.into(), now);
    }

    fn end_by(&mut self, failure: &Failure, now: Duration) {
        self.now = now;
        while self.next_reply() {}
        self.fail(failure);
    }

    /// Octets to send; `None` when there are none.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        let octets = std::mem::take(&mut self.output);
        (!octets.is_empty()).then_some(octets)
    }

    /// The next event. It may make octets to send even when there is none.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if !self.next_reply() {
                let wants = matches!(self.waiting, Waiting::Content(_));
                return wants.then_some(Event::WantsContent);
            }
        }
    }

    /// When [`Lmtp::timeout`] wants to be called (RFC 5321 §4.5.3.2).
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let patience = match self.waiting {
            Waiting::Content(_) | Waiting::Nothing => return None,
            Waiting::Data => limits::DATA_START_TIMEOUT,
            Waiting::End(_) => limits::DATA_END_TIMEOUT,
            _ => limits::REPLY_TIMEOUT,
        };
        Some(self.since + Duration::from_secs(patience))
    }

    /// The deadline passed.
    pub fn timeout(&mut self, now: Duration) {
        self.now = now;
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            self.fail(&Failure::TimedOut);
        }
    }

    /// The next piece of the content; dots are put in here.
    pub fn content(&mut self, octets: &[u8], now: Duration) {
        self.now = now;
        if let Waiting::Content(writer) = &mut self.waiting {
            writer.write(octets, &mut self.output);
            if !writer.is_pure() {
                self.fail(&Failure::Content);
            }
        }
    }

    /// The content is complete.
    pub fn content_end(&mut self, now: Duration) {
        self.now = now;
        let Waiting::Content(writer) = &self.waiting else {
            return;
        };
        if !writer.end(&mut self.output) {
            return self.fail(&Failure::Content);
        }
        self.since = now;
        self.waiting = Waiting::End(std::mem::take(&mut self.accepted));
    }

    /// The source of the content failed: the connection ends, so that nothing half is taken for
    /// a message.
    pub fn content_failed(&mut self, now: Duration) {
        self.now = now;
        self.fail(&Failure::Source);
    }

    /// Handles one reply, if one is complete.
    fn next_reply(&mut self) -> bool {
        if matches!(self.waiting, Waiting::Nothing) {
            return false;
        }
        let line = match self.input.take_line(|_| limits::KEY_ANSWER_OCTETS) {
            Line::Incomplete => return false,
            Line::Whole(line) => self.replies.push(&line),
            Line::Malformed => Err(reply::ReplyError::Malformed),
            Line::TooLong => Err(reply::ReplyError::TooLong),
        };
        match line {
            Ok(None) => {}
            Ok(Some(reply)) => self.replied(reply),
            Err(error) => self.fail(&error.into()),
        }
        true
    }

    fn replied(&mut self, reply: Reply) {
        self.since = self.now;
        let goodbye = (reply.code == reply::CLOSES).then(|| reply.clone());
        match std::mem::replace(&mut self.waiting, Waiting::Nothing) {
            Waiting::Greeting if reply.is_positive() => self.hello(),
            Waiting::Hello if reply.is_positive() => self.hello_answered(&reply),
            Waiting::Mail if reply.is_positive() => self.recipient(0),
            Waiting::Recipient(index) => self.recipient_answered(index, reply),
            Waiting::Data if reply.code == reply::GO_ON => {
                self.waiting = Waiting::Content(DataWriter::new());
            }
            Waiting::End(answers) => self.content_answered(answers, reply),
            Waiting::Quit => self.close(),
            // Content is under way, and somebody speaks: it takes no more.
            _ => self.refuse_all(reply),
        }
        if let Some(reply) = goodbye {
            self.fail(&Failure::Refused(reply));
        }
    }

    fn hello(&mut self) {
        let verb = match self.handover.dialect {
            Dialect::Lmtp => "LHLO",
            Dialect::Smtp => "EHLO",
        };
        let command = format!("{verb} {}", self.handover.name);
        self.say(&command, Waiting::Hello);
    }

    fn hello_answered(&mut self, reply: &Reply) {
        let offered = Extensions::parse(&reply.lines);
        let envelope = &self.handover.envelope;
        let mut mail = envelope.mail.clone();
        mail.smtputf8 = envelope.needs_smtputf8();
        let missing = match (mail.smtputf8, mail.eight_bit) {
            (true, _) if !offered.smtputf8 => Some("SMTPUTF8"),
            (_, true) if !offered.eight_bit => Some("8BITMIME"),
            _ => None,
        };
        if let Some(missing) = missing {
            self.finish(&Err(Failure::NotOffered(missing)));
            return self.quit();
        }
        mail.announced = None;
        mail.size = mail.size.filter(|_| offered.size.is_some());
        self.say(&mail.to_string(), Waiting::Mail);
    }

    fn recipient(&mut self, index: usize) {
        let recipient = self.handover.envelope.recipients.get(index);
        match recipient.map(|to| format!("RCPT TO:<{}>", to.address)) {
            Some(command) => self.say(&command, Waiting::Recipient(index)),
            None => self.envelope_answered(),
        }
    }

    fn recipient_answered(&mut self, index: usize, reply: Reply) {
        let positive = reply.is_positive();
        if positive {
            self.accepted.push_back(index);
        }
        if !positive || self.handover.only_asks {
            let said = if positive {
                Ok(reply)
            } else {
                Err(Failure::Refused(reply))
            };
            self.answered(index, said);
        }
        self.recipient(index + 1);
    }

    fn envelope_answered(&mut self) {
        if self.accepted.is_empty() || self.handover.only_asks {
            self.finish(&Err(Failure::Lost));
            return self.quit();
        }
        self.say("DATA", Waiting::Data);
    }

    /// RFC 2033 §4.2: in the order of the recipients that were accepted.
    fn content_answered(&mut self, mut answers: VecDeque<usize>, reply: Reply) {
        let result = if reply.is_positive() {
            Ok(reply)
        } else {
            Err(Failure::Refused(reply))
        };
        let now_answered = match self.handover.dialect {
            Dialect::Lmtp => 1,
            Dialect::Smtp => answers.len(),
        };
        for index in answers.drain(..now_answered.min(answers.len())) {
            self.answered(index, result.clone());
        }
        if answers.is_empty() {
            self.finish(&Err(Failure::Lost));
            return self.quit();
        }
        self.waiting = Waiting::End(answers);
    }

    fn answered(&mut self, index: usize, result: Result<Reply, Failure>) {
        if let Some(outcome) = self.outcomes.get_mut(index) {
            *outcome = Some(result);
        }
    }

    fn refuse_all(&mut self, reply: Reply) {
        self.finish(&Err(Failure::Refused(reply)));
        self.quit();
    }

    /// Says what became of everybody; `rest` for those of whom it is not known.
    fn finish(&mut self, rest: &Result<Reply, Failure>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let recipients = self.handover.envelope.recipients.iter();
        let known = std::mem::take(&mut self.outcomes).into_iter();
        let outcomes = recipients.zip(known).map(|(to, known)| {
            let result = known.unwrap_or_else(|| rest.clone());
            (to.address.clone(), result)
        });
        self.events.push_back(Event::Done(outcomes.collect()));
    }

    fn quit(&mut self) {
        self.say("QUIT", Waiting::Quit);
    }

    fn say(&mut self, command: &str, waiting: Waiting) {
        self.output.extend_from_slice(command.as_bytes());
        self.output.extend_from_slice(b"\r\n");
        self.since = self.now;
        self.waiting = waiting;
    }

    /// The connection is of no use any more.
    fn fail(&mut self, failure: &Failure) {
        self.finish(&Err(failure.clone()));
        self.close();
    }

    fn close(&mut self) {
        self.waiting = Waiting::Nothing;
        self.output.clear();
        if !matches!(self.events.back(), Some(Event::Closed)) {
            self.events.push_back(Event::Closed);
        }
    }
}
