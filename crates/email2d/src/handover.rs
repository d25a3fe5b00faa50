//! Mail for a domain whose mailboxes the mail system behind this server has (spec §15): judged
//! here like any other, then kept in the queue, once for each mailbox, until that system has it.

use email2::address::Address;
use email2::capability::SEAL_FIELD;
use email2::header::without_ours;
use email2::limits;
use email2::rejection::Rejection;
use email2::verdict::{Accepted, Verdict};
use email2_imap::verdict;
use email2_store::queue::{NewEntry, QueueRecipient, RecipientState};
use email2_store::{
    Account, AccountId, Passage, PassageOutcome, Recipient, Scope, SpooledBody, StoreError,
};

use crate::inbound::accept::{is_sealed, store_failed};
use crate::inbound::envelope::Envelope;
use crate::inbound::ordinary::Mail;
use crate::inner;
use crate::outbound::words::Words;
use crate::session::Caller;
use crate::settings::OF_RECIPIENTS;
use crate::site::Site;
use crate::trace::{self, Hop};

/// How much of a body is copied at once, octets.
const PIECE: usize = 64 * 1024;
/// The row of nobody: the account is not here.
const NOBODY: AccountId = AccountId(0);

/// Somebody of whom only the system behind knows; `None` when it takes no mail for the address,
/// or there is no such system.
///
/// # Errors
/// It cannot be asked, or the store failed.
pub(crate) async fn recipient(
    site: &Site,
    address: &Address,
) -> Result<Option<Recipient>, Rejection> {
    let Some(inner) = site.inner_of(address.domain()) else {
        return Ok(None);
    };
    if !inner::takes(site, inner, address).await? {
        return Ok(None);
    }
    let blocks = site.store.blocks(Scope::Server).await;
    Ok(Some(Recipient {
        account: Account {
            id: NOBODY,
            address: address.clone(),
            quota: None,
            used: 0,
            strict: false,
            unlisted: false,
            created: 0,
        },
        blocks: blocks.map_err(store_failed)?,
        settings: vec![None; OF_RECIPIENTS.len()],
    }))
}

/// Keeps an accepted message for the system behind, with the memory of its seals, and gives the
/// text of the 250 (spec §15.1.2).
///
/// # Errors
/// The store failed, or the seal was used for another message.
pub(crate) async fn keep(
    caller: &Caller,
    envelope: &Envelope,
    accepted: Vec<Accepted>,
    verdict: &Verdict,
    mail: &Mail,
) -> Result<String, Rejection> {
    let site = &*caller.site;
    let hop = Hop::of(caller, envelope, site.world.now());
    let id = hop.id.clone();
    let mut bodies: Vec<(String, SpooledBody)> = Vec::new();
    let mut passages = Vec::new();
    for (to, accepted) in envelope.recipients.iter().zip(accepted) {
        let place = to.preferences.mailbox_for(&accepted, verdict.authors());
        let said = handed_on_verdict(&accepted, place);
        if !bodies.iter().any(|(known, _)| *known == said) {
            let received = trace::handed_on(&hop, accepted.provenance(), &id);
            let front = [
                verdict::field(&said).as_bytes(),
                mail.results.as_bytes(),
                &received,
            ]
            .concat();
            let body = rewritten(site, &front, mail).await.map_err(store_failed)?;
            bodies.push((said.clone(), body));
        }
        let body = bodies.iter().find(|(known, _)| *known == said);
        let words = words(envelope, &accepted, mail);
        let entries = body.map(|(_, body)| entry(site, envelope, &to.address, body, &id, words));
        passages.push(Passage {
            by: to.address.clone(),
            accepted,
            entries: entries.into_iter().collect(),
            held: false,
        });
    }
    let kept = site.store.pass_on(Vec::new(), passages).await;
    let (_, outcomes) = kept.map_err(store_failed)?;
    if outcomes.contains(&PassageOutcome::DifferentContent) {
        return Err(Rejection::NonceReused);
    }
    site.departures.announce();
    let author = verdict.author().filter(|_| !verdict.seals().is_empty());
    Ok(match author {
        Some(author) => format!("sealed by {author}, kept as {id}"),
        None => format!("kept as {id}"),
    })
}

/// The verdict as it is handed on, with the mailbox that the recipient's decisions lead to
/// (spec §15.1.3).
fn handed_on_verdict(accepted: &Accepted, place: &str) -> String {
    let place = place.to_ascii_lowercase();
    format!("{}; place={place}", accepted.provenance())
}

/// Who is told when the system behind refuses it, is known now (spec §15.1.5): whose seal was
/// announced and verified, and whom SPF lets use the reverse-path.
fn words(envelope: &Envelope, accepted: &Accepted, mail: &Mail) -> Words {
    let announced = envelope.mail.announced.is_some();
    Words {
        eight_bit: envelope.mail.eight_bit,
        utf8: envelope.mail.smtputf8,
        behind: true,
        sealed: announced && is_sealed(accepted.provenance()),
        spf: mail.spf_passed,
        ..Words::default()
    }
}

fn entry(
    site: &Site,
    envelope: &Envelope,
    to: &Address,
    body: &SpooledBody,
    id: &str,
    words: Words,
) -> NewEntry {
    let now = site.world.now();
    NewEntry {
        group: id.to_owned(),
        domain: to.domain().clone(),
        mail_from: envelope.mail_from().clone(),
        announced: None,
        recipients: vec![QueueRecipient {
            address: to.clone(),
            etag: None,
            state: RecipientState::Waiting,
            reply: None,
        }],
        body: body.clone(),
        front: Vec::new(),
        details: words.to_string(),
        created: now,
        expires: now + limits::QUEUE_LIFETIME,
        next_attempt: now,
    }
}

/// The octets behind `front`, whose first field is the verdict (spec §15.1.3); what stands above a
/// seal and could be taken for ours is renamed, nothing below it is changed (spec §4.3.3).
async fn rewritten(site: &Site, front: &[u8], mail: &Mail) -> Result<SpooledBody, StoreError> {
    let reader = site.store.read_spooled(&mail.body).await?;
    let length = usize::try_from(mail.header).unwrap_or(limits::HEADER_OCTETS);
    let header = reader.read(0, length).await?;
    let above = above_seal(&header);
    let mut writer = site.store.write_body().await?;
    writer.push(front).await?;
    match without_ours(above, site.config.hostname.as_str()) {
        Some(renamed) => writer.push(&renamed).await?,
        None => writer.push(above).await?,
    }
    let mut offset = above.len() as u64;
    loop {
        let piece = reader.read(offset, PIECE).await?;
        if piece.is_empty() {
            return writer.finish().await;
        }
        offset += piece.len() as u64;
        writer.push(&piece).await?;
    }
}

/// The fields above the top seal; none where there is no seal: such a header was looked through
/// before (spec §11.3.3).
fn above_seal(header: &[u8]) -> &[u8] {
    let mut end = 0;
    for line in header.split_inclusive(|octet| *octet == b'\n') {
        if is_seal(line) {
            return header.get(..end).unwrap_or_default();
        }
        end += line.len();
    }
    &[]
}

/// No blank stands before the colon of a seal that counts, and a longer name is another field's.
fn is_seal(line: &[u8]) -> bool {
    let name = line.split(|octet| *octet == b':').next();
    name.is_some_and(|name| name.eq_ignore_ascii_case(SEAL_FIELD.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_above_the_top_seal_is_looked_at() {
        let header = b"Received: x\r\n y\r\nemail2-seal: v=1\r\nFrom: a@b\r\n\r\n";
        assert_eq!(above_seal(header), b"Received: x\r\n y\r\n");
        assert_eq!(above_seal(b"Email2-Seal: v=1\r\n\r\n"), b"");
        let like_one = b"Email2-Seals: x\r\nEmail2-Verdict: verified\r\nEmail2-Seal: v=1\r\n\r\n";
        let above = b"Email2-Seals: x\r\nEmail2-Verdict: verified\r\n";
        assert_eq!(above_seal(like_one), above);
        assert_eq!(above_seal(b"From: a@b\r\n\r\n"), b"");
    }
}
