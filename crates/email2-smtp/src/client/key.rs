//! KEY and KEYPUT (spec §3.4, §3.6).

use std::time::Duration;

use email2::capability::{KEY_VERB, KEYPUT_VERB, KEYWORD};
use email2::key_query::{KeyAnswer, KeyPut, KeyPutAnswer, KeyQuery};

use super::{Client, Event, Expected, Failure};
use crate::reply::Reply;

impl Client {
    /// Asks for certificates, up to 8 at a time in flight; each answer is an
    /// [`Event::Key`], in order.
    pub fn keys(&mut self, queries: &[KeyQuery], now: Duration) {
        self.now = now;
        for (index, query) in queries.iter().enumerate() {
            if self.extensions.email2 && !self.closed {
                let command = format!("{KEY_VERB} {query}\r\n");
                self.send(&command, Expected::Key(index));
            } else {
                let answer = Err(self.cannot_ask());
                self.events.push_back(Event::Key { index, answer });
            }
        }
    }

    /// Publishes a certificate; `put.size` must be the number of `octets`.
    pub fn key_put(&mut self, put: &KeyPut, octets: &[u8], now: Duration) {
        self.now = now;
        if !self.extensions.email2 || self.closed {
            let failure = self.cannot_ask();
            return self.events.push_back(Event::KeyPut(Err(failure)));
        }
        let mut command = format!("{KEYPUT_VERB} {put}\r\n").into_bytes();
        command.extend_from_slice(octets);
        self.send_octets(command, Expected::KeyPut);
    }

    fn cannot_ask(&self) -> Failure {
        if self.closed {
            Failure::Lost
        } else {
            Failure::NotOffered(KEYWORD)
        }
    }

    pub(super) fn key_answered(&mut self, index: usize, reply: Reply) {
        let answer = if reply.is_positive() {
            KeyAnswer::parse(&reply.lines).map_err(Failure::from)
        } else {
            Err(Failure::Refused(reply))
        };
        self.events.push_back(Event::Key { index, answer });
    }

    pub(super) fn key_put_answered(&mut self, reply: Reply) {
        let answer = if reply.is_positive() {
            KeyPutAnswer::parse(&reply.lines).map_err(Failure::from)
        } else {
            Err(Failure::Refused(reply))
        };
        self.events.push_back(Event::KeyPut(answer));
    }
}
