//! The automatic answer of somebody who is away (spec §14.3, RFC 3834).

use email2::address::{Address, ReversePath};
use email2::rejection::Rejection;
use email2::verdict::{Accepted, Provenance};
use email2_store::Account;

use super::letter::{self, Kind, Letter, plain};
use super::original::Original;
use super::store_failed;
use crate::held_key;
use crate::inbound::envelope::{Admitted, Envelope};
use crate::session::Caller;
use crate::site::Site;

/// Octets of a line that is written.
const LINE: usize = 900;

/// An answer that is to be given.
#[derive(Debug)]
pub(crate) struct Answer {
    account: Account,
    to: Address,
    pause: u64,
    text: String,
    subject: String,
    about: Option<String>,
}

/// The answers to a message that its recipients accepted. Nobody is answered who did not write
/// to the person: no list, no program, no report (spec §14.3.2).
pub(crate) fn due(envelope: &Envelope, accepted: &[Accepted], original: &Original) -> Vec<Answer> {
    let recipients = envelope.recipients.iter().zip(accepted);
    let wanted = recipients.filter_map(|(to, accepted)| {
        let text = to.preferences.vacation()?;
        let author = whom(envelope, to, accepted, original)?;
        Some(Answer {
            account: to.account.clone(),
            to: author.clone(),
            pause: to.preferences.pause(),
            text: lines(text),
            subject: format!("Auto: {}", plain(&original.subject)),
            about: original.message_id.clone(),
        })
    });
    wanted.collect()
}

/// Who wrote it, to this person by name, sealed and directly, and takes answers where reports go.
fn whom<'a>(
    envelope: &Envelope,
    to: &Admitted,
    accepted: &'a Accepted,
    original: &Original,
) -> Option<&'a Address> {
    let Provenance::Verified { author, via, .. } = accepted.provenance() else {
        return None;
    };
    let returns = *envelope.mail_from() == ReversePath::Address(author.clone());
    let fits = via.is_empty() && returns && !original.automatic && !original.listed;
    let named = original.names(&to.address) && *author != to.account.address;
    (fits && named && !is_a_program(author)).then_some(author)
}

/// RFC 3834 §2: addresses that programs write from.
fn is_a_program(author: &Address) -> bool {
    let local = author.local().to_ascii_lowercase();
    let begins = ["owner-", "mailer-daemon", "no-reply", "noreply"];
    begins.iter().any(|begin| local.starts_with(begin)) || local.ends_with("-request")
}

/// The person's text, in lines that may be sealed (spec §4.3.2).
fn lines(text: &str) -> String {
    let mut written = String::new();
    for line in text.lines() {
        let mut length = 0;
        for c in line.chars().filter(|c| !c.is_control()) {
            if length + c.len_utf8() > LINE {
                written.push_str("\r\n");
                length = 0;
            }
            written.push(c);
            length += c.len_utf8();
        }
        written.push_str("\r\n");
    }
    written
}

/// Gives the answers, each author one in a while. What fails is said in the log only: the message is
/// taken already.
pub(crate) async fn give(caller: &Caller, answers: Vec<Answer>) {
    for answer in answers {
        if let Err(error) = one(&caller.site, &answer).await {
            let account = &answer.account.address;
            tracing::warn!(%account, %error, "no automatic answer");
        }
    }
}

async fn one(site: &Site, answer: &Answer) -> Result<(), Rejection> {
    let data = &site.config.data_directory;
    let key = held_key::open(data, &site.store, &answer.account).await;
    let key = key.map_err(|error| Rejection::LocalError {
        why: error.to_string(),
    })?;
    // Nobody else answers in somebody's name (spec §14.3.1).
    let (from, key) = match key {
        Some(key) => (answer.account.address.clone(), key),
        None => {
            let from = away(&answer.account.address)?;
            let key = letter::key(site, Kind::Away, &from).await?;
            (from, key)
        }
    };
    let letter = Letter {
        from: &from,
        to: &answer.to,
        subject: &answer.subject,
        about: answer.about.as_deref(),
        text: &answer.text,
    };
    let entry = letter.entry(site, &key).await?;
    let since = site.world.now().saturating_sub(answer.pause);
    let given = site
        .store
        .answer_once(answer.account.id, &answer.to, since, entry);
    if given.await.map_err(store_failed)? {
        site.departures.announce();
    }
    Ok(())
}

/// The address that answers where the server holds no key of the person's: theirs, and
/// recognizably not they themselves.
fn away(account: &Address) -> Result<Address, Rejection> {
    let local = format!("{}{AWAY}", account.local());
    let away = Address::from_parts(local, account.domain().clone());
    away.map_err(|_| Rejection::LocalError {
        why: format!("{account} has no address for automatic answers"),
    })
}

/// What follows the local part there.
const AWAY: &str = "+away";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_written_in_lines_that_may_be_sealed() {
        assert_eq!(lines("a\nb\u{7}\n"), "a\r\nb\r\n");
        let long = lines(&"\u{fc}".repeat(1000));
        assert!(long.lines().all(|line| line.len() <= LINE));
        assert_eq!(long.lines().count(), 3);
    }

    #[test]
    fn programs_are_not_answered() {
        let is = |text: &str| is_a_program(&text.parse().unwrap());
        assert!(is("MAILER-DAEMON@example.org") && is("club-request@example.org"));
        assert!(is("owner-club@example.org") && !is("bob@example.org"));
    }
}
