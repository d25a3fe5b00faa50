//! One submission becomes entries of the queue: the people of a domain who may see each other
//! share one, whoever stands in no field has one alone (spec §13.4.1, §4.4.2).

use std::collections::{BTreeMap, HashSet};

use email2::address::{Address, Domain};
use email2::header::parse_authors;
use email2::limits;
use email2_store::queue::{NewEntry, QueueRecipient, RecipientState};

use super::Written;
use super::intake::Taken;
use crate::outbound::words::Words;
use crate::site::Site;

/// The entries, all of one group.
pub(super) fn of(site: &Site, written: &Written, taken: &Taken<'_>) -> Vec<NewEntry> {
    let header = &taken.scanned.header;
    let named = ["To", "Cc"].iter().filter_map(|name| header.value(name));
    let visible: HashSet<Address> = named.filter_map(parse_authors).flatten().collect();
    let words = Words {
        utf8: written.mail.smtputf8,
        unprotected: written.held().is_some(),
        vouched: written.held().is_none(),
        // RFC 6409 §8: what every copy has to have, and the same in all.
        date: header.value("Date").is_none(),
        message_id: header.value("Message-ID").is_none(),
        ..Words::default()
    };
    let now = site.world.now();
    let entry = |(domain, recipients): (Domain, Vec<Address>)| NewEntry {
        group: written.id.clone(),
        domain,
        mail_from: written.mail.from.clone(),
        announced: None,
        recipients: recipients.into_iter().map(waiting).collect(),
        body: taken.body.clone(),
        front: Vec::new(),
        details: words.to_string(),
        created: now,
        expires: now + limits::QUEUE_LIFETIME,
        next_attempt: now,
    };
    parted(&written.recipients, &visible)
        .into_iter()
        .map(entry)
        .collect()
}

fn waiting(address: Address) -> QueueRecipient {
    QueueRecipient {
        address,
        etag: None,
        state: RecipientState::Waiting,
        reply: None,
    }
}

/// Who shares an entry.
fn parted(recipients: &[Address], visible: &HashSet<Address>) -> Vec<(Domain, Vec<Address>)> {
    let mut together: BTreeMap<Domain, Vec<Address>> = BTreeMap::new();
    let mut entries = Vec::new();
    for to in recipients {
        match visible.contains(to) {
            true => together
                .entry(to.domain().clone())
                .or_default()
                .push(to.clone()),
            false => entries.push((to.domain().clone(), vec![to.clone()])),
        }
    }
    for (domain, all) in together {
        let chunks = all.chunks(limits::SEAL_RECIPIENTS);
        entries.extend(chunks.map(|some| (domain.clone(), some.to_vec())));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(all: &[&str]) -> Vec<Address> {
        all.iter().map(|one| one.parse().unwrap()).collect()
    }

    #[test]
    fn blind_recipients_are_alone_and_domains_apart() {
        let to = addresses(&[
            "a@x.example",
            "b@y.example",
            "c@x.example",
            "blind@x.example",
        ]);
        let visible = addresses(&[
            "c@x.example",
            "a@x.example",
            "b@y.example",
            "absent@x.example",
        ]);
        let entries = parted(&to, &visible.into_iter().collect());
        let texts = |(_, all): &(Domain, Vec<Address>)| {
            all.iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let texts: Vec<String> = entries.iter().map(texts).collect();
        assert_eq!(
            texts,
            ["blind@x.example", "a@x.example c@x.example", "b@y.example"]
        );
    }

    #[test]
    fn an_entry_holds_what_a_seal_holds() {
        let many: Vec<Address> = (0..limits::SEAL_RECIPIENTS + 1)
            .map(|n| format!("p{n}@x.example").parse().unwrap())
            .collect();
        let visible = many.iter().cloned().collect();
        let sizes: Vec<usize> = parted(&many, &visible)
            .iter()
            .map(|(_, all)| all.len())
            .collect();
        assert_eq!(sizes, [limits::SEAL_RECIPIENTS, 1]);
    }
}
