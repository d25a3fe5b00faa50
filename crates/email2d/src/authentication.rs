//! SPF, DKIM, DKIM2, ARC and DMARC of ordinary mail (spec §11.3): recorded, never what makes a
//! message verified.

mod absent;
mod field;
mod surplus;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use email2::address::{Address, Domain};
use email2::evidence::{CheckResult, Demand, Dmarc};
use email2::limits;
use email2::rejection::Rejection;
use email2_io::Dns;
use email2_io::clock::{Clock, within};
use email2_io::world::World;
use futures::FutureExt as _;
use mail_auth::dkim2::Envelope;
use mail_auth::dmarc::Policy;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    AuthenticatedMessage, AuthenticationResults, DkimOutput, DkimResult, DmarcOutput, DmarcResult,
    MessageAuthenticator, Parameters, SpfOutput, SpfResult,
};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use absent::Absent;

/// One share of the memory for these checks, octets: what the smallest message takes. It also
/// bounds how many are checked at a time.
const SHARE: u64 = 1024 * 1024;

/// Messages so small, octets, with so few signatures are checked where they came in: that takes
/// less than it takes to hand them over.
const LIGHT_OCTETS: usize = 16 * 1024;
const LIGHT_SIGNATURES: usize = 2;

/// The largest message whose DKIM2 signatures are looked at, octets: each recipe makes a copy.
const DKIM2_OCTETS: usize = 1024 * 1024;

/// Checks ordinary mail, within one budget of memory for the whole server.
pub(crate) struct Authentication {
    authenticator: Option<MessageAuthenticator>,
    dns: Arc<dyn Dns>,
    clock: Arc<dyn Clock>,
    memory: Arc<Semaphore>,
}

/// What is checked.
pub(crate) struct Question {
    /// The whole message as it came.
    pub(crate) message: Vec<u8>,
    /// Octets of its header section.
    pub(crate) header: usize,
    /// Where it came from.
    pub(crate) client: IpAddr,
    /// What the client calls itself.
    pub(crate) name: String,
    /// The reverse-path without brackets; empty for `<>`.
    pub(crate) mail_from: String,
    /// The recipients.
    pub(crate) recipients: Vec<String>,
    /// Every address in From, as we read it: whom DMARC is about is not read twice.
    pub(crate) authors: Vec<String>,
    /// The identifier of our results (RFC 8601 §2.5).
    pub(crate) hostname: String,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checked {
    pub(crate) spf: CheckResult,
    /// The domains whose signatures hold.
    pub(crate) dkim: Vec<Domain>,
    pub(crate) dmarc: Dmarc,
    /// The field `Authentication-Results`, with its CRLF.
    pub(crate) field: String,
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authentication")
    }
}

impl Authentication {
    /// Asks the resolvers of `world`; in one without any, nothing is found.
    pub(crate) fn new(world: &World) -> Authentication {
        let shares = limits::AUTHENTICATION_OCTETS.div_ceil(SHARE);
        Authentication {
            authenticator: world.dns.resolver().map(MessageAuthenticator),
            dns: Arc::clone(&world.dns),
            clock: Arc::clone(&world.clock),
            memory: Arc::new(Semaphore::new(usize::try_from(shares).unwrap_or(1))),
        }
    }

    /// Waits for room to hold a message of so many octets (spec §11.3.4).
    ///
    /// # Errors
    /// It is larger than all the room there is.
    pub(crate) async fn room(&self, octets: u64) -> Result<OwnedSemaphorePermit, Rejection> {
        if octets > limits::AUTHENTICATION_OCTETS {
            let limit = limits::AUTHENTICATION_OCTETS;
            return Err(Rejection::MessageTooBig { limit });
        }
        let shares = u32::try_from(octets.div_ceil(SHARE).max(1)).unwrap_or(1);
        let room = Arc::clone(&self.memory).acquire_many_owned(shares);
        room.await.map_err(|_| Rejection::Busy)
    }

    /// What the domain of this author asks to do with mail in its name that nothing of its own
    /// stands for; the severest where that cannot be found out.
    pub(crate) async fn demand_of(&self, author: &Address) -> Demand {
        let Some(authenticator) = &self.authenticator else {
            return Demand::None;
        };
        let Some(mut message) = AuthenticatedMessage::parse(b"From: x\r\n\r\n") else {
            return Demand::Reject;
        };
        message.from = vec![author.to_string()];
        let spf = SpfOutput::new(String::new());
        let question = authenticator.verify_dmarc(DmarcParameters {
            message: &message,
            dkim_output: &[],
            dkim2_output: None,
            rfc5321_mail_from_domain: "",
            spf_output: &spf,
        });
        let patience = Duration::from_secs(limits::AUTHENTICATION_SECONDS);
        match within(&*self.clock, patience, question).await {
            Ok(found) if !matches!(found.result(), DmarcResult::TempError(_)) => {
                demand(found.policy())
            }
            _ => Demand::Reject,
        }
    }

    /// Checks a message. What cannot be told in time is a temporary error, written as such.
    /// `room` is given back when that is over.
    pub(crate) async fn check(&self, question: Question, room: OwnedSemaphorePermit) -> Checked {
        let unknown = unknown(&question.hostname);
        let Some(authenticator) = self.authenticator.clone() else {
            return unknown;
        };
        let is_light = is_light(&question);
        let (clock, dns) = (Arc::clone(&self.clock), Arc::clone(&self.dns));
        let patience = Duration::from_secs(limits::AUTHENTICATION_SECONDS);
        let checking = async move {
            let checked = checked(&authenticator, &*dns, &question);
            let checked = within(&*clock, patience, checked).await.ok();
            drop(room);
            checked
        };
        let checked = match is_light {
            true => here(checking).await,
            false => off_the_io_threads(checking).await,
        };
        checked.flatten().unwrap_or(unknown)
    }
}

fn is_light(question: &Question) -> bool {
    let signatures = surplus::count(&question.message, question.header);
    question.message.len() <= LIGHT_OCTETS && signatures.is_some_and(|n| n <= LIGHT_SIGNATURES)
}

/// `None`: it panicked.
async fn here<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

/// Hashing and verifying take long: they go where no connection waits. `None`: it panicked, or
/// the server ends. On a runtime of one thread it is done there.
async fn off_the_io_threads<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let runtime = Handle::current();
    if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
        return here(work).await;
    }
    let done = tokio::task::spawn_blocking(move || runtime.block_on(work));
    done.await.ok()
}

async fn checked(
    authenticator: &MessageAuthenticator,
    dns: &dyn Dns,
    question: &Question,
) -> Checked {
    let absent = Absent::among(dns, asked_about(question)).await;
    let spf = Parameters::new(spf_question(question)).with_txt_cache(&absent);
    let spf = authenticator.verify_spf(spf).await;
    let results = AuthenticationResults::new(&question.hostname);
    let results = if question.mail_from.is_empty() {
        results.with_spf_ehlo_result(&spf, question.client, &question.name)
    } else {
        let from = question.mail_from.as_str();
        results.with_spf_mailfrom_result(&spf, question.client, from, &question.name)
    };
    let bounded = surplus::count(&question.message, question.header).is_some();
    let looked_at = match bounded {
        true => Cow::Borrowed(&question.message),
        false => Cow::Owned(surplus::without_signatures(
            &question.message,
            question.header,
        )),
    };
    let Some(mut message) = AuthenticatedMessage::parse(&looked_at) else {
        return unknown(&question.hostname);
    };
    message.from.clone_from(&question.authors);
    let (dkim, results) = signatures(authenticator, question, &message, results).await;
    let dmarc = dmarc(authenticator, (question, &absent), &message, &dkim, &spf).await;
    let more = [
        (!bounded).then_some("dkim=permerror (too many signatures to look at)"),
        dmarc
            .domain()
            .is_empty()
            .then_some("dmarc=none (several domains in From)"),
    ];
    let results = match dmarc.domain() {
        "" => results,
        _ => results.with_dmarc_result(&dmarc),
    };
    Checked {
        spf: spf_result(spf.result()),
        dkim: dkim.iter().filter_map(signer).collect(),
        dmarc: Dmarc {
            result: dmarc_result(&dmarc.result()),
            demand: demand(dmarc.policy()),
        },
        field: field::with(&results, &more),
    }
}

/// Nothing could be told in time.
fn unknown(hostname: &str) -> Checked {
    Checked {
        spf: CheckResult::TempError,
        dmarc: Dmarc {
            result: CheckResult::TempError,
            demand: Demand::None,
        },
        field: field::unknown(hostname),
        ..Checked::default()
    }
}

/// SPF of the reverse-path, or of EHLO's name for reports (RFC 7208 §2.4).
fn spf_question(question: &Question) -> SpfParameters<'_> {
    let Question {
        client,
        name,
        hostname,
        mail_from,
        ..
    } = question;
    if mail_from.is_empty() {
        SpfParameters::verify_ehlo(*client, name, hostname)
    } else {
        SpfParameters::verify_mail_from(*client, name, hostname, mail_from)
    }
}

/// DKIM, ARC and DKIM2: the last two are written down and nothing follows from them.
async fn signatures<'a>(
    authenticator: &MessageAuthenticator,
    question: &'a Question,
    message: &'a AuthenticatedMessage<'a>,
    results: AuthenticationResults<'a>,
) -> (Vec<DkimOutput<'a>>, AuthenticationResults<'a>) {
    let dkim = authenticator.verify_dkim(message).await;
    let mut results =
        results.with_dkim_results(&dkim, message.from.first().map_or("", String::as_str));
    let arc = authenticator.verify_arc(message).await;
    if *arc.result() != DkimResult::None {
        results = results.with_arc_result(&arc, question.client);
    }
    if question.message.len() <= DKIM2_OCTETS && !message.dkim2_signatures.is_empty() {
        let envelope = Envelope {
            mail_from: question.mail_from.as_str(),
            rcpt_to: question.recipients.iter(),
        };
        let dkim2 = authenticator.verify_dkim2(message, envelope).await;
        results = results.with_dkim2_result(&dkim2);
    }
    (dkim, results)
}

async fn dmarc(
    authenticator: &MessageAuthenticator,
    (question, absent): (&Question, &Absent),
    message: &AuthenticatedMessage<'_>,
    dkim: &[DkimOutput<'_>],
    spf: &SpfOutput,
) -> DmarcOutput {
    let domain = question.mail_from.rsplit_once('@');
    let parameters = DmarcParameters {
        message,
        dkim_output: dkim,
        dkim2_output: None,
        rfc5321_mail_from_domain: domain.map_or(question.name.as_str(), |(_, domain)| domain),
        spf_output: spf,
    };
    let parameters = Parameters::new(parameters).with_txt_cache(absent);
    authenticator.verify_dmarc(parameters).await
}

/// The names that every message asks about: most have nothing there.
fn asked_about(question: &Question) -> Vec<String> {
    let domain = |address: &String| {
        let (_, domain) = address.rsplit_once('@')?;
        Some(domain.to_ascii_lowercase())
    };
    let sender = domain(&question.mail_from).unwrap_or_else(|| question.name.to_ascii_lowercase());
    let author = question.authors.first().and_then(domain);
    let policies = author.map(|author| absent::policies(&author));
    std::iter::once(sender)
        .chain(policies.into_iter().flatten())
        .collect()
}

/// Whose signature holds; it covers the whole body, for one with `l=` is refused before.
fn signer(output: &DkimOutput<'_>) -> Option<Domain> {
    match (output.result(), output.signature()) {
        (DkimResult::Pass, Some(signature)) => Domain::parse(&signature.d).ok(),
        _ => None,
    }
}

fn spf_result(result: SpfResult) -> CheckResult {
    match result {
        SpfResult::Pass => CheckResult::Pass,
        SpfResult::Fail => CheckResult::Fail,
        SpfResult::SoftFail => CheckResult::SoftFail,
        SpfResult::Neutral => CheckResult::Neutral,
        SpfResult::TempError => CheckResult::TempError,
        SpfResult::PermError => CheckResult::PermError,
        SpfResult::None => CheckResult::None,
    }
}

fn dmarc_result(result: &DmarcResult) -> CheckResult {
    match result {
        DmarcResult::Pass => CheckResult::Pass,
        DmarcResult::Fail(_) => CheckResult::Fail,
        DmarcResult::TempError(_) => CheckResult::TempError,
        DmarcResult::PermError(_) => CheckResult::PermError,
        DmarcResult::None => CheckResult::None,
    }
}

fn demand(policy: Policy) -> Demand {
    match policy {
        Policy::Reject => Demand::Reject,
        Policy::Quarantine => Demand::Quarantine,
        Policy::None | Policy::Unspecified => Demand::None,
    }
}
