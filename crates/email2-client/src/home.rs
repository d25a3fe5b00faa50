//! One's own server: found by DNS, believed before anything secret is said
//! (spec §2.6), then asked to sign in.

use std::time::Duration;

use email2::address::Address;
use email2::certificate::Certificate;
use email2::{Identity, KeyAnswer, KeyPut, KeyPutAnswer, KeyQuery};
use email2_io::clock::{Elapsed, within};
use email2_remote::connect::{OpenError, Session};
use email2_remote::deliver::Reason;
use email2_remote::resolve::{self, Host, ResolveError};
use email2_remote::{DeliveryRequest, FoundKey, KeyError, Outcome};
use email2_smtp::client::Failure;
use email2_smtp::{Credentials, Envelope};
use zeroize::Zeroizing;

use crate::{Client, keyring};

/// The SRV label and the port of submission with TLS from the first octet (RFC 8314).
const SUBMISSION: (&str, u16) = ("_submissions._tcp", 465);
/// The SRV label and the port of IMAP with TLS from the first octet (RFC 8314).
const IMAP: (&str, u16) = ("_imaps._tcp", 993);

/// How long signing in at one host may take, from connecting to the answer.
const SIGN_IN_LIMIT: Duration = Duration::from_secs(60);

/// Why one's own server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// It is not found. Sysexits 68.
    #[error("the mail server of {domain} cannot be found: {error}")]
    NotFound {
        /// The domain.
        domain: String,
        /// Why.
        error: ResolveError,
    },
    /// The domain names no server. Sysexits 68.
    #[error("{0} names no mail server")]
    NoHost(String),
    /// No host of it can be talked to. Sysexits 75, or 77 when it is not to be trusted or refuses
    /// the sign-in.
    #[error("the mail server of {domain} cannot be used: {error}")]
    Open {
        /// The domain.
        domain: String,
        /// What the last host tried said.
        error: OpenError,
    },
    /// It refused what was asked. Sysexits 77 or 75.
    #[error("the mail server says: {0}")]
    Refused(Failure),
}

/// The hosts for submission of the domain of `address`, in the order to try them.
///
/// # Errors
/// [`HomeError::NotFound`], [`HomeError::NoHost`].
pub async fn submission_hosts(client: &Client, address: &Address) -> Result<Vec<Host>, HomeError> {
    hosts(client, address, SUBMISSION).await
}

/// The hosts for IMAP of the domain of `address`, in the order to try them.
///
/// # Errors
/// As [`submission_hosts`].
pub async fn imap_hosts(client: &Client, address: &Address) -> Result<Vec<Host>, HomeError> {
    hosts(client, address, IMAP).await
}

async fn hosts(
    client: &Client,
    address: &Address,
    (service, port): (&str, u16),
) -> Result<Vec<Host>, HomeError> {
    let domain = address.domain();
    let found = resolve::own_hosts(&client.world, domain, service, port).await;
    let found = found.map_err(|error| HomeError::NotFound {
        domain: domain.to_string(),
        error,
    })?;
    if found.is_empty() {
        return Err(HomeError::NoHost(domain.to_string()));
    }
    Ok(found)
}

/// Signs in at one's own server for submission. The password is said only to a host that is
/// authenticated for the domain, or by an authority that the person gave (spec §2.6.1).
///
/// # Errors
/// See [`HomeError`].
pub async fn sign_in(
    client: &Client,
    address: &Address,
    password: &str,
) -> Result<Session, HomeError> {
    let mut last = None;
    for host in submission_hosts(client, address).await? {
        let opening = open(client, address, &host, password);
        match within(&*client.world.clock, SIGN_IN_LIMIT, opening).await {
            Ok(Ok(session)) => return Ok(session),
            Ok(Err(error)) => last = Some(error),
            Err(Elapsed) => {
                last = Some(OpenError::Dialogue {
                    host: host.name.clone(),
                    failure: Failure::TimedOut,
                });
            }
        }
    }
    let domain = address.domain().to_string();
    Err(match last {
        Some(error) => HomeError::Open { domain, error },
        None => HomeError::NoHost(domain),
    })
}

async fn open(
    client: &Client,
    address: &Address,
    host: &Host,
    password: &str,
) -> Result<Session, OpenError> {
    let credentials = || Credentials {
        authorization: String::new(),
        authentication: address.to_string(),
        password: Zeroizing::new(password.to_owned()),
    };
    let (home, domain) = (client.home(), address.domain());
    let opened = home.open(domain, host, Some(credentials())).await;
    match opened {
        Err(error) => match vouched_for(client, address, host, &error).await {
            Some(host) => home.open(domain, &host, Some(credentials())).await,
            None => Err(error),
        },
        opened => opened,
    }
}

/// The host, to be tried once more, when the domain's MTA-STS policy authenticates one that
/// nothing else does (spec §2.2, way b).
pub(crate) async fn vouched_for(
    client: &Client,
    address: &Address,
    host: &Host,
    error: &OpenError,
) -> Option<Host> {
    let unauthenticated = matches!(error, OpenError::Unauthenticated { .. });
    let named = unauthenticated
        && client
            .remote
            .is_named_by_policy(address.domain(), host)
            .await;
    named.then(|| Host {
        named,
        ..host.clone()
    })
}

/// Publishes a certificate for `address` (spec §3.6).
///
/// # Errors
/// [`HomeError::Refused`].
pub async fn publish(
    client: &Client,
    session: &mut Session,
    address: &Address,
    octets: &[u8],
) -> Result<KeyPutAnswer, HomeError> {
    let put = KeyPut {
        address: Identity::Address(address.clone()),
        size: u32::try_from(octets.len()).unwrap_or(u32::MAX),
    };
    let answer = session.key_put(&put, octets, &*client.world.clock).await;
    answer.map_err(HomeError::Refused)
}

/// Hands a sealed transaction to one's own server, which carries it on (spec §3.10.3): one
/// outcome for each recipient. A server that cannot be used now is tried again later.
pub async fn submit(client: &Client, request: &DeliveryRequest) -> Vec<(Address, Outcome)> {
    let recipients = &request.envelope.recipients;
    let mut session = match open_for_mail(client).await {
        Ok(session) => session,
        Err(why) => {
            let outcome = Outcome::Temporary(Reason {
                text: why,
                ..Reason::default()
            });
            let each = recipients
                .iter()
                .map(|to| (to.address.clone(), outcome.clone()));
            return each.collect();
        }
    };
    let mut mail = request.envelope.mail.clone();
    mail.size = Some(request.content.size());
    let envelope = Envelope {
        mail,
        recipients: recipients.clone(),
    };
    let clock = &*client.world.clock;
    let outcomes = session.deliver(&envelope, &*request.content, clock).await;
    session.close(&client.world).await;
    outcomes
        .into_iter()
        .map(|outcome| (outcome.address, Outcome::of(&outcome.result)))
        .collect()
}

/// Asks one's own server for the key of somebody elsewhere, whose server cannot be reached from
/// here. The assurance is the one that the own server found (spec §3.10.5); an answer without it
/// counts as unauthenticated.
///
/// # Errors
/// See [`KeyError`]; a server that cannot be used now is asked again later.
pub async fn foreign_key(client: &Client, who: &Address) -> Result<FoundKey, KeyError> {
    let later = |why: String| KeyError::Later {
        address: who.clone(),
        why,
        alarm: false,
    };
    let mut session = open_for_mail(client).await.map_err(later)?;
    let query = KeyQuery {
        subject: Identity::Address(who.clone()),
        fingerprint: None,
        etag: None,
    };
    let answers = session.keys(&[query], &*client.world.clock).await;
    session.close(&client.world).await;
    match answers.into_iter().next() {
        Some(Ok(KeyAnswer::Certificate {
            etag,
            flags,
            octets,
            ..
        })) => {
            let certificate = Certificate::parse(&octets);
            Ok(FoundKey {
                certificate: certificate.map_err(|error| later(error.to_string()))?,
                etag,
                assurance: flags.assurance,
                flags,
                fetched: client.world.now(),
            })
        }
        Some(Err(Failure::Refused(reply))) if reply.is_permanent() => {
            Err(KeyError::NoKey(who.clone()))
        }
        Some(Err(failure)) => Err(later(failure.to_string())),
        Some(Ok(KeyAnswer::Unchanged)) | None => Err(later("it gave no answer".to_owned())),
    }
}

async fn open_for_mail(client: &Client) -> Result<Session, String> {
    let address = client.address().map_err(|error| error.to_string())?;
    let token = keyring::token(client.place()).map_err(|error| error.to_string())?;
    sign_in(client, address, &token)
        .await
        .map_err(|error| error.to_string())
}
