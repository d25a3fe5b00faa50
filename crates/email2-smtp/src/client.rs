//! The client's side of one connection, as a state machine: octets, jobs and time go in,
//! events, octets and a deadline come out.
//!
//! What the machine waits for is the front of one queue: the replies that the commands sent so
//! far must bring, in order. Where PIPELINING is not offered, one command is sent at a time.

mod hello;
mod key;
mod transaction;

use std::collections::VecDeque;
use std::time::Duration;

use email2::address::Address;
use email2::key_query::{KeyAnswer, KeyPutAnswer, KeyQueryError};
use email2::limits;

use crate::command::Credentials;
use crate::extension::Extensions;
use crate::line::{Input, Line};
use crate::reply::{self, Reply, ReplyError, ReplyReader};
use transaction::Delivery;

/// What a client is told before it talks.
#[derive(Debug)]
pub struct ClientConfig {
    /// What it calls itself in EHLO (RFC 5321 §4.1.1.1).
    pub name: String,
    /// Whether the connection is under TLS from its first octet.
    pub tls: bool,
    /// What of STARTTLS, where it is not.
    pub start_tls: StartTls,
    /// Whom it signs in as, if at all: only under TLS.
    pub credentials: Option<Credentials>,
}

/// Whether a dialogue that begins in plaintext may stay so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartTls {
    /// Never: a server that does not offer STARTTLS gets nothing (spec §3.12.2).
    #[default]
    Demanded,
    /// It does when the server offers no STARTTLS, or not even EHLO: for ordinary mail, where
    /// nothing demands TLS (RFC 3207 §4.1). Never with credentials.
    IfOffered,
    /// It does: TLS with this server failed before.
    Never,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The server begins TLS: send what is to be sent, shake hands, call
    /// [`Client::tls_active`].
    StartTls,
    /// The dialogue is open: [`Client::keys`], [`Client::key_put`], [`Client::deliver`] and
    /// [`Client::quit`] may be called, one after the other.
    Ready(Extensions),
    /// The answer to the question at this index of [`Client::keys`].
    Key {
        /// Which question.
        index: usize,
        /// Its answer.
        answer: Result<KeyAnswer, Failure>,
    },
    /// The answer to [`Client::key_put`].
    KeyPut(Result<KeyPutAnswer, Failure>),
    /// Give the next piece: [`Client::content`] (at most 32 KiB) or [`Client::content_end`].
    WantsContent,
    /// The transaction is over: one outcome for each recipient, in their order (S07).
    Delivered(Vec<RecipientOutcome>),
    /// The dialogue is over and was not ended by us; jobs that were not answered got this too.
    Failed(Failure),
    /// Nothing more comes: send what is to be sent, close.
    Closed,
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientOutcome {
    /// Who.
    pub address: Address,
    /// The reply that took the message, or why it was not taken.
    pub result: Result<Reply, Failure>,
    /// How far the transaction had come for this recipient.
    pub stage: Stage,
}

/// How far a transaction had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was said yet, or the answer to MAIL.
    Mail,
    /// The answer to RCPT.
    Recipient,
    /// The answer to DATA.
    Data,
    /// The content was under way.
    Content,
    /// All of the content was sent: whether the server has taken it is known by its answer only.
    End,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Stage::Mail => "MAIL",
            Stage::Recipient => "RCPT",
            Stage::Data => "DATA",
            Stage::Content => "the content",
            Stage::End => "the end of the content",
        })
    }
}

/// Why something did not come about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The server said no, or not now.
    #[error("{0}")]
    Refused(Reply),
    /// The server does not offer what is needed.
    #[error("the server does not offer {0}")]
    NotOffered(&'static str),
    /// The server does not take a message of this size; its limit, octets.
    #[error("the server takes at most {0} octets")]
    TooBig(u64),
    /// No reply within the time of RFC 5321 §4.5.3.2.
    #[error("no reply in time")]
    TimedOut,
    /// The connection ended before the reply.
    #[error("the connection ended before the reply came")]
    Lost,
    /// The reply is none.
    #[error("{0}")]
    Reply(#[from] ReplyError),
    /// The reply to KEY or KEYPUT is none.
    #[error("the answer to KEY is malformed: {0}")]
    Key(#[from] KeyQueryError),
    /// The content has a bare CR, a bare LF or a NUL, or does not end with CRLF: it is not
    /// sent (spec §3.9.1).
    #[error("the content has a bare CR, LF or NUL, or does not end with CRLF")]
    Content,
    /// The source of the content failed.
    #[error("the content could not be read to its end")]
    Source,
}

impl Failure {
    /// Trying again later can help.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Failure::Refused(reply) => reply.is_temporary(),
            Failure::TimedOut | Failure::Lost | Failure::Reply(_) | Failure::Source => true,
            Failure::NotOffered(what) => *what == STARTTLS,
            Failure::Key(_) | Failure::TooBig(_) | Failure::Content => false,
        }
    }
}

/// A server that shows no STARTTLS today is attacked or broken, not final.
const STARTTLS: &str = "STARTTLS";

/// What [`Failure::NotOffered`] names when octets above 127 cannot be carried (RFC 6152).
pub const EIGHT_BIT: &str = "8BITMIME";

/// What [`Failure::NotOffered`] names when international addresses cannot (RFC 6531).
pub const UTF8: &str = "SMTPUTF8";

/// Octets received and not used from which on no more are wanted.
const INPUT_OCTETS: usize = 128 * 1024;

/// Octets of one piece of content.
pub const PIECE_OCTETS: usize = 32 * 1024;

/// A reply that must come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Greeting,
    Hello,
    OldHello,
    StartTls,
    Auth,
    Key(usize),
    KeyPut,
    Mail,
    Recipient(usize),
    Data,
    Chunk,
    ContentEnd,
    /// RSET, and what is pipelined behind a refused chunk: whatever it says.
    Anything,
    Quit,
}

impl Expected {
    /// How long the reply may take (RFC 5321 §4.5.3.2).
    fn patience(self) -> Duration {
        Duration::from_secs(match self {
            Expected::Data => limits::DATA_START_TIMEOUT,
            Expected::Chunk => limits::DATA_BLOCK_TIMEOUT,
            Expected::ContentEnd => limits::DATA_END_TIMEOUT,
            _ => limits::REPLY_TIMEOUT,
        })
    }
}

/// The client's side of one connection.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    input: Input,
    output: Vec<u8>,
    replies: ReplyReader,
    events: VecDeque<Event>,
    /// Commands that wait for their turn.
    unsent: VecDeque<(Vec<u8>, Expected)>,
    expected: VecDeque<Expected>,
    extensions: Extensions,
    delivery: Option<Delivery>,
    handshake: bool,
    closed: bool,
    now: Duration,
    /// When the reply waited for became the next.
    since: Duration,
}

impl Client {
    /// Waits for the greeting.
    #[must_use]
    pub fn new(config: ClientConfig, now: Duration) -> Self {
        Client {
            config,
            input: Input::default(),
            output: Vec::new(),
            replies: ReplyReader::default(),
            events: VecDeque::new(),
            unsent: VecDeque::new(),
            expected: VecDeque::from([Expected::Greeting]),
            extensions: Extensions::default(),
            delivery: None,
            handshake: false,
            closed: false,
            now,
            since: now,
        }
    }

    /// Octets are welcome: what was received before is used up but for a bounded rest.
    #[must_use]
    pub fn wants_octets(&self) -> bool {
        self.input.unread().len() < INPUT_OCTETS
    }

    /// Octets that arrived at `now`.
    pub fn receive(&mut self, octets: &[u8], now: Duration) {
        self.now = now;
        // In plaintext behind the reply to STARTTLS, or behind the end: never read.
        if !self.handshake && !self.closed {
            self.input.push(octets);
        }
    }

    /// The server sends no more, with or without a TLS close_notify. What was answered stays
    /// answered (S14); what was not is neither refused nor delivered (spec §3.12.1).
    pub fn end_of_stream(&mut self, now: Duration) {
        self.end_by(Failure::Lost, now);
    }

    /// The server said more than is read of it (spec §2.7.3): what was answered in what was read
    /// stays answered, and nothing more is heard.
    pub fn too_much(&mut self, now: Duration) {
        self.end_by(ReplyError::TooLong.into(), now);
    }

    fn end_by(&mut self, failure: Failure, now: Duration) {
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
                return self.wants_content().then_some(Event::WantsContent);
            }
        }
    }

    /// When [`Client::timeout`] wants to be called; `None` while no reply is awaited.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let expected = self.expected.front()?;
        Some(self.since + expected.patience())
    }

    /// The deadline passed.
    pub fn timeout(&mut self, now: Duration) {
        self.now = now;
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            self.fail(Failure::TimedOut);
        }
    }

    /// Says QUIT, behind all that was asked before.
    pub fn quit(&mut self, now: Duration) {
        self.now = now;
        self.send("QUIT\r\n", Expected::Quit);
    }

    /// Whether TLS protects the connection.
    #[must_use]
    pub fn is_secured(&self) -> bool {
        self.config.tls
    }

    /// What the server announced; nothing before [`Event::Ready`].
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The connection is over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Handles one reply, if one is complete.
    fn next_reply(&mut self) -> bool {
        if self.handshake || self.closed {
            return false;
        }
        let line = match self.input.take_line(|_| limits::KEY_ANSWER_OCTETS) {
            Line::Incomplete => return false,
            Line::Whole(line) => self.replies.push(&line),
            Line::Malformed => Err(ReplyError::Malformed),
            Line::TooLong => Err(ReplyError::TooLong),
        };
        match line {
            Ok(None) => {}
            Ok(Some(reply)) => self.replied(reply),
            Err(error) => self.fail(error.into()),
        }
        true
    }

    fn replied(&mut self, reply: Reply) {
        self.since = self.now;
        let Some(expected) = self.expected.pop_front() else {
            // Nobody asked: a server that says goodbye (RFC 5321 §3.8).
            return self.fail(Failure::Refused(reply));
        };
        let goodbye = (reply.code == reply::CLOSES).then(|| reply.clone());
        match expected {
            Expected::Greeting => self.greeted(reply),
            Expected::Hello => self.hello_answered(reply),
            Expected::OldHello => self.old_hello_answered(reply),
            Expected::StartTls => self.start_tls_answered(reply),
            Expected::Auth => self.auth_answered(reply),
            Expected::Key(index) => self.key_answered(index, reply),
            Expected::KeyPut => self.key_put_answered(reply),
            Expected::Mail => self.mail_answered(reply),
            Expected::Recipient(index) => self.recipient_answered(index, reply),
            Expected::Data => self.data_answered(reply),
            Expected::Chunk => self.chunk_answered(reply),
            Expected::ContentEnd => self.content_answered(reply),
            Expected::Anything => {}
            Expected::Quit => self.close(),
        }
        match goodbye {
            Some(reply) => self.fail(Failure::Refused(reply)),
            None => self.pump(),
        }
    }

    fn send(&mut self, command: &str, expected: Expected) {
        self.send_octets(command.as_bytes().to_vec(), expected);
    }

    fn send_octets(&mut self, octets: Vec<u8>, expected: Expected) {
        self.unsent.push_back((octets, expected));
        self.pump();
    }

    /// Sends what may be sent now.
    fn pump(&mut self) {
        while !self.closed && self.may_send() {
            let Some((octets, expected)) = self.unsent.pop_front() else {
                return;
            };
            self.output.extend_from_slice(&octets);
            if self.expected.is_empty() {
                self.since = self.now;
            }
            self.expected.push_back(expected);
        }
    }

    fn may_send(&self) -> bool {
        let Some((_, next)) = self.unsent.front() else {
            return false;
        };
        if !self.extensions.pipelining {
            return self.expected.is_empty();
        }
        // spec §3.4.4: at most 8 KEYs without an answer.
        let is_key = |expected: &&Expected| matches!(expected, Expected::Key(_));
        !is_key(&next) || self.expected.iter().filter(is_key).count() < limits::KEYS_OUTSTANDING
    }

    /// Ends the dialogue; all that was not answered gets `failure`.
    fn fail(&mut self, failure: Failure) {
        if self.closed {
            return;
        }
        let unanswered = self.expected.drain(..);
        let unanswered: Vec<_> = unanswered
            .chain(self.unsent.drain(..).map(|(_, e)| e))
            .collect();
        let quitting = unanswered.first() == Some(&Expected::Quit);
        for expected in unanswered {
            self.fail_expected(expected, &failure);
        }
        self.finish_delivery(&failure);
        if !quitting {
            self.events.push_back(Event::Failed(failure));
        }
        self.close();
    }

    fn fail_expected(&mut self, expected: Expected, failure: &Failure) {
        let failure = failure.clone();
        match expected {
            Expected::Key(index) => self.events.push_back(Event::Key {
                index,
                answer: Err(failure),
            }),
            Expected::KeyPut => self.events.push_back(Event::KeyPut(Err(failure))),
            _ => {}
        }
    }

    fn close(&mut self) {
        if !self.closed {
            self.closed = true;
            self.expected.clear();
            self.unsent.clear();
            self.events.push_back(Event::Closed);
        }
    }
}
