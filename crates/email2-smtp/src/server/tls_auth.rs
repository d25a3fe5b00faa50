//! EHLO, STARTTLS and AUTH (RFC 5321 §4.1.1.1, RFC 3207, RFC 4954).

use email2::limits;
use email2::rejection::Rejection;
use zeroize::Zeroizing;

use super::phase::Phase;
use super::{Answer, Auth, Event, Question, Server, Step, Wait};
use crate::command::{AUTH_OCTETS, Credentials};
use crate::extension::Extensions;
use crate::line::Line;
use crate::reply;

impl Server {
    /// TLS stands: all that was known is forgotten, EHLO comes first again (RFC 3207 §4.2,
    /// spec §3.11.2).
    pub fn tls_active(&mut self, now: std::time::Duration) {
        self.now = now;
        if matches!(self.wait, Wait::Handshake) {
            self.config.tls = true;
            self.phase = Phase::AwaitingHello;
            self.client_name = None;
            self.await_command();
        }
    }

    /// What this connection is offered now. EMAIL2 stands only under TLS (spec §2.1.5, §3.2.2), AUTH too
    /// (spec §3.10.2).
    fn extensions(&self) -> Extensions {
        Extensions {
            email2: self.config.tls,
            starttls: self.config.starttls && !self.config.tls,
            auth_plain: self.config.tls && self.config.auth != Auth::NotOffered,
            recipients_max: Some(self.config.recipients_limit),
            ..Extensions::offered(self.config.size_limit)
        }
    }

    pub(super) fn hello(&mut self, name: String, extended: bool) -> Step {
        self.forget_transaction(None);
        self.phase = Phase::AwaitingMail;
        self.client_name = Some(name);
        let mut lines = vec![self.config.hostname.clone()];
        if extended {
            lines.extend(self.extensions().lines());
        }
        self.write(&reply::lines(reply::COMPLETED, &lines));
        Step::Again
    }

    pub(super) fn start_tls(&mut self) -> Step {
        self.say(&reply::START_TLS);
        self.input.discard();
        self.wait = Wait::Handshake;
        Step::Event(Event::StartTls)
    }

    pub(super) fn auth(&mut self, initial: Option<Zeroizing<String>>) -> Step {
        match initial {
            Some(response) => self.credentials(&response),
            None => {
                self.wait = Wait::AuthResponse;
                self.say(&reply::AUTH_CONTINUE)
            }
        }
    }

    pub(super) fn auth_response(&mut self) -> Step {
        let response = match self.input.take_line(|_| AUTH_OCTETS) {
            Line::Incomplete => return Step::Stuck,
            Line::TooLong => Err(Rejection::CommandTooLong),
            Line::Malformed => Err(Rejection::CommandOctets),
            Line::Whole(line) => String::from_utf8(line).map_err(|_| Rejection::CommandOctets),
        };
        self.await_command();
        match response.map(Zeroizing::new) {
            // RFC 4954 §4: the client gives up.
            Ok(response) if response.as_str() == "*" => self.refuse(&Rejection::AuthMalformed),
            Ok(response) => self.credentials(&response),
            Err(rejection) => self.refuse(&rejection),
        }
    }

    fn credentials(&mut self, response: &str) -> Step {
        match Credentials::parse(response) {
            Ok(credentials) => self.ask(Question::Authenticate, Event::Authenticate(credentials)),
            Err(rejection) => self.refuse(&rejection),
        }
    }

    pub(super) fn authenticated(&mut self, answer: Answer) {
        let Answer::Rejected(rejection) = answer else {
            self.signed_in = true;
            self.say(&reply::AUTHENTICATED);
            return;
        };
        self.reject(&rejection);
        self.auth_failures += usize::from(!rejection.is_temporary());
        if self.auth_failures >= limits::AUTH_FAILURES && !matches!(self.wait, Wait::Nothing) {
            self.close_with(&Rejection::AuthThrottled);
        }
    }
}
