//! A dialogue with one host of a domain: connected through the fence, secured under the name
//! `email2.D` or the host's own, greeted (spec §2.1, §2.2).

mod ordinary;
mod places;
mod search;
mod session;

use std::time::Duration;

use email2::{Assurance, Domain, capability, limits};
use email2_io::connect::{self, ConnectError};
use email2_io::drive::Driver;
use email2_io::tls::{AcceptedName, ClientTls, Secured, TlsAsk, TlsFailure};
use email2_io::{Stream, World};
use email2_smtp::client::{ClientConfig, Event, Failure, StartTls};
use email2_smtp::{Client, Credentials, Extensions};

use crate::fence::Fence;
use crate::resolve::{Host, Way};
use crate::route::{self, RouteError};

pub(crate) use ordinary::Asked;
pub(crate) use places::Places;
pub use search::Search;
pub use session::{Content, ContentSource, Session};

/// How long connecting to one host may take, of whatever the whole may.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Why a host could not be talked to.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It has no address that may be connected to.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// No address answered.
    #[error("{host}: {error}")]
    Connect {
        /// The host.
        host: String,
        /// What failed.
        error: ConnectError,
    },
    /// TLS failed.
    #[error("{host}: {failure}")]
    Tls {
        /// The host.
        host: String,
        /// How.
        failure: TlsFailure,
    },
    /// The host is not authenticated for the domain: no password was sent (spec §2.6.1).
    #[error(
        "{host} is not authenticated for {domain}: its certificate does not name email2.{domain}, DNSSEC does not secure its DNS record, no enforced MTA-STS policy of {domain} names it, and its authority was not given"
    )]
    Unauthenticated {
        /// The host.
        host: String,
        /// The domain.
        domain: Domain,
    },
    /// The enforced MTA-STS policy of the domain does not name the host (RFC 8461 §4.1).
    #[error("{0}")]
    NotNamed(String),
    /// A host for ordinary mail turns out to speak Email 2.0 (spec §12.1.3).
    #[error("{host} speaks Email 2.0 for {domain}: mail to it is sealed from now on")]
    SpeaksEmail2 {
        /// The host.
        host: String,
        /// The domain.
        domain: Domain,
    },
    /// The dialogue failed before it was open.
    #[error("{host}: {failure}")]
    Dialogue {
        /// The host.
        host: String,
        /// How.
        failure: Failure,
    },
}

impl OpenError {
    /// Whether the host was reached and shows no EMAIL2, because it offers no TLS at all.
    #[must_use]
    pub fn offers_no_tls(&self) -> bool {
        let OpenError::Dialogue { failure, .. } = self else {
            return false;
        };
        matches!(failure, Failure::NotOffered("STARTTLS"))
    }

    /// Whether the host does not exist: DNS answers, and gives no address. A domain with such
    /// hosts only has none to ask.
    #[must_use]
    pub fn is_no_host(&self) -> bool {
        match self {
            OpenError::Route(RouteError::Dns { error, .. }) => error.is_absence(),
            _ => false,
        }
    }

    /// The refusal of the dialogue, if that is what failed.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            OpenError::Dialogue { failure, .. } => Some(failure),
            _ => None,
        }
    }
}

/// What is needed to open a dialogue.
#[derive(Clone, Debug)]
pub struct Connector {
    /// Where connections come from.
    pub world: World,
    /// What is trusted.
    pub tls: ClientTls,
    /// What is trusted for one domain alone: the person's own (spec §2.6.1).
    pub home: Option<(Domain, ClientTls)>,
    /// What may be connected to.
    pub fence: Fence,
    /// How many connections one address gets.
    pub(crate) places: Places,
    /// What we call ourselves in EHLO.
    pub name: String,
}

/// What TLS told.
struct Shown {
    matched: AcceptedName,
    by_given_authority: bool,
}

impl Shown {
    /// spec §2.6.1: no password goes to a host that is not authenticated for the domain, nor by
    /// an authority that the person gave.
    fn must_be_trusted(&self, domain: &Domain, host: &Host) -> Result<(), OpenError> {
        if self.by_given_authority || assurance(host, &self.matched).is_some() {
            return Ok(());
        }
        Err(OpenError::Unauthenticated {
            host: host.name.clone(),
            domain: domain.clone(),
        })
    }
}

impl Connector {
    /// A secured stream to `host` of `domain` (TLS from the first octet) that a password may be
    /// sent over: for IMAP.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open_stream(&self, domain: &Domain, host: &Host) -> Result<Stream, OpenError> {
        let mut ask = self.asked(domain, host).await;
        let secured = match self.secured_stream(domain, host, &ask).await {
            Err(OpenError::Tls { failure, .. }) if failure.is_refusal_of_name() => {
                ask.sni.clone_from(&host.name);
                self.secured_stream(domain, host, &ask).await
            }
            other => other,
        };
        let (shown, stream) = secured?;
        shown.must_be_trusted(domain, host)?;
        Ok(stream)
    }

    async fn secured_stream(
        &self,
        domain: &Domain,
        host: &Host,
        ask: &TlsAsk,
    ) -> Result<(Shown, Stream), OpenError> {
        let stream = self.reach(host).await?;
        Ok(apart(self.shake_hands(domain, host, stream, ask).await?))
    }

    /// Opens a dialogue with `host` for `domain`: up to EHLO, or AUTH with `credentials`.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(
        &self,
        domain: &Domain,
        host: &Host,
        mut credentials: Option<Credentials>,
    ) -> Result<Session, OpenError> {
        let mut ask = self.asked(domain, host).await;
        let secured = match self.secure(domain, host, &ask, &mut credentials).await {
            // spec §2.1.6: one more connection with its own name.
            Err(OpenError::Tls { failure, .. }) if failure.is_refusal_of_name() => {
                ask.sni.clone_from(&host.name);
                self.secure(domain, host, &ask, &mut credentials).await
            }
            other => other,
        };
        let (mut driver, shown) = secured?;
        let extensions = greet(&mut driver, host).await?;
        let now = self.world.clock.monotonic();
        Ok(Session::new(driver, host.clone(), extensions, &shown, now))
    }

    /// A secured dialogue that is not greeted yet. Credentials are used on connections only that
    /// are under TLS from their first octet, with a host that is authenticated (spec §2.6.1).
    async fn secure(
        &self,
        domain: &Domain,
        host: &Host,
        ask: &TlsAsk,
        credentials: &mut Option<Credentials>,
    ) -> Result<(Driver<Client>, Shown), OpenError> {
        if host.way == Way::Mx {
            let stream = self.reach(host).await?;
            return self.start_tls(domain, host, stream, ask).await;
        }
        let (shown, stream) = self.secured_stream(domain, host, ask).await?;
        if credentials.is_some() {
            shown.must_be_trusted(domain, host)?;
        }
        Ok((self.drive(stream, true, credentials.take()), shown))
    }

    pub(crate) async fn reach(&self, host: &Host) -> Result<Stream, OpenError> {
        let addresses = route::addresses(&self.world, &self.fence, host).await?;
        let place = match addresses.first() {
            Some(first) => Some(self.places.take(*first).await),
            None => None,
        };
        let connected = connect::first(&self.world, &addresses, CONNECT_LIMIT).await;
        let connection = connected.map_err(|error| OpenError::Connect {
            host: host.name.clone(),
            error,
        })?;
        let passed = self.fence.passes_connected(&connection);
        passed.map_err(|error| RouteError::Fenced {
            host: host.name.clone(),
            error,
        })?;
        Ok(match place {
            Some(place) => place.hold(connection.stream),
            None => connection.stream,
        })
    }

    async fn start_tls(
        &self,
        domain: &Domain,
        host: &Host,
        stream: Stream,
        ask: &TlsAsk,
    ) -> Result<(Driver<Client>, Shown), OpenError> {
        let mut driver = self.drive(stream, false, None);
        loop {
            match driver.next().await {
                Ok(Some(Event::StartTls)) => break,
                Ok(Some(Event::Failed(failure))) => return Err(dialogue(host, failure)),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return Err(dialogue(host, Failure::Lost)),
            }
        }
        let mut shown = None;
        let secure = async |stream| {
            let (seen, stream) = apart(self.shake_hands(domain, host, stream, ask).await?);
            shown = Some(seen);
            Ok::<Stream, OpenError>(stream)
        };
        let mut driver = driver.upgrade(secure).await?;
        let now = self.world.clock.monotonic();
        driver.machine().tls_active(now);
        match shown {
            Some(shown) => Ok((driver, shown)),
            None => Err(dialogue(host, Failure::Lost)),
        }
    }

    async fn shake_hands(
        &self,
        domain: &Domain,
        host: &Host,
        stream: Stream,
        ask: &TlsAsk,
    ) -> Result<Secured, OpenError> {
        let secured = self.tls_for(domain).connect(stream, ask).await;
        secured.map_err(|failure| OpenError::Tls {
            host: host.name.clone(),
            failure,
        })
    }

    /// The authority that a person named speaks for their own domain only.
    pub(crate) fn tls_for(&self, domain: &Domain) -> &ClientTls {
        match &self.home {
            Some((home, tls)) if home == domain => tls,
            _ => &self.tls,
        }
    }

    /// What to ask of `host` for `domain` (spec §2.1.6).
    async fn asked(&self, domain: &Domain, host: &Host) -> TlsAsk {
        let domain_name = format!("{}.{domain}", capability::HOST_LABEL);
        TlsAsk {
            sni: domain_name.clone(),
            names: vec![
                AcceptedName::Exact(domain_name),
                AcceptedName::Host(host.name.clone()),
            ],
            alpn: (host.way == Way::Direct).then_some(capability::ALPN),
            pins: self.pins(host).await,
        }
    }

    fn drive(&self, stream: Stream, tls: bool, credentials: Option<Credentials>) -> Driver<Client> {
        let config = ClientConfig {
            name: self.name.clone(),
            tls,
            start_tls: StartTls::Demanded,
            credentials,
        };
        self.drive_as(config, stream)
    }

    fn drive_as(&self, config: ClientConfig, stream: Stream) -> Driver<Client> {
        let clock = self.world.clock.clone();
        let machine = Client::new(config, clock.monotonic());
        let mut driver = Driver::new(machine, stream, clock);
        driver.allow(limits::LOOKUP_OCTETS);
        driver
    }
}

async fn greet(driver: &mut Driver<Client>, host: &Host) -> Result<Extensions, OpenError> {
    loop {
        match driver.next().await {
            Ok(Some(Event::Ready(extensions))) => return Ok(extensions),
            Ok(Some(Event::Failed(failure))) => return Err(dialogue(host, failure)),
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return Err(dialogue(host, Failure::Lost)),
        }
    }
}

fn apart(secured: Secured) -> (Shown, Stream) {
    let shown = Shown {
        matched: secured.matched,
        by_given_authority: secured.by_given_authority,
    };
    (shown, secured.stream)
}

fn dialogue(host: &Host, failure: Failure) -> OpenError {
    OpenError::Dialogue {
        host: host.name.clone(),
        failure,
    }
}

/// Ways (a) and (c) of spec §2.2: what a dialogue shows by itself, and (b) where it was asked
/// before, because neither held. (d) is a matter of one key.
fn assurance(host: &Host, matched: &AcceptedName) -> Option<Assurance> {
    match matched {
        _ if host.secure => Some(Assurance::Dnssec),
        AcceptedName::Exact(_) => Some(Assurance::DomainCertificate),
        AcceptedName::Host(_) if host.named => Some(Assurance::MtaSts),
        AcceptedName::Host(_) => None,
    }
}
