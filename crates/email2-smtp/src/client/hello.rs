//! Greeting, EHLO, STARTTLS, AUTH (RFC 5321 §3.1, RFC 3207, RFC 4954).

use std::time::Duration;

use super::{Client, Event, Expected, Failure, STARTTLS, StartTls};
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
            return self.hello_refused(reply);
        }
        let extensions = Extensions::parse(&reply.lines);
        if !self.config.tls {
            return self.start_tls(extensions);
        }
        self.extensions = extensions;
        self.sign_in();
    }

    /// A server older than EHLO is greeted as it understands (RFC 5321 §3.2).
    fn hello_refused(&mut self, reply: Reply) {
        if self.may_be_plain() && reply.is_permanent() {
            let command = format!("HELO {}\r\n", self.config.name);
            self.send(&command, Expected::OldHello);
        } else {
            self.fail(Failure::Refused(reply));
        }
    }

    pub(super) fn old_hello_answered(&mut self, reply: Reply) {
        if reply.is_positive() {
            self.ready();
        } else {
            self.fail(Failure::Refused(reply));
        }
    }

    /// Never goes on in plaintext (spec §3.12.2), but for ordinary mail (spec §12.2.1).
    fn start_tls(&mut self, extensions: Extensions) {
        let never = self.config.start_tls == StartTls::Never;
        let offered = extensions.starttls;
        if self.may_be_plain() {
            // spec §2.1.5: nothing of Email 2.0 is spoken without TLS.
            self.extensions = Extensions {
                email2: false,
                ..extensions
            };
        }
        if offered && !never {
            self.send("STARTTLS\r\n", Expected::StartTls);
        } else if self.may_be_plain() {
            self.ready();
        } else {
            self.fail(Failure::NotOffered(STARTTLS));
        }
    }

    /// No password ever leaves in plaintext.
    fn may_be_plain(&self) -> bool {
        let allowed = self.config.start_tls != StartTls::Demanded;
        allowed && !self.config.tls && self.config.credentials.is_none()
    }

    pub(super) fn start_tls_answered(&mut self, reply: Reply) {
        if reply.code != reply::GREETING {
            return self.start_tls_refused(reply);
        }
        // What stood in the buffer came in plaintext (spec §3.1.1).
        self.input.discard();
        self.handshake = true;
        self.events.push_back(Event::StartTls);
    }

    /// RFC 3207 §4: the client decides whether to go on.
    fn start_tls_refused(&mut self, reply: Reply) {
        if self.may_be_plain() && reply.code != reply::CLOSES {
            self.ready();
        } else {
            self.fail(Failure::Refused(reply));
        }
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
