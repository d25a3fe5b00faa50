//! EHLO, STARTTLS and AUTH (RFC 5321 §4.1.1.1, RFC 3207, RFC 4954).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use email2::limits;
use email2::rejection::Rejection;
use email2::scram::{ClientFinal, ClientFirst};
use zeroize::Zeroizing;

use super::phase::Phase;
use super::{Answer, Auth, Event, Question, Server, Step, Wait, wrong_answer};
use crate::command::{AUTH_OCTETS, Credentials, Mechanism};
use crate::extension::Extensions;
use crate::line::Line;
use crate::reply;

/// One step of signing in (RFC 4954 §4).
#[derive(Debug)]
pub enum SignIn {
    /// AUTH PLAIN; asks `Accepted`.
    Plain(Credentials),
    /// AUTH SCRAM-SHA-256 begins; asks `Challenge` with the server's first message.
    Scram(ClientFirst),
    /// The client's proof; asks `Challenge` with the server's last message.
    Proof(ClientFinal),
    /// The client took the server's last message: only now it is signed in; asks `Accepted`.
    Proved,
}

/// Which response of a client that signs in comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Plain,
    ScramFirst,
    ScramFinal,
    /// RFC 5802 §5: an empty one, to the server's last message.
    ScramEnd,
}

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
    /// (spec §3.10.2, §13.1.1).
    fn extensions(&self) -> Extensions {
        Extensions {
            email2: self.config.tls,
            starttls: self.config.starttls && !self.config.tls,
            auth_plain: self.offers_auth(),
            auth_scram: self.offers_auth(),
            recipients_max: Some(self.config.recipients_limit),
            ..Extensions::offered(self.config.size_limit)
        }
    }

    fn offers_auth(&self) -> bool {
        self.config.tls && self.config.auth != Auth::NotOffered
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

    pub(super) fn auth(
        &mut self,
        mechanism: Mechanism,
        initial: Option<Zeroizing<String>>,
    ) -> Step {
        let turn = match mechanism {
            Mechanism::Plain => Turn::Plain,
            Mechanism::Scram => Turn::ScramFirst,
        };
        match initial {
            Some(response) => self.respond(turn, &response),
            None => {
                self.wait = Wait::AuthResponse(turn);
                self.say(&reply::AUTH_CONTINUE)
            }
        }
    }

    pub(super) fn auth_response(&mut self, turn: Turn) -> Step {
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
            Ok(response) => self.respond(turn, &response),
            Err(rejection) => self.refuse(&rejection),
        }
    }

    fn respond(&mut self, turn: Turn, response: &str) -> Step {
        match sign_in(turn, response) {
            Ok(step) => self.ask(Question::Authenticate(turn), Event::Authenticate(step)),
            Err(rejection) => self.refuse(&rejection),
        }
    }

    pub(super) fn authenticated(&mut self, turn: Turn, answer: Answer) {
        match (turn, answer) {
            (Turn::Plain | Turn::ScramEnd, Answer::Accepted) => {
                self.signed_in = true;
                self.say(&reply::AUTHENTICATED);
            }
            (Turn::ScramFirst, Answer::Challenge(text)) => {
                self.challenge(&text, Turn::ScramFinal);
            }
            (Turn::ScramFinal, Answer::Challenge(text)) => self.challenge(&text, Turn::ScramEnd),
            (_, Answer::Rejected(rejection)) => self.sign_in_refused(&rejection),
            _ => self.reject(&wrong_answer()),
        }
    }

    fn challenge(&mut self, text: &str, next: Turn) {
        self.write(&reply::challenge(text));
        self.wait = Wait::AuthResponse(next);
    }

    fn sign_in_refused(&mut self, rejection: &Rejection) {
        self.reject(rejection);
        self.auth_failures += usize::from(!rejection.is_temporary());
        if self.auth_failures >= limits::AUTH_FAILURES && !matches!(self.wait, Wait::Nothing) {
            self.close_with(&Rejection::AuthThrottled);
        }
    }
}

/// What a response says; untrusted, so every message is read whole or refused.
fn sign_in(turn: Turn, response: &str) -> Result<SignIn, Rejection> {
    let malformed = |_| Rejection::AuthMalformed;
    if turn == Turn::Plain {
        return Credentials::parse(response).map(SignIn::Plain);
    }
    // RFC 4954 §4: "=" is an empty initial response.
    let octets = match response {
        "=" => Vec::new(),
        response => STANDARD
            .decode(response)
            .map_err(|_| Rejection::AuthMalformed)?,
    };
    match turn {
        Turn::ScramFirst => ClientFirst::parse(&octets)
            .map(SignIn::Scram)
            .map_err(malformed),
        Turn::ScramFinal => ClientFinal::parse(&octets)
            .map(SignIn::Proof)
            .map_err(malformed),
        _ if octets.is_empty() => Ok(SignIn::Proved),
        _ => Err(Rejection::AuthMalformed),
    }
}
