//! Delivers ordinary mail to the MX hosts of a domain (RFC 5321 §5.1): one message, its
//! recipients there, one outcome for each. Nothing of Email 2.0 is said.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use email2::{Address, Domain, limits};
use email2_io::clock::within;
use email2_io::tls::TlsFailure;
use email2_smtp::{Envelope, Recipient};
use futures::future::BoxFuture;

use crate::connect::{Content, ContentSource, OpenError, Session};
use crate::deliver::{DeliveryRequest, Outcome, Reason, for_all, no_domain, takes_no_mail};
use crate::line::Line;
use crate::memory::TlsSeen;
use crate::remote::Remote;
use crate::resolve::{self, Host, ResolveError};
use crate::tls_policy::TlsPolicy;
use crate::way::Spoken;

/// How long greeting, EHLO and TLS with one host may take, all together.
const OPENING_LIMIT: Duration = Duration::from_secs(2 * limits::REPLY_TIMEOUT);

/// Hosts that were talked to, after which the others are left for the next attempt.
const DIALOGUES: usize = 2;

impl Remote {
    /// Delivers `request` as ordinary mail: one outcome for each recipient of its envelope, in
    /// their order, within [`limits::DELIVERY_SECONDS`] whatever the hosts do (spec §12.5.10). It
    /// goes over what `line` holds open with the domain, if anything; what is open afterwards
    /// stays in `line` for the next message.
    pub async fn deliver_ordinary(
        &self,
        line: &mut Line,
        request: &DeliveryRequest,
    ) -> Vec<(Address, Outcome)> {
        let limit = Duration::from_secs(limits::DELIVERY_SECONDS);
        let clock = Arc::clone(&self.world().clock);
        let mut attempt = Attempt::new(request);
        let trying = self.try_hosts(line, request, &mut attempt);
        if within(&*clock, limit, trying).await.is_err() {
            attempt.why.push(format!("no end within {limit:?}"));
        }
        attempt.outcomes()
    }

    async fn try_hosts(&self, line: &mut Line, request: &DeliveryRequest, attempt: &mut Attempt) {
        let domain = &request.domain;
        if let Some(session) = self.resume(line, domain, Spoken::Ordinary) {
            attempt.over(self, line, session, true).await;
            if attempt.is_over() {
                return;
            }
        }
        let hosts = resolve::exchangers(self.world(), domain, self.inner.mx_port).await;
        let hosts = match hosts {
            Ok(hosts) => hosts,
            Err(ResolveError::NoDomain(_)) => return attempt.all(&no_domain(domain)),
            Err(ResolveError::NullMx(_)) => return attempt.all(&takes_no_mail(domain)),
            Err(error) => return attempt.why.push(error.to_string()),
        };
        for host in hosts {
            if attempt.talked_to.contains(&host.name) {
                continue;
            }
            match self.open_for_ordinary(domain, &host).await {
                Ok(session) => attempt.over(self, line, session, false).await,
                Err(why) => attempt.why.push(why),
            }
            if attempt.is_over() {
                return;
            }
        }
    }

    /// As the domain's policy demands, and counted for reports (RFC 8460).
    async fn open_for_ordinary(&self, domain: &Domain, host: &Host) -> Result<Session, String> {
        let policy = self.tls_policy(domain, host).await;
        let policy = policy.map_err(|error| error.to_string())?;
        let opening = self.open_ordinary(domain, host, &policy);
        let Ok(mut opened) = within(&*self.world().clock, OPENING_LIMIT, opening).await else {
            return Err(format!("{}: no answer in time", host.name));
        };
        if let Some(result) = tls_result(&mut opened) {
            self.inner.memory.note_tls(TlsSeen {
                domain: domain.clone(),
                host: host.name.clone(),
                policy: policy_type(&policy),
                result,
            });
        }
        opened.map_err(|error| error.to_string())
    }
}

/// RFC 8460 §4.2.
fn policy_type(policy: &TlsPolicy) -> &'static str {
    match policy {
        TlsPolicy::Dane(_) => "tlsa",
        TlsPolicy::MtaSts(_) => "sts",
        TlsPolicy::Opportunistic => "no-policy-found",
    }
}

/// RFC 8460 §4.3; `None` where no session came about for other reasons.
fn tls_result(opened: &mut Result<Session, OpenError>) -> Option<&'static str> {
    match opened {
        Ok(session) => Some(match session.is_secured() {
            true => "success",
            false => "starttls-not-supported",
        }),
        Err(error) if error.offers_no_tls() => Some("starttls-not-supported"),
        Err(OpenError::Tls { failure, .. }) => Some(match failure {
            TlsFailure::WrongName { .. } => "certificate-host-mismatch",
            TlsFailure::Untrusted(_) => "certificate-not-trusted",
            _ => "validation-failure",
        }),
        Err(OpenError::NotNamed { .. }) => Some("validation-failure"),
        Err(_) => None,
    }
}

/// One attempt: what is known of each recipient so far.
struct Attempt {
    request: DeliveryRequest,
    content: Arc<Watched>,
    known: Vec<(Address, Option<Outcome>)>,
    /// Why hosts could not be talked to.
    why: Vec<String>,
    /// Hosts that answered to this message.
    talked_to: Vec<String>,
}

impl Attempt {
    fn new(request: &DeliveryRequest) -> Self {
        let mut request = request.clone();
        let content = Arc::new(Watched::new(request.content));
        request.content = Arc::<Watched>::clone(&content);
        request.envelope = ordinary(request.envelope);
        let recipients = request.envelope.recipients.iter();
        let known = recipients.map(|to| (to.address.clone(), None)).collect();
        Attempt {
            request,
            content,
            known,
            why: Vec::new(),
            talked_to: Vec::new(),
        }
    }

    fn all(&mut self, outcome: &Outcome) {
        self.known = for_all(&self.request, outcome)
            .into_iter()
            .map(|(address, outcome)| (address, Some(outcome)))
            .collect();
    }

    /// Those who may still be delivered to.
    fn open(&self) -> impl Iterator<Item = &Address> {
        let open =
            |outcome: &Option<Outcome>| matches!(outcome, None | Some(Outcome::Temporary(_)));
        let known = self.known.iter();
        known
            .filter(move |(_, outcome)| open(outcome))
            .map(|(a, _)| a)
    }

    /// Whether no further host is to be tried: one that has all of the message and did not
    /// answer may have taken it (spec §12.5.9).
    fn is_over(&self) -> bool {
        self.talked_to.len() >= DIALOGUES || self.content.was_sent() || self.open().next().is_none()
    }

    /// One dialogue. One that was left open and is over by now says nothing of its host.
    async fn over(&mut self, remote: &Remote, line: &mut Line, session: Session, resumed: bool) {
        let host = session.host().name.clone();
        let mut request = self.request.clone();
        let open: Vec<&Address> = self.open().collect();
        let recipients = &mut request.envelope.recipients;
        recipients.retain(|to| open.contains(&&to.address));
        let delivered = remote.deliver_over(session, &request).await;
        if let Some(session) = delivered.session {
            remote.leave_open(line, &request.domain, Spoken::Ordinary, session);
        }
        if delivered.was_over && resumed {
            return;
        }
        self.talked_to.push(host);
        for (address, outcome) in delivered.outcomes {
            if let Some((_, known)) = self.known.iter_mut().find(|(a, _)| *a == address) {
                *known = Some(outcome);
            }
        }
    }

    fn outcomes(self) -> Vec<(Address, Outcome)> {
        let why = match self.why.is_empty() {
            true => format!("{} has no host to ask", self.request.domain),
            false => self.why.join("; "),
        };
        let outcome = |known: Option<Outcome>| {
            known.unwrap_or_else(|| Outcome::Temporary(Reason::ours(why.clone())))
        };
        let known = self.known.into_iter();
        known.map(|(to, known)| (to, outcome(known))).collect()
    }
}

/// The envelope without what only Email 2.0 knows.
fn ordinary(mut envelope: Envelope) -> Envelope {
    envelope.mail.announced = None;
    let addresses = envelope.recipients.into_iter().map(|to| to.address);
    envelope.recipients = addresses.map(Recipient::new).collect();
    envelope
}

/// A content that knows whether it was read to its end.
struct Watched {
    content: ContentSource,
    ended: AtomicBool,
}

impl Watched {
    fn new(content: ContentSource) -> Self {
        Watched {
            content,
            ended: AtomicBool::new(false),
        }
    }

    fn was_sent(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}

impl Content for Watched {
    fn size(&self) -> u64 {
        self.content.size()
    }

    fn read(&self, offset: u64, length: usize) -> BoxFuture<'_, io::Result<Vec<u8>>> {
        Box::pin(async move {
            let piece = self.content.read(offset, length).await?;
            if piece.is_empty() {
                self.ended.store(true, Ordering::Relaxed);
            }
            Ok(piece)
        })
    }
}
