//! An open dialogue: KEY, KEYPUT and mail, one after the other.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use email2::key_query::KeyQuery;
use email2::{Assurance, KeyAnswer, KeyPut, KeyPutAnswer, limits};
use email2_io::clock::within;
use email2_io::drive::Driver;
use email2_io::tls::AcceptedName;
use email2_io::{Clock, World};
use email2_smtp::client::{Event, Failure, PIECE_OCTETS, RecipientOutcome, Stage};
use email2_smtp::{Client, Envelope, Extensions};
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{Shown, assurance};
use crate::resolve::Host;

/// How long saying goodbye may take.
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);

/// What one reply of a transaction may take of what is read, octets.
const REPLY_OCTETS: usize = 4 * 1024;

/// Replies of a transaction besides those to RCPT: one for each chunk of the largest message.
const REPLIES: usize = 2048;

/// Octets to be sent, readable more than once: a second host may need them again.
pub trait Content: Send + Sync {
    /// How many there are.
    fn size(&self) -> u64;

    /// At most `length` octets from `offset`; none at the end.
    ///
    /// # Errors
    /// The source fails.
    fn read(&self, offset: u64, length: usize) -> BoxFuture<'_, io::Result<Vec<u8>>>;
}

/// A [`Content`] that several may hold.
pub type ContentSource = Arc<dyn Content>;

impl Content for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, offset: u64, length: usize) -> BoxFuture<'_, io::Result<Vec<u8>>> {
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(self.len());
        let end = start.saturating_add(length).min(self.len());
        let piece = self.get(start..end).unwrap_or_default().to_vec();
        Box::pin(async move { Ok(piece) })
    }
}

/// An open dialogue with one host.
pub struct Session {
    driver: Driver<Client>,
    host: Host,
    extensions: Extensions,
    assurance: Option<Assurance>,
    by_given_authority: bool,
    opened: Duration,
    used: Duration,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("host", &self.host)
            .field("assurance", &self.assurance)
            .finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(
        driver: Driver<Client>,
        host: Host,
        extensions: Extensions,
        shown: &Shown,
        opened: Duration,
    ) -> Self {
        Session {
            driver,
            extensions,
            assurance: assurance(&host, &shown.matched),
            by_given_authority: shown.by_given_authority,
            host,
            opened,
            used: opened,
        }
    }

    /// A dialogue for ordinary mail; `matched`: the name that its certificate is good for, if it
    /// is for any.
    pub(super) fn ordinary(
        driver: Driver<Client>,
        host: Host,
        extensions: Extensions,
        matched: Option<&AcceptedName>,
        opened: Duration,
    ) -> Self {
        Session {
            driver,
            extensions,
            assurance: matched.and_then(|matched| assurance(&host, matched)),
            by_given_authority: false,
            host,
            opened,
            used: opened,
        }
    }

    /// Whether TLS protects it: an ordinary one may go without (RFC 7435).
    pub fn is_secured(&mut self) -> bool {
        self.driver.machine().is_secured()
    }

    /// Whom this talks to.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// What the host announced.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// How the host is authenticated for the domain; `None`: not at all (spec §2.2).
    #[must_use]
    pub fn assurance(&self) -> Option<Assurance> {
        self.assurance
    }

    /// Something else than the dialogue itself authenticates the host (spec §2.2, way b).
    pub(crate) fn assure(&mut self, assurance: Assurance) {
        self.assurance = Some(assurance);
    }

    /// Whether the certificate chains to an authority that the person gave (spec §2.6.1).
    #[must_use]
    pub fn is_by_given_authority(&self) -> bool {
        self.by_given_authority
    }

    /// Asks for certificates; one answer a question, in order.
    pub async fn keys(
        &mut self,
        queries: &[KeyQuery],
        clock: &dyn Clock,
    ) -> Vec<Result<KeyAnswer, Failure>> {
        self.driver
            .allow(limits::KEY_ANSWER_OCTETS.saturating_mul(queries.len()));
        self.driver.machine().keys(queries, clock.monotonic());
        let mut answers: Vec<Result<KeyAnswer, Failure>> =
            queries.iter().map(|_| Err(Failure::Lost)).collect();
        let mut missing = queries.len();
        while missing > 0 {
            let Ok(Some(event)) = self.driver.next().await else {
                break;
            };
            if let Event::Key { index, answer } = event {
                missing -= 1;
                if let Some(place) = answers.get_mut(index) {
                    *place = answer;
                }
            }
        }
        self.used = clock.monotonic();
        answers
    }

    /// Publishes a certificate (spec §3.6).
    ///
    /// # Errors
    /// The server refuses, or the dialogue breaks.
    pub async fn key_put(
        &mut self,
        put: &KeyPut,
        octets: &[u8],
        clock: &dyn Clock,
    ) -> Result<KeyPutAnswer, Failure> {
        self.driver
            .machine()
            .key_put(put, octets, clock.monotonic());
        while let Ok(Some(event)) = self.driver.next().await {
            if let Event::KeyPut(answer) = event {
                return answer;
            }
        }
        Err(Failure::Lost)
    }

    /// One transaction: one outcome a recipient, in their order.
    pub async fn deliver(
        &mut self,
        envelope: &Envelope,
        content: &dyn Content,
        clock: &dyn Clock,
    ) -> Vec<RecipientOutcome> {
        let replies = envelope.recipients.len().saturating_add(REPLIES);
        self.driver.allow(replies.saturating_mul(REPLY_OCTETS));
        self.driver.machine().deliver(envelope, clock.monotonic());
        let mut offset = 0;
        loop {
            match self.driver.next().await {
                Ok(Some(Event::WantsContent)) => self.feed(content, &mut offset, clock).await,
                Ok(Some(Event::Delivered(outcomes))) => return outcomes,
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return lost(envelope),
            }
        }
    }

    async fn feed(&mut self, content: &dyn Content, offset: &mut u64, clock: &dyn Clock) {
        let piece = content.read(*offset, PIECE_OCTETS).await;
        let now = clock.monotonic();
        let machine = self.driver.machine();
        match piece {
            Ok(piece) if piece.is_empty() => machine.content_end(now),
            Ok(piece) => {
                *offset += piece.len() as u64;
                machine.content(&piece, now);
            }
            Err(_) => machine.content_failed(now),
        }
    }

    /// When the last KEY was answered, monotonic time.
    pub(crate) fn used(&self) -> Duration {
        self.used
    }

    /// Whether it is young enough at `now`, monotonic time, to be used once more.
    pub(crate) fn is_young(&self, now: Duration) -> bool {
        now.saturating_sub(self.opened) < Duration::from_secs(limits::DIALOGUE_AGE)
    }

    /// Whether the dialogue goes on.
    pub(crate) fn is_open(&mut self) -> bool {
        !self.driver.machine().is_closed()
    }

    /// Whether nothing came unasked: neither a goodbye, nor a reply too many, which would be taken
    /// for one to the next message.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.driver.next().now_or_never().is_none() && self.is_open()
    }

    /// Says QUIT and ends the connection in order.
    pub async fn close(mut self, world: &World) {
        let clock = &*world.clock;
        self.driver.machine().quit(clock.monotonic());
        let goodbye = async { while let Ok(Some(_)) = self.driver.next().await {} };
        // Whether the other side says goodbye too is its own affair.
        let _ = within(clock, GOODBYE_LIMIT, goodbye).await;
        self.driver.close().await;
    }
}

fn lost(envelope: &Envelope) -> Vec<RecipientOutcome> {
    let outcome = |recipient: &email2_smtp::Recipient| RecipientOutcome {
        address: recipient.address.clone(),
        result: Err(Failure::Lost),
        stage: Stage::Mail,
    };
    envelope.recipients.iter().map(outcome).collect()
}
