//! The server's side of one connection, as a state machine: octets, answers and time go in,
//! events, octets and a deadline come out.
//!
//! What the machine waits for is written in its private `Wait`; which command is allowed when,
//! in the one table of `phase`. The steps stand in the order of a dialogue: `tls_auth`, `key`,
//! `transaction`.

mod key;
mod phase;
mod tls_auth;
mod transaction;

use std::collections::VecDeque;
use std::time::Duration;

use email2::address::{Address, Identity};
use email2::key_query::{KeyPutAnswer, KeyQuery};
use email2::limits;
use email2::rejection::Rejection;

use crate::bdat::Chunk;
use crate::command::{self, Command, Raw, Verb};
use crate::envelope::{Mail, Recipient};
use crate::line::{Input, Line};
use crate::reply;
use key::{KeyOctets, KeyWindow};
pub use phase::{CommandRow, command_table};
use phase::{Phase, Standing};
pub use tls_auth::SignIn;
use tls_auth::Turn;
use transaction::Intake;

/// Octets of unsent replies from which on no further command is read.
const OUTPUT_OCTETS: usize = 32 * 1024;

/// Octets received and not used from which on no more are wanted.
const INPUT_OCTETS: usize = 32 * 1024;

/// What a server is told about the connection it serves.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The name in the greeting.
    pub hostname: String,
    /// The connection is under TLS already (RFC 8314, or the direct port of spec §2.1).
    pub tls: bool,
    /// STARTTLS is offered.
    pub starttls: bool,
    /// Who must or may sign in.
    pub auth: Auth,
    /// The largest message, octets.
    pub size_limit: u64,
    /// Most recipients of one transaction; of sealed mail at most what a seal names (spec §8.1).
    pub recipients_limit: usize,
    /// Whom `RCPT TO:<postmaster>` means (RFC 5321 §4.5.1).
    pub postmaster: Option<Address>,
}

/// Whether AUTH is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Not at all: a mail exchanger.
    NotOffered,
    /// Whoever wants to may.
    Offered,
    /// Nobody sends mail without: submission (RFC 6409 §4.3).
    Demanded,
}

/// What happened. Those marked *asks* stand still until [`Server::answer`].
#[derive(Debug)]
pub enum Event {
    /// The client begins TLS: send what is to be sent, shake hands, call
    /// [`Server::tls_active`].
    StartTls,
    /// The client signs in; *asks* what its step says, or `Rejected`.
    Authenticate(SignIn),
    /// A certificate is asked for; [`Server::answer_key`] with this id. The machine goes on:
    /// up to 8 are outstanding (spec §3.4.4).
    Key {
        /// Names the question.
        id: u64,
        /// The question.
        query: KeyQuery,
    },
    /// A certificate is to be published; *asks* `KeyStored` or `Rejected`.
    KeyPut {
        /// Whose.
        address: Identity,
        /// The certificate, at most 32 KiB, unparsed.
        octets: Vec<u8>,
    },
    /// A transaction begins; *asks* `Accepted` or `Rejected`.
    Mail(Mail),
    /// A recipient is named; *asks* `Accepted` or `Rejected`.
    Recipient(Recipient),
    /// Content, dots removed. When nothing more is wanted of it: [`Server::refuse_content`].
    Content(Vec<u8>),
    /// All content came, so many octets; *asks* `Stored` or `Rejected`.
    ContentEnd(u64),
    /// The transaction is over without a message: forget it. With the machine's own refusal, if
    /// that is why.
    Reset(Option<Rejection>),
    /// Nothing more comes and nothing more is taken: send what is to be sent, close.
    Closed,
}

/// An answer to the event that asked.
#[derive(Debug)]
pub enum Answer {
    /// Yes.
    Accepted,
    /// A message of a mechanism, before base64; the client answers it.
    Challenge(String),
    /// The message is on stable storage (spec §3.9.3); the text behind `250 2.0.0 `.
    Stored(String),
    /// The certificate is served from now on.
    KeyStored(KeyPutAnswer),
    /// No.
    Rejected(Rejection),
}

/// What the machine waits for.
#[derive(Debug)]
enum Wait {
    Command,
    AuthResponse(Turn),
    DataOctets,
    ChunkOctets(Chunk),
    KeyOctets(KeyOctets),
    Handshake,
    Answer(Question),
    Nothing,
}

/// Which event asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Authenticate(Turn),
    KeyPut,
    Mail,
    Recipient,
    ContentEnd,
}

/// What one step came to.
enum Step {
    Event(Event),
    Again,
    /// Octets, an answer or room for output is missing.
    Stuck,
}

/// The server's side of one connection.
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    input: Input,
    output: Vec<u8>,
    events: VecDeque<Event>,
    wait: Wait,
    phase: Phase,
    client_name: Option<String>,
    signed_in: bool,
    keys: KeyWindow,
    intake: Option<Intake>,
    /// MAIL named SMTPUTF8 (RFC 6531 §3.5).
    smtputf8: bool,
    /// MAIL announced a seal (spec §3.2).
    sealed: bool,
    /// Recipients accepted in this transaction.
    recipients: usize,
    /// A recipient of this transaction was refused.
    refused_recipient: bool,
    /// A chunk was refused; those pipelined behind it are no errors (RFC 3030 §4.2).
    refused_chunk: bool,
    errors: usize,
    auth_failures: usize,
    now: Duration,
    /// When the machine began to wait for what it waits for.
    since: Duration,
}

impl Server {
    /// Begins a dialogue with the greeting.
    #[must_use]
    pub fn new(config: ServerConfig, now: Duration) -> Self {
        let greeting = format!("{} {} ESMTP email2d\r\n", reply::GREETING, config.hostname);
        Server {
            config,
            input: Input::default(),
            output: greeting.into_bytes(),
            events: VecDeque::new(),
            wait: Wait::Command,
            phase: Phase::AwaitingHello,
            client_name: None,
            signed_in: false,
            keys: KeyWindow::default(),
            intake: None,
            smtputf8: false,
            sealed: false,
            recipients: 0,
            refused_recipient: false,
            refused_chunk: false,
            errors: 0,
            auth_failures: 0,
            now,
            since: now,
        }
    }

    /// Refuses the connection instead of greeting it (RFC 5321 §3.1).
    #[must_use]
    pub fn refusing(config: ServerConfig, rejection: &Rejection, now: Duration) -> Self {
        let mut server = Server::new(config, now);
        server.output.clear();
        server.close_with(rejection);
        server
    }

    /// Octets are welcome: what was received before is used up but for a bounded rest.
    #[must_use]
    pub fn wants_octets(&self) -> bool {
        self.input.unread().len() < INPUT_OCTETS
    }

    /// Octets that arrived at `now`.
    pub fn receive(&mut self, octets: &[u8], now: Duration) {
        self.now = now;
        // In plaintext behind STARTTLS, or behind the end: never read (spec §3.1.1).
        if !matches!(self.wait, Wait::Handshake | Wait::Nothing) {
            self.input.push(octets);
        }
    }

    /// The client sends no more, with or without a TLS close_notify.
    pub fn end_of_stream(&mut self, now: Duration) {
        self.now = now;
        if !self.keys.is_empty() {
            self.keys.end_stream();
        } else if !matches!(self.wait, Wait::Nothing) {
            self.close();
        }
    }

    /// Octets to send; `None` when there are none.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        let octets = std::mem::take(&mut self.output);
        (!octets.is_empty()).then_some(octets)
    }

    /// Commands came that were not read yet: the replies so far may wait for theirs, so that
    /// the replies to what was sent at once are sent at once (RFC 2920 §3.2).
    #[must_use]
    pub fn holds_back(&self) -> bool {
        let waits = matches!(self.wait, Wait::Command) && !self.input.unread().is_empty();
        waits && self.output.len() < OUTPUT_OCTETS
    }

    /// The next event. It may make octets to send even when there is none.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            match self.step() {
                Step::Event(event) => return Some(event),
                Step::Again => {}
                Step::Stuck => return None,
            }
        }
    }

    /// When [`Server::timeout`] wants to be called. While an answer is awaited there is none:
    /// whoever answers keeps the time (spec §3.9.5).
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let patience = match self.wait {
            Wait::Handshake | Wait::Answer(_) | Wait::Nothing => return None,
            Wait::DataOctets | Wait::ChunkOctets(_) => limits::DATA_BLOCK_TIMEOUT,
            _ => limits::COMMAND_TIMEOUT,
        };
        let idle = self.since + Duration::from_secs(patience);
        let slow = self.intake.as_ref().map_or(idle, Intake::too_slow_at);
        Some(idle.min(slow))
    }

    /// The deadline passed: 421 (RFC 5321 §4.5.3.2).
    pub fn timeout(&mut self, now: Duration) {
        self.now = now;
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            let slow = self
                .intake
                .as_ref()
                .is_some_and(|intake| now >= intake.too_slow_at());
            self.close_with(&if slow {
                Rejection::TooSlow
            } else {
                Rejection::IdleTimeout
            });
        }
    }

    /// Answers the event that asked. An answer that nobody asked for does nothing.
    pub fn answer(&mut self, answer: Answer, now: Duration) {
        self.now = now;
        let Wait::Answer(question) = self.wait else {
            return;
        };
        self.await_command();
        match question {
            Question::Authenticate(turn) => self.authenticated(turn, answer),
            Question::KeyPut => self.key_stored(answer),
            Question::Mail => self.mail_answered(answer),
            Question::Recipient => self.recipient_answered(answer),
            Question::ContentEnd => self.content_answered(answer),
        }
    }

    /// Says 421 with `rejection` and closes as soon as no answer is awaited any more: for a
    /// graceful end of the service (RFC 5321 §3.8).
    pub fn shut_down(&mut self, rejection: &Rejection) {
        if matches!(self.wait, Wait::Command | Wait::AuthResponse(_)) {
            self.close_with(rejection);
        }
    }

    /// The dialogue is over: nothing more is read.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.wait, Wait::Nothing)
    }

    /// No transaction is open and nothing is outstanding.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let between = matches!(self.phase, Phase::AwaitingHello | Phase::AwaitingMail);
        between && matches!(self.wait, Wait::Command) && self.keys.is_empty()
    }

    /// What the client calls itself.
    #[must_use]
    pub fn client_name(&self) -> Option<&str> {
        self.client_name.as_deref()
    }

    fn step(&mut self) -> Step {
        if let Some(event) = self.events.pop_front() {
            return Step::Event(event);
        }
        if self.output.len() >= OUTPUT_OCTETS {
            return Step::Stuck;
        }
        match &self.wait {
            Wait::Command => self.next_command(),
            Wait::AuthResponse(turn) => self.auth_response(*turn),
            Wait::DataOctets => self.data_octets(),
            Wait::ChunkOctets(_) => self.chunk_octets(),
            Wait::KeyOctets(_) => self.key_octets(),
            Wait::Handshake | Wait::Answer(_) | Wait::Nothing => Step::Stuck,
        }
    }

    fn next_command(&mut self) -> Step {
        if self.keys.is_full() {
            return Step::Stuck;
        }
        // Only KEY may overtake an unanswered KEY.
        if !self.keys.is_empty() && !key::begins_with_key(self.input.unread()) {
            return Step::Stuck;
        }
        let line = match self.input.take_line(command::line_limit) {
            Line::Incomplete if self.keys.stream_ended() => {
                self.close();
                return Step::Again;
            }
            Line::Incomplete => return Step::Stuck,
            Line::TooLong => return self.refuse(&Rejection::CommandTooLong),
            Line::Malformed => return self.refuse(&Rejection::CommandOctets),
            Line::Whole(line) => line,
        };
        self.since = self.now;
        match command::split(&line) {
            Ok(raw) => self.permitted(raw),
            Err(rejection) => self.refuse(&rejection),
        }
    }

    fn permitted(&mut self, raw: Raw<'_>) -> Step {
        let allowed = phase::permit(raw.verb, self.phase, self.standing());
        self.refused_chunk &= raw.verb == Verb::Bdat;
        let command = raw.understand(self.config.postmaster.as_ref());
        match (allowed, command) {
            (Ok(()), Ok(command)) => self.obey(command),
            // The octets behind a refused command come all the same.
            (Err(rejection), Ok(Command::Bdat { size, last })) => {
                self.refused_bdat(Chunk::new(size, last), rejection)
            }
            (Err(rejection), Ok(Command::KeyPut(put))) => self.refused_key_put(&put, rejection),
            (Err(Rejection::BadSequence { .. }), Ok(Command::Data)) if self.refused_recipient => {
                self.data_without_recipient()
            }
            (Err(rejection), _) | (Ok(()), Err(rejection)) => self.refuse(&rejection),
        }
    }

    fn obey(&mut self, command: Command) -> Step {
        match command {
            Command::Ehlo { name } => self.hello(name, true),
            Command::Helo { name } => self.hello(name, false),
            Command::StartTls => self.start_tls(),
            Command::Auth { mechanism, initial } => self.auth(mechanism, initial),
            Command::Key(query) => self.key(query),
            Command::KeyPut(put) => self.key_put(&put),
            Command::Mail(mail) => self.mail(mail),
            Command::Rcpt(recipient) => self.recipient(recipient),
            Command::Data => self.data(),
            Command::Bdat { size, last } => self.bdat(Chunk::new(size, last)),
            Command::Rset => self.rset(),
            Command::Noop => self.say(&reply::NOTHING_DONE),
            Command::Vrfy => self.say(&reply::CANNOT_VERIFY),
            Command::Expn => self.refuse(&Rejection::NotImplemented),
            Command::Help => self.say(&reply::HELP),
            Command::Quit => self.quit(),
        }
    }

    fn quit(&mut self) -> Step {
        self.say(&reply::CLOSING);
        self.close();
        Step::Again
    }

    fn standing(&self) -> Standing {
        Standing {
            tls: self.config.tls,
            starttls: self.config.starttls,
            signed_in: self.signed_in,
            offers_auth: self.config.auth != Auth::NotOffered,
            demands_auth: self.config.auth == Auth::Demanded,
        }
    }

    fn say(&mut self, positive: &reply::Positive) -> Step {
        self.write(&positive.to_string());
        Step::Again
    }

    fn write(&mut self, reply: &str) {
        self.output.extend_from_slice(reply.as_bytes());
    }

    /// Refuses, and counts it as a protocol error (spec §8.1).
    fn refuse(&mut self, rejection: &Rejection) -> Step {
        self.errors += 1;
        if self.errors >= limits::PROTOCOL_ERRORS {
            self.close_with(&Rejection::TooManyErrors);
        } else {
            self.reject(rejection);
        }
        Step::Again
    }

    /// Refuses by judgement, which is no protocol error; a 421 closes (RFC 5321 §3.8).
    fn reject(&mut self, rejection: &Rejection) {
        self.write(&reply::refusal(rejection));
        if rejection.code() == reply::CLOSES {
            self.close();
        }
    }

    fn close_with(&mut self, rejection: &Rejection) {
        self.write(&reply::refusal(rejection));
        self.close();
    }

    fn close(&mut self) {
        self.forget_transaction(None);
        self.wait = Wait::Nothing;
        self.input.discard();
        self.events.push_back(Event::Closed);
    }

    fn ask(&mut self, question: Question, event: Event) -> Step {
        self.wait = Wait::Answer(question);
        Step::Event(event)
    }

    fn await_command(&mut self) {
        self.wait = Wait::Command;
        self.since = self.now;
    }
}

/// A driver answered an event with what does not fit it: nothing was promised, so 451.
fn wrong_answer() -> Rejection {
    Rejection::LocalError {
        why: "an answer does not fit its question".to_owned(),
    }
}
