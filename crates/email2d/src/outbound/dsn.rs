//! The reports to authors of what is late and of what could not be delivered (RFC 3464), sealed
//! by the domain's service key (spec §4.13.1). One about a message of an account goes to its
//! mailbox here; one about a message that came from elsewhere, with a seal that verified, takes
//! the queue. A report has no reverse-path, so none causes another.

mod compose;

use email2::address::{Address, Domain, Identity, ReversePath};
use email2::limits;
use email2::seal::digest::ContentDigest;
use email2::seal::{Nonce, Role, Seal, SealError, SealRequest, sign};
use email2_store::mailbox::INBOX;
use email2_store::message::Generate;
use email2_store::queue::{NewEntry, QueueEntry, QueueRecipient, RecipientState};
use email2_store::{Generated, SpooledBody, StoreError};

use super::words::Words;
use crate::mediator::{report, return_path};
use crate::service_key::{self, ServiceKeyError};
use crate::site::Site;
pub(crate) use compose::Kind;
use compose::compose;

/// Why a report cannot be made. What it is about stays in the queue until it can.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The domain's service key cannot be used.
    #[error(transparent)]
    ServiceKey(#[from] ServiceKeyError),
    /// The report cannot be sealed.
    #[error("the report cannot be sealed: {0}")]
    Seal(#[from] SealError),
}

/// Octets of the original's header that are given back: its seal is among them (spec §4.13.2).
const HEADER_OCTETS: usize = 64 * 1024;
/// Reports to be kept with a settlement.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// For mailboxes here.
    pub(super) here: Vec<Generate>,
    /// For authors elsewhere.
    pub(super) onward: Vec<NewEntry>,
    /// They say that the message is late.
    pub(super) delayed: bool,
    /// Its sender was told by the mediator, now or before.
    pub(super) by_mediator: bool,
}

impl Reports {
    /// Those and these.
    pub(super) fn join(&mut self, others: Reports) {
        self.here.extend(others.here);
        self.onward.extend(others.onward);
        self.by_mediator |= others.by_mediator;
    }
}

/// What a report says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report<'a> {
    /// The domain that reports.
    pub(crate) by: &'a Domain,
    /// Who is told.
    pub(crate) to: &'a Address,
    /// When the message arrived, Unix seconds.
    pub(crate) arrived: u64,
    /// Until when it is tried, Unix seconds.
    pub(crate) until: u64,
    /// What became of it.
    pub(crate) kind: Kind,
    /// Who was not delivered to.
    pub(crate) about: &'a [&'a QueueRecipient],
    /// The header section of the message (spec §4.13.2).
    pub(crate) header: &'a [u8],
}

/// Writes a report, sealed by the service of the domain that makes it, and says by whom.
///
/// # Errors
/// See [`ReportError`]: no report leaves unsealed (spec §4.13.1).
pub(crate) async fn write(
    site: &Site,
    report: &Report<'_>,
) -> Result<(Identity, SpooledBody), ReportError> {
    let octets = compose(site, report);
    let seal = seal(site, report, &octets).await?;
    let mut writer = site.store.write_body().await?;
    writer.push(seal.field().as_bytes()).await?;
    writer.push(&octets).await?;
    Ok((seal.signer, writer.finish().await?))
}

/// Of what was passed on, whoever sent it here is told by the mediator (spec §14.2.7); that it is
/// late, nobody.
async fn passed_on(
    site: &Site,
    entry: &QueueEntry,
    kind: Kind,
    about: &[&QueueRecipient],
) -> Result<(), ReportError> {
    if kind == Kind::Late || about.is_empty() {
        return Ok(());
    }
    let header = original_header(site, entry).await?;
    report::of_entry(site, entry, &header, about).await
}

/// To whom a report goes.
enum Reader {
    /// An account of this server.
    Account(email2_store::Account),
    /// Somebody elsewhere; our domain, to which they sealed the message.
    Elsewhere(Domain),
    /// Whoever sent ordinary mail to this domain of ours, which SPF proved (spec §12.5.12).
    Ordinary(Domain),
}

/// One report about recipients who were refused or whose time is over; none when nobody was,
/// for a null reverse-path, and for an author who is not known here.
///
/// # Errors
/// See [`ReportError`]: no report leaves unsealed (spec §4.13.1).
pub(super) async fn failed(
    site: &Site,
    entry: &QueueEntry,
    about: &[&QueueRecipient],
) -> Result<Reports, ReportError> {
    report(site, entry, Kind::Failed, about).await
}

/// One report about recipients who still wait.
///
/// # Errors
/// As [`failed`].
pub(super) async fn late(
    site: &Site,
    entry: &QueueEntry,
    about: &[&QueueRecipient],
) -> Result<Reports, ReportError> {
    report(site, entry, Kind::Late, about).await
}

async fn report(
    site: &Site,
    entry: &QueueEntry,
    kind: Kind,
    about: &[&QueueRecipient],
) -> Result<Reports, ReportError> {
    let mut reports = Reports::default();
    if let Some((Role::Forward, _)) = &entry.announced {
        passed_on(site, entry, kind, about).await?;
        return Ok(reports);
    }
    let Some(author) = entry.mail_from.address().filter(|_| !about.is_empty()) else {
        return Ok(reports);
    };
    if let Some(origin) = return_path::original(site, author).filter(|origin| origin.proved) {
        if kind == Kind::Failed {
            return_path::failed(site, entry, &origin.sender).await?;
            reports.by_mediator = true;
        }
        return Ok(reports);
    }
    let Some(reader) = reader(site, entry, author).await? else {
        return Ok(reports);
    };
    let (domain, to) = match &reader {
        Reader::Account(account) => (author.domain(), &account.address),
        Reader::Elsewhere(domain) | Reader::Ordinary(domain) => (domain, author),
    };
    let header = original_header(site, entry).await?;
    let report = Report {
        by: domain,
        to,
        arrived: entry.created,
        until: entry.expires,
        kind,
        about,
        header: &header,
    };
    if let Reader::Ordinary(_) = reader {
        reports.onward.push(ordinary(site, &report).await?);
        return Ok(reports);
    }
    let (_, body) = write(site, &report).await?;
    match &reader {
        Reader::Account(account) => reports.here.push(Generate {
            door: Generated::by(domain.clone()),
            account: account.id,
            mailbox: INBOX.to_owned(),
            body,
            received: site.world.now(),
        }),
        Reader::Elsewhere(domain) => reports.onward.push(onward(site, author, domain, body)),
        Reader::Ordinary(_) => {}
    }
    Ok(reports)
}

/// A report about ordinary mail, on its way as ordinary mail: only who sealed is told under a
/// seal.
///
/// # Errors
/// The store failed.
pub(crate) async fn ordinary(site: &Site, report: &Report<'_>) -> Result<NewEntry, StoreError> {
    let mut writer = site.store.write_body().await?;
    writer.push(&compose(site, report)).await?;
    let body = writer.finish().await?;
    let words = Words {
        eight_bit: true,
        daemon: true,
        ..Words::default()
    };
    Ok(NewEntry {
        announced: None,
        details: words.to_string(),
        ..onward(site, report.to, report.by, body)
    })
}

/// Ordinary mail that was passed on has a return path of ours. Where anybody may have written the
/// sender's address, the domain's postmaster is told, so that nothing is lost in silence.
async fn postmaster_for(
    site: &Site,
    author: &Address,
) -> Result<Option<email2_store::Account>, StoreError> {
    if return_path::original(site, author).is_none() {
        return Ok(None);
    }
    let Ok(postmaster) = Address::parse(&format!("postmaster@{}", author.domain())) else {
        return Ok(None);
    };
    let found = site.recipient_for(&postmaster).await?;
    Ok(found.map(|recipient| recipient.account))
}

/// Nobody elsewhere is told whom neither a seal that verified nor SPF proved when the message was
/// taken, by our domain: the reverse-path may be anybody's (spec §12.5.8).
async fn reader(
    site: &Site,
    entry: &QueueEntry,
    author: &Address,
) -> Result<Option<Reader>, StoreError> {
    if site.serves(author.domain()) {
        let account = match site.store.account(author).await? {
            None => postmaster_for(site, author).await?,
            found => found,
        };
        return Ok(account.map(Reader::Account));
    }
    let words = Words::parse(&entry.details);
    if words.behind {
        let domain = entry.domain.clone();
        return Ok(match (words.sealed, words.spf) {
            (true, _) => Some(Reader::Elsewhere(domain)),
            (false, true) => Some(Reader::Ordinary(domain)),
            (false, false) => None,
        });
    }
    let signer = entry.announced.as_ref().map(|(_, signer)| signer.domain());
    let ours = signer.filter(|domain| site.serves(domain));
    Ok(ours.cloned().map(Reader::Elsewhere))
}

fn onward(site: &Site, author: &Address, domain: &Domain, body: SpooledBody) -> NewEntry {
    let now = site.world.now();
    NewEntry {
        group: site.new_id(),
        domain: author.domain().clone(),
        mail_from: ReversePath::Null,
        announced: Some((Role::Service, Identity::Service(domain.clone()))),
        recipients: vec![QueueRecipient {
            address: author.clone(),
            etag: None,
            state: RecipientState::Waiting,
            reply: None,
        }],
        body,
        front: Vec::new(),
        details: Words {
            eight_bit: true,
            ..Words::default()
        }
        .to_string(),
        created: now,
        expires: now + limits::QUEUE_LIFETIME,
        next_attempt: now,
    }
}

/// The original's header section, whole lines of it.
pub(crate) async fn original_header(
    site: &Site,
    entry: &QueueEntry,
) -> Result<Vec<u8>, StoreError> {
    let body = site.store.entry_body(entry.id).await?;
    let octets = body.read(0, HEADER_OCTETS).await?;
    let end = octets.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.or_else(|| octets.windows(2).rposition(|two| two == b"\r\n"));
    let end = end.map_or(0, |end| end + 2);
    Ok(octets.get(..end).unwrap_or_default().to_vec())
}

/// The seal of the domain's service.
async fn seal(site: &Site, report: &Report<'_>, content: &[u8]) -> Result<Seal, ReportError> {
    let (now, mut rng) = (site.world.now(), site.world.rng());
    let domain = report.by;
    let data = &site.config.data_directory;
    let key = service_key::ensure(data, domain, &site.store, now, &mut rng).await?;
    let request = SealRequest {
        role: Role::Service,
        signer: Identity::Service(domain.clone()),
        reverse_path: ReversePath::Null,
        recipients: vec![report.to.clone()],
        created: now,
        expires: now + limits::SEAL_LIFETIME,
        nonce: Nonce::random(&mut rng),
        digest: ContentDigest::of(content)?,
    };
    Ok(sign(&request, &key, &mut rng)?)
}
