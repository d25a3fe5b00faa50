//! A recipient's key changed while the message was on its way (spec §3.3.2): where this server
//! holds the author's key, the message is made once more for the new one (spec §13.4.7).

use email2::address::Address;
use email2::certificate::succession::{Succession, succeed};
use email2::limits;
use email2_remote::Outcome;
use email2_store::StoreError;
use email2_store::queue::{NewEntry, QueueEntry, QueueRecipient, RecipientState};

use super::deliver::Outcomes;
use super::room;
use super::words::Words;
use crate::site::Site;

/// What is said of a recipient for whom the message is made once more.
const AGAIN: &str = "the key changed; encrypted again for the new one";

/// The entry for those whose key changed, from which their copy is made; `None`: there is none,
/// it was done once already, or a new key is the author's to judge.
///
/// # Errors
/// The store failed.
pub(super) async fn entry(
    site: &Site,
    entry: &QueueEntry,
    outcomes: &Outcomes,
) -> Result<Option<NewEntry>, StoreError> {
    let words = Words::parse(&entry.details);
    if !words.held || words.rekeyed {
        return Ok(None);
    }
    let mut changed = Vec::new();
    for (address, outcome) in outcomes {
        if matches!(outcome, Outcome::KeyChanged(_)) && is_followed(site, address).await {
            changed.push(address);
        }
    }
    if changed.is_empty() {
        return Ok(None);
    }
    let Some(source) = site.store.entry_source(entry.id).await? else {
        return Ok(None);
    };
    let _room = room::take(site, source.size()).await;
    let mut writer = site.store.write_body().await?;
    writer.push(&room::whole(&*source).await?).await?;
    let words = Words {
        unprotected: true,
        held: false,
        rekeyed: true,
        ..words
    };
    Ok(Some(NewEntry {
        group: entry.group.clone(),
        domain: entry.domain.clone(),
        mail_from: entry.mail_from.clone(),
        announced: None,
        recipients: changed.into_iter().cloned().map(waiting).collect(),
        body: writer.finish().await?,
        front: Vec::new(),
        details: words.to_string(),
        created: entry.created,
        expires: entry.created + limits::QUEUE_LIFETIME,
        next_attempt: site.world.now(),
    }))
}

fn waiting(address: Address) -> QueueRecipient {
    QueueRecipient {
        address,
        etag: None,
        state: RecipientState::Waiting,
        reply: None,
    }
}

/// Is the new key of the same primary, or linked to it by a signed transition (spec §6.5)? What
/// nothing links is never followed silently. Our own people's keys change by a reset.
async fn is_followed(site: &Site, to: &Address) -> bool {
    if site.serves(to.domain()) {
        return false;
    }
    let Ok(known) = site.remote.key_for_writing(to).await else {
        return false;
    };
    let Ok(new) = site.remote.fetch_for_writing(to).await else {
        return false;
    };
    let next = succeed(&known.certificate, &new.certificate);
    next.is_ok_and(|next| !matches!(next, Succession::New))
}

/// In the entry that was tried, they wait no more and were not refused.
pub(super) fn set_aside(entry: &mut QueueEntry, rekeyed: &NewEntry) {
    let again = |to: &&mut QueueRecipient| {
        let mut others = rekeyed.recipients.iter();
        others.any(|other| other.address == to.address)
    };
    for to in entry.recipients.iter_mut().filter(again) {
        to.state = RecipientState::Held;
        to.reply = Some(AGAIN.to_owned());
    }
}
