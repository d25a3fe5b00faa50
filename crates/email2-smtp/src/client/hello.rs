//! Greeting, EHLO, STARTTLS, AUTH (RFC 5321 §3.1, RFC 3207, RFC 4954).

use std::time::Duration;

use super::{Client, Event, Expected, Failure, STARTTLS};
use crate::extension::Extensions;
use crate::reply::{self, Reply};

impl Client {
    /// TLS stands: all that the server said before is forgotten (RFC 3207 §4.2).
    pub fn tls_active(&mut self, now: Duration) {
        self.now = now;
        if std::mem::take(&mut self.handshake) {
            self.config.tls = true;
            self.extensions = Extensions::default();
            self.hello();
        }
    }

    pub(super) fn greeted(&mut self, reply: Reply) {
        if reply.code == reply::GREETING {
            self.hello();
        } else {
            self.fail(Failure::Refused(reply));
        }
    }

    fn hello(&mut self) {
        let command = format!("EHLO {}\r\n", self.config.name);
        self.send(&command, Expected::Hello);
    }

    pub(super) fn hello_answered(&mut self, reply: Reply) {
        if !reply.is_positive() {
            return self.fail(Failure::Refused(reply));
        }
        let extensions = Extensions::parse(&reply.lines);
        if !self.config.tls {
            return self.start_tls(extensions.starttls);
        }
        self.extensions = extensions;
        self.sign_in();
    }

    /// Never goes on in plaintext (spec §3.12.2).
    fn start_tls(&mut self, offered: bool) {
        if offered {
            self.send("STARTTLS\r\n", Expected::StartTls);
        } else {
            self.fail(Failure::NotOffered(STARTTLS));
        }
    }

    pub(super) fn start_tls_answered(&mut self, reply: Reply) {
        if reply.code != reply::GREETING {
            return self.fail(Failure::Refused(reply));
        }
        // What stood in the buffer came in plaintext (spec §3.1.1).
        self.input.discard();
        self.handshake = true;
        self.events.push_back(Event::StartTls);
    }

    fn sign_in(&mut self) {
        let Some(credentials) = self.config.credentials.take() else {
            return self.ready();
        };
        if !self.extensions.auth_plain {
            return self.fail(Failure::NotOffered("AUTH PLAIN"));
        }
        let command = format!("AUTH PLAIN {}\r\n", credentials.response().as_str());
        self.send(&command, Expected::Auth);
    }

    pub(super) fn auth_answered(&mut self, reply: Reply) {
        if reply.is_positive() {
            self.ready();
        } else {
            self.fail(Failure::Refused(reply));
        }
    }

    fn ready(&mut self) {
        self.events.push_back(Event::Ready(self.extensions.clone()));
    }
}
