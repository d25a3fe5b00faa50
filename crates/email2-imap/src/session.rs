//! One connection: which phase it is in, which command runs, and when it ends.

pub(crate) mod not_authenticated;

pub(crate) mod authenticated;

pub(crate) mod selected;

pub(crate) mod idle;

use std::time::Duration;

use zeroize::Zeroizing;

use crate::command::{self, Input, Run, Step, append};
use crate::extension;
use crate::framing::{Frame, Framer, Literal};
use crate::grammar::{Bad, Cursor, Parsed};
use crate::limits;
use crate::request::{Answer, Request};
use crate::shown::Shown;
use crate::view::View;
use crate::writer::{Completion, Condition, Writer};

/// What a session is told at its beginning.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The server's name, for the greeting.
    pub hostname: String,
    /// Largest message that APPEND takes, octets (RFC 7889).
    pub append_limit: u64,
}

/// What a session reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It needs something; give [`Session::answer`].
    Request(Request),
    /// It is over: write out the rest and close.
    Closed,
}

/// What the client may do (RFC 9051 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Waits for a login.
    NotAuthenticated,
    /// Waits for a mailbox to be selected.
    Authenticated,
    /// A mailbox is selected.
    Selected,
}

/// What commands work on.
#[derive(Debug)]
pub(crate) struct Desk {
    /// What goes out.
    pub(crate) out: Writer,
    /// The selected mailbox.
    pub(crate) view: Option<View>,
    /// The message that was looked into last, by its driver's name.
    pub(crate) last_shown: Option<(i64, Shown)>,
    /// Somebody logged in.
    pub(crate) logged_in: bool,
    /// Logins that failed here.
    pub(crate) failures: usize,
    /// The client said LOGOUT.
    pub(crate) leaving: bool,
    /// The tag of the running command.
    pub(crate) tag: String,
    /// Largest message that APPEND takes, octets.
    pub(crate) append_limit: u64,
}

impl Desk {
    fn phase(&self) -> Phase {
        match (self.logged_in, &self.view) {
            (false, _) => Phase::NotAuthenticated,
            (true, None) => Phase::Authenticated,
            (true, Some(_)) => Phase::Selected,
        }
    }
}

/// What a running command waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    Answer,
    Line,
    Octets,
    Room,
}

#[derive(Debug)]
enum Current {
    /// Waits for a command.
    Nothing,
    /// Serves a command.
    Running(Box<dyn Run>, Waits),
    /// A command is served; what changed is asked for, to be told before its
    /// last line.
    Settling {
        completion: Completion,
        may_expunge: bool,
    },
}

/// One connection; the machine behind `email2d`'s IMAP. See the crate's page.
#[derive(Debug)]
pub struct Session {
    desk: Desk,
    framer: Framer,
    current: Current,
    event: Option<Event>,
    /// Commands that were none.
    errors: usize,
    heard: Duration,
    /// Why the session ends after the running command.
    closing: Option<String>,
    over: bool,
}

impl Session {
    /// Begins at `now`, monotonic time; the connection is under TLS already.
    #[must_use]
    pub fn new(config: SessionConfig, now: Duration) -> Self {
        let mut out = Writer::default();
        let capabilities = extension::capabilities(config.append_limit);
        let name = config.hostname;
        out.untagged(&format!("OK [{capabilities}] {name} is ready"));
        Self {
            desk: Desk {
                out,
                view: None,
                last_shown: None,
                logged_in: false,
                failures: 0,
                leaving: false,
                tag: String::new(),
                append_limit: config.append_limit,
            },
            framer: Framer::new(limits::COMMAND_OCTETS_UNAUTHENTICATED),
            current: Current::Nothing,
            event: None,
            errors: 0,
            heard: now,
            closing: None,
            over: false,
        }
    }

    /// Octets that arrived; only while [`Session::wants_octets`].
    pub fn receive(&mut self, octets: &[u8], now: Duration) {
        if self.over {
            return;
        }
        self.heard = now;
        self.framer.push(octets);
        self.pump();
    }

    /// Whether the socket may be read.
    #[must_use]
    pub fn wants_octets(&self) -> bool {
        let listens = match &self.current {
            Current::Nothing => true,
            Current::Running(_, waits) => matches!(waits, Waits::Line | Waits::Octets),
            Current::Settling { .. } => false,
        };
        !self.over && listens && self.event.is_none()
    }

    /// The client sends no more.
    pub fn end_of_stream(&mut self, now: Duration) {
        self.heard = now;
        self.end();
    }

    /// The deadline passed.
    pub fn timeout(&mut self, now: Duration) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.bye("nothing was heard for too long");
        }
    }

    /// When [`Session::timeout`] wants to be called: silence ends a session
    /// (RFC 9051 §5.4), waiting for an answer of the driver does not.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let limit = match self.desk.phase() {
            Phase::NotAuthenticated => limits::LOGIN_TIMEOUT,
            Phase::Authenticated | Phase::Selected => limits::AUTOLOGOUT,
        };
        self.wants_octets().then(|| self.heard + limit)
    }

    /// Octets to send, until there are none.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        if self.desk.out.len() == 0 && matches!(self.current, Current::Running(_, Waits::Room)) {
            self.step(Input::Sent);
            self.pump();
        }
        self.desk.out.take()
    }

    /// What happened, until there is nothing more.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.event.take()
    }

    /// The answer to the [`Request`] that was reported last.
    pub fn answer(&mut self, answer: Answer, now: Duration) {
        if self.over {
            return;
        }
        self.heard = self.heard.max(now);
        match &self.current {
            Current::Running(_, Waits::Answer) => self.step(Input::Answer(answer)),
            Current::Settling { .. } => self.settled(answer),
            Current::Nothing | Current::Running(..) => {}
        }
        self.pump();
    }

    /// Whether the client waits for news (IDLE): call [`Session::notify`] when
    /// there may be some.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        match &self.current {
            Current::Running(run, waits) => run.is_idle() && *waits == Waits::Line,
            Current::Nothing | Current::Settling { .. } => false,
        }
    }

    /// Something may have changed in the account's mailboxes.
    pub fn notify(&mut self) {
        if self.is_idle() {
            self.step(Input::News);
            self.pump();
        }
    }

    /// The server goes down: says BYE, at once or after the running command.
    pub fn close(&mut self, reason: &str) {
        if matches!(self.current, Current::Nothing) || self.is_idle() {
            self.bye(reason);
        } else {
            self.closing = Some(reason.to_owned());
        }
    }

    /// Works on what has come, until an answer or more octets are needed.
    fn pump(&mut self) {
        while self.wants_octets()
            && let Some(frame) = self.framer.poll()
        {
            if let Frame::TooLong = frame {
                return self.bye("a command is too long");
            }
            match &self.current {
                Current::Nothing => self.begin(frame),
                _ => self.feed(frame),
            }
        }
    }

    /// A frame while no command runs.
    fn begin(&mut self, frame: Frame) {
        match frame {
            Frame::Announced(literal) => self.announced(literal),
            Frame::Line(line) => self.command(&line),
            Frame::BareLf => self.failed("*", Bad("a line ends with CRLF")),
            Frame::Octets(_) | Frame::TooLong => {}
        }
    }

    /// A frame for the command that runs.
    fn feed(&mut self, frame: Frame) {
        match frame {
            Frame::Line(line) => self.step(Input::Line(line)),
            Frame::Octets(octets) => self.step(Input::Octets(octets)),
            Frame::Announced(_) | Frame::BareLf | Frame::TooLong => {
                // Nothing that may stand here has a literal or a bare LF.
                self.framer.refuse();
                self.step(Input::Line(Zeroizing::new(b"?".to_vec())));
            }
        }
    }

    /// A literal: the message of APPEND is streamed, others are kept.
    fn announced(&mut self, literal: Literal) {
        let phase = self.desk.phase();
        let message = append::parse_before_message(self.framer.so_far(), literal, phase);
        if let Some((tag, run)) = message {
            return self.start(tag, run);
        }
        if self.framer.has_room_for(literal.size) {
            self.framer.keep();
            if literal.waits {
                self.desk.out.line("+ go on");
            }
            return;
        }
        let so_far = Cursor::new(self.framer.so_far())
            .tag()
            .unwrap_or("*")
            .to_owned();
        self.framer.refuse();
        // The one command that may hold so much is SETMETADATA.
        self.finish(&so_far, &extension::rfc5464::too_large());
    }

    fn command(&mut self, line: &[u8]) {
        let mut cursor = Cursor::new(line);
        let tag = match cursor.tag() {
            Ok(tag) => tag.to_owned(),
            Err(bad) => return self.failed("*", bad),
        };
        let parsed = cursor
            .space()
            .and_then(|()| command::parse(&mut cursor, self.desk.phase()));
        self.start(tag, parsed);
    }

    fn start(&mut self, tag: String, parsed: Parsed<Box<dyn Run>>) {
        match parsed {
            Err(bad) => {
                self.framer.refuse();
                self.failed(&tag, bad);
            }
            Ok(run) => {
                self.desk.tag = tag;
                self.current = Current::Running(run, Waits::Room);
                self.step(Input::Begin);
            }
        }
    }

    fn failed(&mut self, tag: &str, bad: Bad) {
        self.finish(tag, &Completion::bad(bad.0));
    }

    /// Takes the running command one step on.
    fn step(&mut self, input: Input) {
        let Current::Running(mut run, _) = std::mem::replace(&mut self.current, Current::Nothing)
        else {
            return;
        };
        let waits = match run.step(input, &mut self.desk) {
            Step::Ask(request) => {
                self.event = Some(Event::Request(request));
                Waits::Answer
            }
            Step::AwaitLine => Waits::Line,
            Step::AwaitOctets => {
                self.framer.stream();
                Waits::Octets
            }
            Step::Send => Waits::Room,
            Step::Bye(reason) => return self.bye(reason),
            Step::Finish(completion) => {
                self.framer.refuse();
                return self.settle(completion, run.may_expunge());
            }
        };
        self.current = Current::Running(run, waits);
    }

    /// The command is served; in a selected mailbox its client is told first
    /// what changed (RFC 9051 §7.4.1).
    fn settle(&mut self, completion: Completion, may_expunge: bool) {
        if self.desk.logged_in {
            self.framer.set_limit(limits::COMMAND_OCTETS);
        }
        let asks = completion.condition != Condition::Bad && !self.desk.leaving;
        match self.desk.news().filter(|_| asks) {
            Some(request) => {
                self.event = Some(Event::Request(request));
                self.current = Current::Settling {
                    completion,
                    may_expunge,
                };
            }
            None => {
                let tag = std::mem::take(&mut self.desk.tag);
                self.finish(&tag, &completion);
            }
        }
    }

    fn settled(&mut self, answer: Answer) {
        let current = std::mem::replace(&mut self.current, Current::Nothing);
        let Current::Settling {
            completion,
            may_expunge,
        } = current
        else {
            return;
        };
        if let Some(Step::Bye(reason)) = self.desk.tell(answer, may_expunge) {
            return self.bye(reason);
        }
        let tag = std::mem::take(&mut self.desk.tag);
        self.finish(&tag, &completion);
    }

    /// Writes a command's last line.
    fn finish(&mut self, tag: &str, completion: &Completion) {
        self.desk.out.line(&completion.line(tag));
        self.current = Current::Nothing;
        if completion.condition == Condition::Bad {
            self.errors += 1;
        }
        if self.desk.leaving {
            self.end();
        } else if self.errors >= email2::limits::PROTOCOL_ERRORS {
            self.bye("too many commands that are none");
        } else if self.desk.failures >= email2::limits::AUTH_FAILURES {
            self.bye("too many logins failed");
        } else if let Some(reason) = self.closing.take() {
            self.bye(&reason);
        }
    }

    fn bye(&mut self, reason: &str) {
        if !self.over {
            self.desk.out.untagged(&format!("BYE {reason}"));
            self.end();
        }
    }

    fn end(&mut self) {
        if !self.over {
            self.over = true;
            self.current = Current::Nothing;
            self.event = Some(Event::Closed);
        }
    }
}
