//! The ways: each makes a letter, and knows the refusal that it deserves.

use email2::address::{Address, Identity};
use email2::rejection::{CLOCK_WORD, Rejection};
use email2::secret::SecretKey;

use super::session::{Letter, Reply};
use super::{Claim, Forger};
use crate::failure::{Outcome, Step};

/// Seconds of an hour.
const HOUR: i64 = 3600;

/// One way to try.
pub struct Way {
    /// Stable name.
    pub step: &'static str,
    /// What is tried, in a sentence's part: "seals by a key of her own".
    pub did: &'static str,
    /// Makes the letter.
    pub letter: fn(&Forger) -> Outcome<Letter>,
    /// What the server must answer.
    pub refusal: fn(&Forger) -> Rejection,
}

impl Way {
    /// Whether the reply is the refusal: code, enhanced code and, where nothing in it moves
    /// (the server's clock does), the sentence.
    #[must_use]
    pub fn matches(&self, reply: &Reply, refusal: &Rejection) -> bool {
        let (got, expected) = (reply.to_string(), refusal.to_string());
        let moving = expected.find(CLOCK_WORD).unwrap_or(expected.len());
        got.get(..moving) == expected.get(..moving)
    }
}

/// The ways that are one letter and one refusal, in the order of the story.
pub const WAYS: &[Way] = &[
    Way {
        step: "no-seal",
        did: "sends a message From bob without any seal",
        letter: no_seal,
        refusal: |_| Rejection::Unsealed,
    },
    Way {
        step: "other-key",
        did: "seals as bob, by a key that she made for his address",
        letter: seal_as_author,
        refusal: |forger| Rejection::NoSuchKey {
            signer: author(forger),
        },
    },
    Way {
        step: "own-seal-for-bob",
        did: "seals as mallory@example.org, by her own good key, a message From bob",
        letter: own_seal,
        refusal: |forger| Rejection::FromDiffers {
            signer: Identity::Address(forger.own.0.clone()),
        },
    },
    Way {
        step: "altered-body",
        did: "changes the body of a message that bob sealed",
        letter: |forger| Ok(forger.captured_with(altered_body)),
        refusal: |_| Rejection::DigestWrong,
    },
    Way {
        step: "altered-from",
        did: "changes From of a message that bob sealed",
        letter: |forger| Ok(forger.captured_with(|text| altered_from(text, forger))),
        refusal: |forger| Rejection::FromDiffers {
            signer: author(forger),
        },
    },
    Way {
        step: "second-from",
        did: "puts a second From into a message that bob sealed",
        letter: |forger| Ok(forger.captured_with(second_from)),
        refusal: |_| Rejection::FieldTwice { field: "From" },
    },
    Way {
        step: "two-authors",
        did: "names two people in From of a message that she sealed",
        letter: two_authors,
        refusal: |_| Rejection::FromMalformed {
            found: "more than one address",
        },
    },
    Way {
        step: "smuggled-field",
        did: "puts a Subject above bob's seal",
        letter: |forger| Ok(forger.captured_with(|text| format!("Subject: Pay now\r\n{text}"))),
        refusal: |_| Rejection::FieldAboveSeal {
            field: "Subject".to_owned(),
        },
    },
    Way {
        step: "replay-elsewhere",
        did: "sends bob's message to alice on to carol, as it is",
        letter: |forger| {
            Ok(Letter {
                recipients: vec![forger.bystander.to_string()],
                ..forger.captured.clone()
            })
        },
        refusal: |forger| Rejection::NotSealedFor {
            recipient: forger.bystander.clone(),
        },
    },
    Way {
        step: "expired",
        did: "sends a seal that expired an hour ago",
        letter: |forger| dated(forger, &forger.own, -20 * HOUR, 19 * HOUR.unsigned_abs()),
        refusal: |forger| Rejection::SealExpired {
            clock: forger.world.now(),
        },
    },
    Way {
        step: "future",
        did: "dates a seal an hour ahead",
        letter: |forger| dated(forger, &forger.own, HOUR, 24 * HOUR.unsigned_abs()),
        refusal: |forger| Rejection::SealInFuture {
            clock: forger.world.now(),
        },
    },
    Way {
        step: "bare-line-feed",
        did: "hides a second message behind a bare line feed",
        letter: smuggled_message,
        refusal: |_| Rejection::BareLineEnd,
    },
];

/// Tried after the person whose key was stolen revoked it. The victim's server asks for
/// that key now for the first time: one that it had asked within the hour could still be
/// in its cache (spec §3.8).
pub const BACKDATED: Way = Way {
    step: "backdated",
    did: "dates a seal by the stolen key before its revocation",
    letter: seal_by_stolen,
    refusal: |forger| Rejection::KeyRevoked {
        signer: Identity::Address(owner_of_stolen(forger)),
    },
};

fn author(forger: &Forger) -> Identity {
    Identity::Address(forger.author.clone())
}

fn no_seal(forger: &Forger) -> Outcome<Letter> {
    Ok(Letter {
        from: forger.author.to_string(),
        announced: None,
        recipients: vec![forger.victim.to_string()],
        content: forger.message(&forger.author.to_string()),
    })
}

fn seal_as_author(forger: &Forger) -> Outcome<Letter> {
    let from = forger.author.to_string();
    forger.sealed(&Claim::now(&forger.author, &from, &forger.made))
}

fn own_seal(forger: &Forger) -> Outcome<Letter> {
    let (own, key) = &forger.own;
    forger.sealed(&Claim::now(own, &forger.author.to_string(), key))
}

fn two_authors(forger: &Forger) -> Outcome<Letter> {
    let (own, key) = &forger.own;
    let from = format!("{}, {own}", forger.author);
    forger.sealed(&Claim::now(own, &from, key))
}

fn owner_of_stolen(forger: &Forger) -> Address {
    let owner = forger.stolen.as_ref().map(|(owner, _)| owner.clone());
    owner.unwrap_or_else(|| forger.author.clone())
}

fn seal_by_stolen(forger: &Forger) -> Outcome<Letter> {
    let stolen = forger.stolen.as_ref().step("stolen key")?;
    dated(forger, stolen, -HOUR, 24 * HOUR.unsigned_abs())
}

/// By a key that is served, but with a date of the forger's choice.
fn dated(
    forger: &Forger,
    (owner, key): &(Address, SecretKey),
    dated: i64,
    lifetime: u64,
) -> Outcome<Letter> {
    let from = owner.to_string();
    let mut claim = Claim::now(owner, &from, key);
    claim.dated = dated;
    claim.lifetime = lifetime;
    forger.sealed(&claim)
}

/// The last line of the body gets a character more.
fn altered_body(text: &str) -> String {
    let body = text.trim_end_matches("\r\n");
    format!("{body}!\r\n")
}

fn altered_from(text: &str, forger: &Forger) -> String {
    let replaced = format!("From: ceo@{}\r\n", forger.author.domain());
    with_from(text, |_| replaced.clone())
}

fn second_from(text: &str) -> String {
    with_from(text, |from| format!("{from}From: ceo@example.org\r\n"))
}

/// The text with its From line (never folded by our client) replaced.
fn with_from(text: &str, replace: impl Fn(&str) -> String) -> String {
    let lines = text.split_inclusive("\r\n");
    lines
        .map(|line| match line.starts_with("From:") {
            true => replace(line),
            false => line.to_owned(),
        })
        .collect()
}

fn smuggled_message(forger: &Forger) -> Outcome<Letter> {
    let mut letter = own_seal(forger)?;
    let hidden = format!(
        "\n.\nMAIL FROM:<{}>\r\nRCPT TO:<{}>\r\nDATA\r\nFrom: {}\r\n\r\nhidden\r\n",
        forger.author, forger.victim, forger.author
    );
    letter.content.extend_from_slice(hidden.as_bytes());
    Ok(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_change_what_they_say() {
        let text = "Email2-Seal: v=1\r\nFrom: bob@example.org\r\n\r\nHello\r\n";
        assert_eq!(
            altered_body(text),
            "Email2-Seal: v=1\r\nFrom: bob@example.org\r\n\r\nHello!\r\n"
        );
        assert_eq!(second_from(text).matches("From: ").count(), 2);
    }

    #[test]
    fn every_way_has_its_own_name() {
        let mut names: Vec<&str> = WAYS.iter().map(|way| way.step).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), WAYS.len());
    }
}
