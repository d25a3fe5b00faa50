//! One mail transaction: MAIL, RCPT, then DATA or BDAT (RFC 5321 §3.3, RFC 2920, RFC 3030).

use std::time::Duration;

use email2::address::Address;
use email2::capability::KEYWORD;

use super::{Client, EIGHT_BIT, Event, Expected, Failure, RecipientOutcome, Stage, UTF8};
use crate::bdat;
use crate::data::{DataWriter, LineEnds};
use crate::envelope::{Envelope, Recipient};
use crate::reply::{self, Reply};

/// Chunks without a reply from which on no more content is wanted: so a refusal at the first
/// chunk (spec §4.12) is seen before all is sent.
const CHUNKS_IN_FLIGHT: usize = 16;

/// A transaction in progress.
#[derive(Debug)]
pub(super) struct Delivery {
    recipients: Vec<Recipient>,
    /// Of each recipient, once it is known.
    outcomes: Vec<Option<Result<Reply, Failure>>>,
    /// MAIL was refused.
    refused: Option<Reply>,
    /// Replies to RCPT still to come.
    unanswered: usize,
    stage: Stage,
    carriage: Carriage,
}

/// How the content travels.
#[derive(Debug)]
enum Carriage {
    /// Not yet: the envelope is not answered, or DATA is not.
    NotYet,
    Data(DataWriter),
    Chunks {
        ends: LineEnds,
        /// The newest piece: it may be the last.
        held: Vec<u8>,
        line_ended: bool,
    },
    /// All of it was sent.
    Done,
}

impl Client {
    /// Begins a transaction: then come [`Event::WantsContent`] as often as content is wanted,
    /// and one [`Event::Delivered`]. Recipients beyond the server's RCPTMAX (RFC 9422) are the
    /// caller's to keep for the next transaction.
    pub fn deliver(&mut self, envelope: &Envelope, now: Duration) {
        self.now = now;
        self.delivery = Some(Delivery {
            recipients: envelope.recipients.clone(),
            outcomes: vec![None; envelope.recipients.len()],
            refused: None,
            unanswered: envelope.recipients.len(),
            stage: Stage::Mail,
            carriage: Carriage::NotYet,
        });
        match self.obstacle(envelope) {
            Some(failure) => self.finish_delivery(&failure),
            None => self.send_envelope(envelope),
        }
    }

    fn obstacle(&self, envelope: &Envelope) -> Option<Failure> {
        let (mail, offered) = (&envelope.mail, &self.extensions);
        let needs = |needed: bool, offered: bool, what| {
            (needed && !offered).then_some(Failure::NotOffered(what))
        };
        let limit = offered.size.filter(|&limit| limit > 0);
        let too_big = limit.filter(|&limit| mail.size.is_some_and(|size| size > limit));
        self.closed
            .then_some(Failure::Lost)
            .or_else(|| needs(mail.announced.is_some(), offered.email2, KEYWORD))
            .or_else(|| needs(envelope.needs_smtputf8(), offered.smtputf8, UTF8))
            .or_else(|| needs(mail.eight_bit, offered.eight_bit, EIGHT_BIT))
            .or_else(|| too_big.map(Failure::TooBig))
    }

    fn send_envelope(&mut self, envelope: &Envelope) {
        let mut mail = envelope.mail.clone();
        mail.smtputf8 = envelope.needs_smtputf8();
        mail.size = mail.size.filter(|_| self.extensions.size.is_some());
        self.send(&format!("{mail}\r\n"), Expected::Mail);
        for (index, recipient) in envelope.recipients.iter().enumerate() {
            self.send(&format!("{recipient}\r\n"), Expected::Recipient(index));
        }
    }

    pub(super) fn mail_answered(&mut self, reply: Reply) {
        let Some(delivery) = &mut self.delivery else {
            return;
        };
        if reply.is_positive() {
            delivery.stage = Stage::Recipient;
        } else {
            delivery.refused = Some(reply);
        }
        self.envelope_answered();
    }

    pub(super) fn recipient_answered(&mut self, index: usize, reply: Reply) {
        let Some(delivery) = &mut self.delivery else {
            return;
        };
        delivery.unanswered = delivery.unanswered.saturating_sub(1);
        if !reply.is_positive() {
            delivery.refuse(index, reply);
        }
        self.envelope_answered();
    }

    /// When all of the envelope is answered: on to the content, or the end.
    fn envelope_answered(&mut self) {
        let Some(delivery) = self.delivery.as_mut().filter(|d| d.unanswered == 0) else {
            return;
        };
        if let Some(reply) = delivery.refused.take() {
            return self.finish_delivery(&Failure::Refused(reply));
        }
        if delivery.outcomes.iter().all(Option::is_some) {
            self.send("RSET\r\n", Expected::Anything);
            return self.finish_delivery(&Failure::Lost);
        }
        if self.extensions.chunking {
            delivery.stage = Stage::Content;
            delivery.carriage = Carriage::chunks();
        } else {
            delivery.stage = Stage::Data;
            self.send("DATA\r\n", Expected::Data);
        }
    }

    pub(super) fn data_answered(&mut self, reply: Reply) {
        let Some(delivery) = &mut self.delivery else {
            return;
        };
        if reply.code == reply::GO_ON {
            delivery.stage = Stage::Content;
            delivery.carriage = Carriage::Data(DataWriter::new());
        } else {
            self.send("RSET\r\n", Expected::Anything);
            self.finish_delivery(&Failure::Refused(reply));
        }
    }

    /// Content is wanted now.
    pub(super) fn wants_content(&self) -> bool {
        let Some(delivery) = &self.delivery else {
            return false;
        };
        let in_flight = self.expected.len() + self.unsent.len();
        match delivery.carriage {
            Carriage::NotYet | Carriage::Done => false,
            Carriage::Data(_) => true,
            Carriage::Chunks { .. } if self.extensions.pipelining => in_flight < CHUNKS_IN_FLIGHT,
            Carriage::Chunks { .. } => in_flight == 0,
        }
    }

    /// The next piece of the content, at most [`super::PIECE_OCTETS`]; dots are put in here.
    pub fn content(&mut self, octets: &[u8], now: Duration) {
        self.now = now;
        let Some(delivery) = &mut self.delivery else {
            return;
        };
        let mut chunk = None;
        let pure = match &mut delivery.carriage {
            Carriage::Data(writer) => {
                writer.write(octets, &mut self.output);
                writer.is_pure()
            }
            Carriage::Chunks {
                ends,
                held,
                line_ended,
            } => {
                ends.push(octets);
                *line_ended = octets.last().map_or(*line_ended, |&last| last == b'\n');
                chunk = Some(std::mem::replace(held, octets.to_vec()));
                ends.fault().is_none()
            }
            Carriage::NotYet | Carriage::Done => return,
        };
        if !pure {
            return self.fail(Failure::Content);
        }
        if let Some(chunk) = chunk.filter(|chunk| !chunk.is_empty()) {
            self.send_chunk(&chunk, false);
        }
    }

    /// The content is complete.
    pub fn content_end(&mut self, now: Duration) {
        self.now = now;
        let Some(delivery) = &mut self.delivery else {
            return;
        };
        match std::mem::replace(&mut delivery.carriage, Carriage::Done) {
            Carriage::Data(writer) => {
                if !writer.end(&mut self.output) {
                    return self.fail(Failure::Content);
                }
                self.since = now;
                delivery.stage = Stage::End;
                self.expected.push_back(Expected::ContentEnd);
            }
            Carriage::Chunks {
                ends,
                held,
                line_ended,
            } => {
                if !(line_ended && ends.fault_at_end().is_none()) {
                    return self.fail(Failure::Content);
                }
                delivery.stage = Stage::End;
                self.send_chunk(&held, true);
            }
            Carriage::NotYet | Carriage::Done => {}
        }
    }

    /// The source of the content failed: nothing half may be taken for a message, so the
    /// connection ends here.
    pub fn content_failed(&mut self, now: Duration) {
        self.now = now;
        self.fail(Failure::Source);
    }

    fn send_chunk(&mut self, chunk: &[u8], last: bool) {
        let mut octets = bdat::command(chunk.len(), last).into_bytes();
        octets.extend_from_slice(chunk);
        let expected = if last {
            Expected::ContentEnd
        } else {
            Expected::Chunk
        };
        self.send_octets(octets, expected);
    }

    pub(super) fn chunk_answered(&mut self, reply: Reply) {
        if reply.is_positive() {
            return;
        }
        // What is in flight behind the refused chunk will be refused too (RFC 3030 §4.2).
        self.unsent.clear();
        for expected in &mut self.expected {
            *expected = Expected::Anything;
        }
        self.send("RSET\r\n", Expected::Anything);
        self.finish_delivery(&Failure::Refused(reply));
    }

    pub(super) fn content_answered(&mut self, reply: Reply) {
        if !reply.is_positive() {
            return self.finish_delivery(&Failure::Refused(reply));
        }
        if let Some(delivery) = self.delivery.take() {
            let delivered = delivery.end(&Ok(reply));
            self.events.push_back(Event::Delivered(delivered));
        }
    }

    /// Ends the transaction, if there is one: `failure` for all whose outcome is not known.
    pub(super) fn finish_delivery(&mut self, failure: &Failure) {
        if let Some(delivery) = self.delivery.take() {
            let delivered = delivery.end(&Err(failure.clone()));
            self.events.push_back(Event::Delivered(delivered));
        }
    }
}

impl Carriage {
    fn chunks() -> Self {
        Carriage::Chunks {
            ends: LineEnds::default(),
            held: Vec::new(),
            line_ended: true,
        }
    }
}

impl Delivery {
    fn refuse(&mut self, index: usize, reply: Reply) {
        if let Some(outcome) = self.outcomes.get_mut(index) {
            *outcome = Some(Err(Failure::Refused(reply)));
        }
    }

    fn end(self, rest: &Result<Reply, Failure>) -> Vec<RecipientOutcome> {
        let addresses = self
            .recipients
            .into_iter()
            .map(|recipient| recipient.address);
        let outcome = |(address, known): (Address, Option<Result<Reply, Failure>>)| {
            let stage = match known {
                Some(_) => Stage::Recipient,
                None => self.stage,
            };
            let result = known.unwrap_or_else(|| rest.clone());
            RecipientOutcome {
                address,
                result,
                stage,
            }
        };
        addresses.zip(self.outcomes).map(outcome).collect()
    }
}
