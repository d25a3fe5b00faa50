//! One SMTP connection: each event of the machine goes to the one who answers it.

use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use email2::address::Identity;
use email2::key_query::{KeyAnswer, KeyQuery};
use email2::limits;
use email2::rejection::Rejection;
use email2_io::clock::within;
use email2_io::drive::Driver;
use email2_io::net::Stream;
use email2_smtp::server::{Answer, Auth, Event, Server, ServerConfig, SignIn};
use email2_smtp::{Mail, Recipient};
use futures::future::{BoxFuture, Either, select};
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::enrolment::{self, Login};
use crate::inbound::envelope::Envelope;
use crate::listen::Door;
use crate::sign_in::Exchange;
use crate::site::Site;
use crate::smarthost::Behind;
use crate::submission::{self, Written};
use crate::{key_service, mx};

/// What the reply itself may take on its way.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);

/// One connection: who is on it, the machine that speaks, and the transaction in hand.
pub(crate) struct Session {
    pub(crate) caller: Caller,
    pub(crate) driver: Driver<Server>,
    envelope: Option<Envelope>,
    written: Option<Written>,
    /// Where its mail comes from a mail system behind.
    behind: Option<Behind>,
    signing_in: SigningIn,
    /// The questions for keys under way, at most 8 (spec §3.4.4).
    questions: FuturesUnordered<BoxFuture<'static, Asked>>,
}

/// How far an exchange of SCRAM is.
#[derive(Debug, Default)]
enum SigningIn {
    #[default]
    NotBegun,
    Challenged(Exchange),
    Proved(Login),
}

/// The id of a question for a key, and its answer.
type Asked = (u64, Result<KeyAnswer, Rejection>);

/// What a session waits for.
enum Happened {
    /// The client said something; `None` when the connection is over.
    Event(std::io::Result<Option<Event>>),
    /// A question for a key is answered.
    Asked(Asked),
    /// The server stops.
    Stop,
}

/// Who is on a connection.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) site: Arc<Site>,
    /// Where the connection came from.
    pub(crate) peer: SocketAddr,
    /// What the client calls itself; empty before EHLO.
    pub(crate) name: String,
    /// Under TLS.
    pub(crate) secured: bool,
    /// Who signed in.
    pub(crate) login: Option<Login>,
}

impl Caller {
    /// Waits for the answer to a message no longer than its client may have to wait
    /// (spec §3.9.5). What is stored a moment too late is found again when the client repeats.
    ///
    /// # Errors
    /// The answer is a refusal, or did not come in time: 451.
    pub(crate) async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, Rejection>>,
    ) -> Result<T, Rejection> {
        let patience = Duration::from_secs(limits::DATA_ANSWER).saturating_sub(ANSWER_MARGIN);
        within(&*self.site.world.clock, patience, answer)
            .await
            .unwrap_or(Err(Rejection::Busy))
    }
}

/// What becomes of the connection after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    Secure,
    End,
}

/// Speaks SMTP on `stream` until the client goes, breaks a rule for good, or `stop` and the
/// transaction in hand is answered.
pub(crate) async fn serve(
    site: Arc<Site>,
    door: Door,
    stream: Stream,
    peer: SocketAddr,
    stop: CancellationToken,
) {
    let clock = Arc::clone(&site.world.clock);
    let machine = Server::new(machine_config(&site, door), clock.monotonic());
    let mut session = Session {
        driver: Driver::new(machine, stream, clock),
        caller: Caller {
            site,
            peer,
            name: String::new(),
            secured: door.tls_first(),
            login: None,
        },
        envelope: None,
        written: None,
        behind: Behind::at(door),
        signing_in: SigningIn::NotBegun,
        questions: FuturesUnordered::new(),
    };
    while session.run(&stop).await == Next::Secure {
        session = match Box::pin(session.secured()).await {
            Some(session) => session,
            None => return,
        };
    }
    session.driver.close().await;
}

/// Says 421 to a connection above the limit of its source; doors with TLS from the first octet
/// are closed without a word.
pub(crate) async fn refuse(site: Arc<Site>, door: Door, stream: Stream) {
    if door.tls_first() {
        return;
    }
    let clock = Arc::clone(&site.world.clock);
    let config = machine_config(&site, door);
    let machine = Server::refusing(config, &Rejection::TooManyConnections, clock.monotonic());
    let mut driver = Driver::new(machine, stream, clock);
    let _ = driver.flush().await;
    driver.close().await;
}

fn machine_config(site: &Site, door: Door) -> ServerConfig {
    let tls_first = door.tls_first();
    let postmaster = site
        .config
        .domains
        .iter()
        .find_map(|domain| domain.postmaster.clone());
    ServerConfig {
        hostname: site.config.hostname.to_string(),
        tls: tls_first,
        starttls: !tls_first,
        auth: match door {
            _ if door.is_submission() => Auth::Demanded,
            Door::Direct => Auth::Offered,
            _ if door.has_names(site) => Auth::Offered,
            _ => Auth::NotOffered,
        },
        size_limit: site.config.limits.message_size,
        recipients_limit: limits::RECIPIENTS,
        postmaster,
    }
}

impl Session {
    /// Until the connection ends or is to be secured.
    async fn run(&mut self, stop: &CancellationToken) -> Next {
        loop {
            let Some(event) = self.next_event(stop).await else {
                return Next::End;
            };
            match self.handle(event).await {
                Next::GoOn => {}
                next => return next,
            }
        }
    }

    /// The next event; `None` when the connection is over. A stop interrupts only what is idle.
    async fn next_event(&mut self, stop: &CancellationToken) -> Option<Event> {
        while !self.driver.machine().is_closed() {
            let idle = self.driver.machine().is_idle();
            if idle && stop.is_cancelled() {
                self.driver.machine().shut_down(&Rejection::ServiceClosing);
            }
            let stop = (idle && !stop.is_cancelled()).then_some(stop);
            match self.happens(stop).await {
                Happened::Stop => {}
                Happened::Asked(asked) => self.answer_key(asked),
                // It sends no more, and its questions are answered all the same.
                Happened::Event(Ok(None)) if !self.questions.is_empty() => {
                    let asked = self.questions.next().await;
                    asked.into_iter().for_each(|asked| self.answer_key(asked));
                }
                Happened::Event(event) => {
                    return event.unwrap_or_else(|error| {
                        tracing::debug!(peer = %self.caller.peer, %error, "connection broke");
                        None
                    });
                }
            }
        }
        None
    }

    /// What happens next: an answer to a question for a key goes before what the client says.
    async fn happens(&mut self, stop: Option<&CancellationToken>) -> Happened {
        let questions = &mut self.questions;
        let answered = async {
            match questions.next().await {
                Some(asked) => asked,
                None => pending().await,
            }
        };
        let stopped = async {
            match stop {
                Some(stop) => stop.cancelled().await,
                None => pending().await,
            }
        };
        let (answered, stopped) = (pin!(answered), pin!(stopped));
        let next = pin!(self.driver.next());
        match select(answered, select(next, stopped)).await {
            Either::Left((asked, _)) => Happened::Asked(asked),
            Either::Right((Either::Left((event, _)), _)) => Happened::Event(event),
            Either::Right((Either::Right(((), _)), _)) => Happened::Stop,
        }
    }

    /// A question for a key is answered while others come: another server may have to be asked.
    fn ask_key(&mut self, id: u64, query: KeyQuery) {
        let caller = self.caller.clone();
        let answer = async move { (id, key_service::answer(&caller, &query).await) };
        self.questions.push(answer.boxed());
    }

    fn answer_key(&mut self, (id, answer): Asked) {
        let now = self.now();
        self.driver.machine().answer_key(id, answer, now);
    }

    /// Whatever takes room while it is done is boxed: a connection that waits holds none of it.
    async fn handle(&mut self, event: Event) -> Next {
        match event {
            Event::StartTls => return Next::Secure,
            Event::Authenticate(step) => Box::pin(self.authenticate(step)).await,
            Event::Key { id, query } => self.ask_key(id, query),
            Event::KeyPut { address, octets } => Box::pin(self.publish(&address, &octets)).await,
            Event::Mail(mail) => Box::pin(self.mail(mail)).await,
            Event::Recipient(recipient) => Box::pin(self.recipient(recipient)).await,
            Event::Content(_) | Event::ContentEnd(_) => return Box::pin(self.content(event)).await,
            Event::Reset(rejection) => self.forget(rejection),
            Event::Closed => return Next::End,
        }
        Next::GoOn
    }

    /// STARTTLS: the handshake, after which nothing is known any more (spec §3.1.1).
    async fn secured(self) -> Option<Session> {
        let Caller { site, peer, .. } = self.caller;
        let behind = self.behind.map(Behind::anew);
        let tls = &site.tls;
        let secure = |stream| async { tls.accept(stream, &[]).await.map(|arrived| arrived.stream) };
        let mut driver = match self.driver.upgrade(secure).await {
            Ok(driver) => driver,
            Err(error) => {
                tracing::debug!(%peer, %error, "TLS handshake failed");
                return None;
            }
        };
        driver.machine().tls_active(site.world.clock.monotonic());
        Some(Session {
            caller: Caller {
                site,
                peer,
                name: String::new(),
                secured: true,
                login: None,
            },
            driver,
            envelope: None,
            written: None,
            behind,
            signing_in: SigningIn::NotBegun,
            questions: FuturesUnordered::new(),
        })
    }

    async fn publish(&mut self, address: &Identity, octets: &[u8]) {
        let (site, login) = (&self.caller.site, self.caller.login.as_ref());
        let stored = enrolment::publish(site, login, address, octets).await;
        self.answer(stored.map_or_else(Answer::Rejected, Answer::KeyStored));
    }

    async fn authenticate(&mut self, step: SignIn) {
        let answer = self.sign_in(step).await;
        self.answer(answer.unwrap_or_else(Answer::Rejected));
    }

    /// One step of signing in; only the last makes the user known.
    async fn sign_in(&mut self, step: SignIn) -> Result<Answer, Rejection> {
        let (site, source) = (Arc::clone(&self.caller.site), self.caller.peer.ip());
        if let Some(behind) = &mut self.behind {
            return behind.sign_in(&site, source, step).await;
        }
        let begun = std::mem::take(&mut self.signing_in);
        match (step, begun) {
            (SignIn::Plain(credentials), _) => {
                let login = enrolment::log_in(&site, source, &credentials).await?;
                self.caller.login = Some(login);
                Ok(Answer::Accepted)
            }
            (SignIn::Scram(first), _) => {
                let exchange = Exchange::begin(&site, first).await?;
                let text = exchange.challenge();
                self.signing_in = SigningIn::Challenged(exchange);
                Ok(Answer::Challenge(text))
            }
            (SignIn::Proof(last), SigningIn::Challenged(exchange)) => {
                let (login, address, text) = exchange.prove(&site, source, &last).await?;
                let login = enrolment::signed_in(&site, &address, &login).await?;
                self.signing_in = SigningIn::Proved(login);
                Ok(Answer::Challenge(text))
            }
            (SignIn::Proved, SigningIn::Proved(login)) => {
                self.caller.login = Some(login);
                Ok(Answer::Accepted)
            }
            _ => Err(Rejection::AuthMalformed),
        }
    }

    async fn mail(&mut self, mail: Mail) {
        let name = self
            .driver
            .machine()
            .client_name()
            .unwrap_or_default()
            .to_owned();
        self.caller.name = name;
        let begun = self.begin(mail).await;
        self.answer(begun.map_or_else(Answer::Rejected, |()| Answer::Accepted));
    }

    async fn begin(&mut self, mail: Mail) -> Result<(), Rejection> {
        let Caller {
            site, login, peer, ..
        } = &self.caller;
        self.written = match &self.behind {
            Some(behind) => {
                let smarthost = behind.admitted(site, peer.ip())?;
                Some(Written::behind(site, smarthost, &mail).await?)
            }
            None => Written::begin(site, login.as_ref(), &mail).await?,
        };
        if self.written.is_none() {
            self.envelope = Some(Envelope::begin(login.as_ref(), mail)?);
        }
        Ok(())
    }

    async fn recipient(&mut self, recipient: Recipient) {
        let admitted = match (&mut self.written, &mut self.envelope) {
            (Some(written), _) => written.admit(&self.caller, recipient).await,
            (None, Some(envelope)) => envelope.admit(&self.caller, recipient).await,
            (None, None) => Err(Rejection::BadSequence { first: "MAIL" }),
        };
        self.answer(admitted.map_or_else(Answer::Rejected, |()| Answer::Accepted));
    }

    /// The content begins: from here to its answer the path of `mx` holds control, or that of
    /// `submission`.
    async fn content(&mut self, first: Event) -> Next {
        if let Some(written) = self.written.take() {
            if let Some(answer) = submission::receive(self, written, first).await {
                self.answer(answer);
            }
            return Next::GoOn;
        }
        let Some(envelope) = self.envelope.take() else {
            return Next::End;
        };
        if let Some(answer) = mx::receive(self, envelope, first).await {
            self.answer(answer);
        }
        Next::GoOn
    }

    /// The transaction is over without an answer of ours; with `rejection`, by the machine's.
    pub(crate) fn forget(&mut self, rejection: Option<Rejection>) {
        if let Some(rejection) = rejection {
            log_refusal(&self.caller, &rejection);
        }
        self.envelope = None;
        self.written = None;
    }

    fn answer(&mut self, answer: Answer) {
        if let Answer::Rejected(rejection) = &answer {
            log_refusal(&self.caller, rejection);
        }
        let now = self.now();
        self.driver.machine().answer(answer, now);
    }

    fn now(&self) -> Duration {
        self.caller.site.world.clock.monotonic()
    }
}

fn log_refusal(caller: &Caller, rejection: &Rejection) {
    let (reason, detail) = (rejection.id(), rejection.detail());
    tracing::info!(peer = %caller.peer, reason, detail, "refused");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room<A, B, C, D, E, F: Future>(_: impl Fn(A, B, C, D, E) -> F) -> usize {
        size_of::<F>()
    }

    /// What a connection holds while it waits, beside TLS (docs/performance.md).
    #[test]
    fn a_connection_that_waits_takes_little_room() {
        let octets = room(serve);
        println!("a session takes {octets} octets");
        assert!(octets <= 12 * 1024, "{octets}");
    }
}
