//! Mail that nobody announced as sealed: what is to be known of it besides its seals, and in
//! which form it is kept (spec §11).

use email2::address::{Address, ReversePath};
use email2::bounce;
use email2::evidence::{Answered, OrdinaryEvidence, sent_key};
use email2::header::{HeaderFacts, without_ours};
use email2::limits;
use email2::rejection::Rejection;
use email2::verdict::Verdict;
use email2_store::{SpooledBody, StoreError};
use futures::future::join_all;

use super::accept::store_failed;
use super::envelope::Envelope;
use super::policy::Preferences;
use crate::authentication::{Checked, Question};
use crate::outbound::enqueue::Onward;
use crate::sender_policy;
use crate::session::Caller;
use crate::site::Site;
use crate::strangers::ordinary::Payer;

/// How much of a body is copied at once, octets.
const PIECE: usize = 64 * 1024;

/// A message and what is to be written about it.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// Its octets.
    pub(crate) body: SpooledBody,
    /// Octets of its header section.
    pub(crate) header: u64,
    /// Its `Message-ID` as it stands there; empty without one.
    pub(crate) message_id: Vec<u8>,
    /// The field with our results, for mail in which no seal counts; else empty.
    pub(crate) results: String,
    /// Who answers for mail that came without a seal from outside.
    pub(crate) payer: Option<Payer>,
    /// It came as ordinary mail, and SPF lets whoever sent it use the reverse-path's domain: who
    /// is named there may be told what becomes of it (spec §12.5.12).
    pub(crate) spf_passed: bool,
}

/// What was found out, and the field with the results.
#[derive(Default)]
pub(super) struct Ordinary {
    pub(super) evidence: OrdinaryEvidence,
    pub(super) results: String,
    pub(super) payer: Option<Payer>,
}

/// Finds out all that the judge needs when no seal counts; `None` where nobody wants such mail:
/// then nobody is asked about it (spec §11.1.2).
///
/// # Errors
/// The store failed, or there was no room to look at it.
pub(super) async fn gather(
    caller: &Caller,
    envelope: &Envelope,
    header: &HeaderFacts,
    body: &SpooledBody,
) -> Result<Option<Ordinary>, Rejection> {
    if !is_wanted(caller, envelope, header) {
        return Ok(None);
    }
    if !(1..=limits::AUTHORS).contains(&header.authors.len()) {
        return Ok(Some(Ordinary::default()));
    }
    let authors = header.authors.iter();
    let authors = authors.map(|author| sender_policy::of(&caller.site, caller.peer.ip(), author));
    let (checked, authors) = futures::join!(
        authenticate(caller, envelope, header, body),
        join_all(authors)
    );
    let checked = checked?;
    let site = &*caller.site;
    let (path, source) = (envelope.mail_from(), caller.peer.ip());
    let payer = Payer::of(&header.authors, &checked, path, source);
    let evidence = OrdinaryEvidence {
        spf: checked.spf,
        dmarc: checked.dmarc,
        dkim: checked.dkim,
        authors,
        acquainted: acquainted(site, envelope, &header.authors).await?,
        answered: answered(site, envelope, header, body).await?,
    };
    Ok(Some(Ordinary {
        evidence,
        results: checked.field,
        payer: (!envelope.is_own()).then_some(payer),
    }))
}

/// It came from outside, nobody announced a seal, and some recipient may take it.
fn is_wanted(caller: &Caller, envelope: &Envelope, header: &HeaderFacts) -> bool {
    let from_outside = caller.login.is_none() && envelope.mail.announced.is_none();
    let taken = envelope.preferences().any(Preferences::may_take_unsealed);
    from_outside && (taken || is_bounce(envelope, header))
}

/// A report of an ordinary hop (spec §11.5).
fn is_bounce(envelope: &Envelope, header: &HeaderFacts) -> bool {
    *envelope.mail_from() == ReversePath::Null && header.is_delivery_report()
}

/// Holds the message in memory as long as it is looked at (spec §11.3.4).
async fn authenticate(
    caller: &Caller,
    envelope: &Envelope,
    header: &HeaderFacts,
    body: &SpooledBody,
) -> Result<Checked, Rejection> {
    let site = &*caller.site;
    let room = site.authentication.room(body.size()).await?;
    let message = whole(site, body).await.map_err(store_failed)?;
    let recipients = envelope.addresses();
    let question = Question {
        message,
        header: usize::try_from(header.octets).unwrap_or(usize::MAX),
        client: caller.peer.ip(),
        name: caller.name.clone(),
        mail_from: envelope.mail_from().to_string(),
        recipients: recipients.iter().map(ToString::to_string).collect(),
        authors: header.authors.iter().map(ToString::to_string).collect(),
        hostname: site.config.hostname.to_string(),
    };
    Ok(site.authentication.check(question, room).await)
}

async fn whole(site: &Site, body: &SpooledBody) -> Result<Vec<u8>, StoreError> {
    let reader = site.store.read_spooled(body).await?;
    let size = usize::try_from(reader.size()).unwrap_or(usize::MAX);
    reader.read(0, size).await
}

/// Which recipients have had sealed mail from an author (spec §11.4.1).
async fn acquainted(
    site: &Site,
    envelope: &Envelope,
    authors: &[Address],
) -> Result<Vec<Address>, Rejection> {
    let accounts: Vec<_> = envelope.accounts().map(|account| account.id).collect();
    let found = site.store.had_sealed(&accounts, authors).await;
    let found = found.map_err(store_failed)?;
    let had = envelope.accounts();
    let had = had.filter(|account| found.contains(&account.id));
    Ok(had.map(|account| account.address.clone()).collect())
}

/// Which recipients sent the message that a report is about (spec §11.5.1).
async fn answered(
    site: &Site,
    envelope: &Envelope,
    header: &HeaderFacts,
    body: &SpooledBody,
) -> Result<Vec<Answered>, Rejection> {
    if !is_bounce(envelope, header) {
        return Ok(Vec::new());
    }
    let reader = site.store.read_spooled(body).await.map_err(store_failed)?;
    let octets = reader.read(header.octets, limits::BOUNCE_OCTETS).await;
    let bounce = bounce::read(&octets.map_err(store_failed)?);
    let ids = bounce.message_ids.iter();
    let keys: Vec<_> = ids
        .flat_map(|id| bounce.recipients.iter().map(move |to| sent_key(id, to)))
        .collect();
    let mut answered = Vec::new();
    for account in envelope.accounts() {
        let sent = site.store.sent(account.id, &keys, site.world.now());
        let sent = sent.await.map_err(store_failed)?;
        if !sent.is_empty() {
            let mailbox = account.address.clone();
            answered.push(Answered { mailbox, sent });
        }
    }
    Ok(answered)
}

/// Remembers what one of our users sends elsewhere, so that an ordinary hop can report about it
/// (spec §11.5.2).
///
/// # Errors
/// The store failed.
pub(crate) async fn remember_sent(
    caller: &Caller,
    onward: &Onward,
    mail: &Mail,
) -> Result<(), Rejection> {
    let (Some(login), false) = (&caller.login, mail.message_id.is_empty()) else {
        return Ok(());
    };
    let recipients = onward.recipients.iter();
    let sent = recipients.map(|to| sent_key(&mail.message_id, &to.address));
    let until = caller.site.world.now() + limits::SENT_MEMORY;
    let store = &caller.site.store;
    let kept = store.remember_sent(login.account.id, sent.collect(), until);
    kept.await.map_err(store_failed)
}

/// The message as it is kept: where no seal counts, no field stays that could be taken for one of
/// ours (spec §11.3.3). Below a seal nothing is changed (spec §4.3.3).
///
/// # Errors
/// The store failed.
pub(crate) async fn without_claims(
    site: &Site,
    verdict: &Verdict,
    mail: Mail,
) -> Result<Mail, Rejection> {
    if !verdict.seals().is_empty() {
        return Ok(Mail {
            results: String::new(),
            ..mail
        });
    }
    let rewritten = rewritten(site, &mail).await.map_err(store_failed)?;
    let body = rewritten.unwrap_or(mail.body);
    Ok(Mail { body, ..mail })
}

async fn rewritten(site: &Site, mail: &Mail) -> Result<Option<SpooledBody>, StoreError> {
    let reader = site.store.read_spooled(&mail.body).await?;
    let length = usize::try_from(mail.header).unwrap_or(usize::MAX);
    let header = reader.read(0, length).await?;
    let Some(header) = without_ours(&header, site.config.hostname.as_str()) else {
        return Ok(None);
    };
    let mut writer = site.store.write_body().await?;
    writer.push(&header).await?;
    let mut offset = mail.header;
    loop {
        let piece = reader.read(offset, PIECE).await?;
        if piece.is_empty() {
            return writer.finish().await.map(Some);
        }
        offset += piece.len() as u64;
        writer.push(&piece).await?;
    }
}
