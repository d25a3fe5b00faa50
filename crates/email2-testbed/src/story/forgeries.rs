//! The forgers, one by one: each answer is compared with the refusal that it deserves.

use email2::seal::Seal;

use super::exchange::inbox_of;
use super::narrator::{Narrator, Step as Told};
use super::{Cast, attempt};
use crate::failure::{Outcome, Step};
use crate::forger::session::Letter;
use crate::forger::way::{BACKDATED, WAYS, Way};
use crate::forger::{Forger, announcement};
use crate::loopback::SUBMISSIONS_PORT;
use crate::testbed::Testbed;
use crate::wire::{Crossing, Direction};

/// Plays every way that is one letter.
///
/// # Errors
/// A connection is lost.
pub async fn play(testbed: &Testbed, forger: &Forger, narrator: &mut Narrator<'_>) -> Outcome<()> {
    for way in WAYS {
        try_way(testbed, forger, way, narrator).await?;
    }
    Ok(())
}

async fn try_way(
    testbed: &Testbed,
    forger: &Forger,
    way: &Way,
    narrator: &mut Narrator<'_>,
) -> Outcome<()> {
    let letter = (way.letter)(forger)?;
    let reply = attempt(testbed, &letter).await?;
    let refusal = (way.refusal)(forger);
    narrator.tell(Told {
        step: way.step.to_owned(),
        actor: "mallory".to_owned(),
        did: way.did.to_owned(),
        expected: refusal.to_string(),
        got: reply.to_string(),
        ok: way.matches(&reply, &refusal),
    });
    Ok(())
}

/// The stolen key, after its owner revoked it.
///
/// # Errors
/// The revocation is not taken, or a connection is lost.
pub async fn backdate(
    testbed: &Testbed,
    cast: &Cast,
    forger: &Forger,
    narrator: &mut Narrator<'_>,
) -> Outcome<()> {
    let domain = cast.robbed.address.domain().as_str();
    let door = testbed.door(domain, SUBMISSIONS_PORT)?;
    cast.robbed.revoke(&testbed.world, &door).await?;
    narrator.tell(Told {
        step: "revoke".to_owned(),
        actor: "dave".to_owned(),
        did: "finds his device stolen and revokes its key as compromised".to_owned(),
        expected: "the revocation is published".to_owned(),
        got: "the revocation is published".to_owned(),
        ok: true,
    });
    try_way(testbed, forger, &BACKDATED, narrator).await
}

/// The captured letter once more to the same mailbox: 250, and nothing stored.
///
/// # Errors
/// The mailbox cannot be counted, or a connection is lost.
pub async fn replay(
    testbed: &Testbed,
    forger: &Forger,
    narrator: &mut Narrator<'_>,
) -> Outcome<()> {
    let before = messages_of(testbed, forger).await?;
    let reply = attempt(testbed, &forger.captured).await?;
    let after = messages_of(testbed, forger).await?;
    let got = match after == before {
        true => format!("{reply}; the mailbox is as it was ({after} messages)"),
        false => format!("{reply}; the mailbox has {after} messages, it had {before}"),
    };
    narrator.tell(Told {
        step: "replay".to_owned(),
        actor: "mallory".to_owned(),
        did: "sends bob's message to alice once more".to_owned(),
        expected: "granted, and nothing is stored".to_owned(),
        got,
        ok: reply.is_granted() && after == before,
    });
    Ok(())
}

async fn messages_of(testbed: &Testbed, forger: &Forger) -> Outcome<usize> {
    Ok(inbox_of(testbed, &forger.victim).await?.len())
}

/// The letter that the lines of a tap hold: what came after DATA, or in one chunk.
///
/// # Errors
/// The lines hold no sealed message.
pub fn captured(crossed: &[Crossing]) -> Outcome<Letter> {
    let mine = crossed
        .iter()
        .filter(|c| c.direction == Direction::ToServer);
    let lines: Vec<&str> = mine.map(|crossing| crossing.line.as_str()).collect();
    let begin = lines
        .iter()
        .position(|line| line.starts_with("Email2-Seal:"));
    let begin = begin.step("a seal on the wire")?;
    let (before, content) = lines.split_at_checked(begin).step("lines")?;
    let chunk = before.last().and_then(|line| line.strip_prefix("BDAT "));
    let content = match chunk.and_then(|chunk| chunk.split(' ').next()) {
        Some(size) => of_chunk(content, size.parse().step("BDAT")?),
        None => of_data(content),
    };
    let seal = seal_of(&content)?;
    Ok(Letter {
        from: seal.reverse_path.to_string(),
        announced: Some(announcement(&seal.signer)),
        recipients: seal.recipients.iter().map(ToString::to_string).collect(),
        content: content.into_bytes(),
    })
}

/// Content with doubled dots, up to the lone one.
fn of_data(lines: &[&str]) -> String {
    let content = lines.iter().take_while(|line| **line != ".");
    content
        .map(|line| format!("{}\r\n", line.strip_prefix('.').unwrap_or(line)))
        .collect()
}

/// Content of so many octets.
fn of_chunk(lines: &[&str], size: usize) -> String {
    let mut content: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    content.truncate(size);
    content
}

/// The seal that content begins with.
fn seal_of(content: &str) -> Outcome<Seal> {
    let (_, value) = content.split_once(':').step("seal")?;
    let mut end = 0;
    for line in value.split_inclusive("\r\n") {
        if end > 0 && !line.starts_with([' ', '\t']) {
            break;
        }
        end += line.len();
    }
    let value = value.get(..end).unwrap_or_default();
    Seal::parse(value.as_bytes()).step("seal")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_read_off_the_wire() {
        assert_eq!(of_data(&["a", "..b", ".", "QUIT"]), "a\r\n.b\r\n");
        assert_eq!(of_chunk(&["a", ".b", "QUIT"], 7), "a\r\n.b\r\n");
    }
}
