//! KEY and KEYPUT (spec §3.4, §3.5, §3.6).

use std::collections::VecDeque;
use std::time::Duration;

use email2::address::Identity;
use email2::capability::KEY_VERB;
use email2::key_query::{KeyAnswer, KeyPut, KeyQuery};
use email2::limits;
use email2::rejection::Rejection;

use super::{Answer, Event, Question, Server, Step, Wait, wrong_answer};
use crate::bdat::Chunk;
use crate::reply;

/// KEY commands without an answer yet, oldest first: they are answered in order (spec §3.4.4).
#[derive(Debug, Default)]
pub(super) struct KeyWindow {
    /// The id of the oldest.
    first: u64,
    /// The reply of each, once it is known.
    replies: VecDeque<Option<String>>,
    /// The client sends no more; what it asked is answered and what came behind is read.
    stream_ended: bool,
}

impl KeyWindow {
    pub(super) fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.replies.len() >= limits::KEYS_OUTSTANDING
    }

    pub(super) fn end_stream(&mut self) {
        self.stream_ended = true;
    }

    pub(super) fn stream_ended(&self) -> bool {
        self.stream_ended
    }

    fn open(&mut self) -> u64 {
        self.replies.push_back(None);
        self.first + self.replies.len() as u64 - 1
    }

    fn fill(&mut self, id: u64, reply: String) {
        let at = id
            .checked_sub(self.first)
            .and_then(|at| usize::try_from(at).ok());
        if let Some(slot) = at.and_then(|at| self.replies.get_mut(at)) {
            *slot = Some(reply);
        }
    }

    /// The oldest reply, when it is known.
    fn take(&mut self) -> Option<String> {
        let reply = self.replies.front_mut()?.take()?;
        self.replies.pop_front();
        self.first += 1;
        Some(reply)
    }
}

/// The octets behind KEYPUT, while they come in.
#[derive(Debug)]
pub(super) struct KeyOctets {
    address: Identity,
    chunk: Chunk,
    octets: Vec<u8>,
    refusal: Option<Rejection>,
}

/// The input begins with KEY and its space; false when that is not sure yet.
pub(super) fn begins_with_key(unread: &[u8]) -> bool {
    let verb = unread.get(..KEY_VERB.len());
    verb.is_some_and(|verb| verb.eq_ignore_ascii_case(KEY_VERB.as_bytes()))
        && unread.get(KEY_VERB.len()) == Some(&b' ')
}

impl Server {
    /// Answers the KEY event with that `id`; the answers leave in the order of the questions.
    pub fn answer_key(&mut self, id: u64, answer: Result<KeyAnswer, Rejection>, now: Duration) {
        self.now = now;
        let reply = match &answer {
            Ok(answer) => reply::lines(reply::COMPLETED, &answer.lines()),
            Err(rejection) => reply::refusal(rejection),
        };
        self.keys.fill(id, reply);
        while let Some(reply) = self.keys.take() {
            self.write(&reply);
            self.since = now;
        }
    }

    pub(super) fn key(&mut self, query: KeyQuery) -> Step {
        let id = self.keys.open();
        Step::Event(Event::Key { id, query })
    }

    pub(super) fn key_put(&mut self, put: &KeyPut) -> Step {
        let fits = put.size as usize <= limits::CERTIFICATE_OCTETS;
        let refusal = (!fits).then_some(Rejection::CertificateTooBig);
        self.take_key_octets(put, refusal)
    }

    pub(super) fn refused_key_put(&mut self, put: &KeyPut, rejection: Rejection) -> Step {
        self.take_key_octets(put, Some(rejection))
    }

    fn take_key_octets(&mut self, put: &KeyPut, refusal: Option<Rejection>) -> Step {
        self.wait = Wait::KeyOctets(KeyOctets {
            address: put.address.clone(),
            chunk: Chunk::new(u64::from(put.size), true),
            octets: Vec::new(),
            refusal,
        });
        Step::Again
    }

    pub(super) fn key_octets(&mut self) -> Step {
        let Wait::KeyOctets(key) = &mut self.wait else {
            return Step::Stuck;
        };
        let unread = self.input.unread();
        let count = key.chunk.take(unread.len());
        if key.refusal.is_none() {
            key.octets
                .extend_from_slice(unread.get(..count).unwrap_or_default());
        }
        self.input.consume(count);
        if !key.chunk.is_complete() {
            return Step::Stuck;
        }
        match std::mem::replace(&mut self.wait, Wait::Command) {
            Wait::KeyOctets(key) => self.key_complete(key),
            _ => Step::Stuck,
        }
    }

    fn key_complete(&mut self, key: KeyOctets) -> Step {
        self.await_command();
        let KeyOctets {
            address,
            octets,
            refusal,
            ..
        } = key;
        match refusal {
            Some(rejection) => self.refuse(&rejection),
            None => self.ask(Question::KeyPut, Event::KeyPut { address, octets }),
        }
    }

    pub(super) fn key_stored(&mut self, answer: Answer) {
        match answer {
            Answer::KeyStored(answer) => {
                self.write(&reply::lines(reply::COMPLETED, &answer.lines()));
            }
            Answer::Rejected(rejection) => self.reject(&rejection),
            Answer::Accepted | Answer::Challenge(_) | Answer::Stored(_) => {
                self.reject(&wrong_answer())
            }
        }
    }
}
