//! Alice finds the message in her inbox, with the verdict that her server kept, and answers.

use email2::address::Address;
use email2_client::inbox::{self, Entry};
use email2_client::send::State;

use super::exchange::{FIRST_LINE, SUBJECT};
use super::narrator::{Narrator, Step as Told};
use crate::failure::{Outcome, Step};
use crate::person::Person;

/// Mailbox of new mail.
const INBOX: &str = "INBOX";
/// As many entries as are asked for.
const NEWEST: usize = 10;

/// Plays it.
///
/// # Errors
/// The world broke.
pub async fn play(alice: &Person, bob: &Person, narrator: &mut Narrator<'_>) -> Outcome<()> {
    look(alice, &bob.address, narrator).await?;
    read(alice, &bob.address, narrator).await?;
    answer(alice, bob, narrator).await?;
    look(bob, &alice.address, narrator).await
}

/// The newest entry of the inbox must be verified and by `author`.
async fn look(reader: &Person, author: &Address, narrator: &mut Narrator<'_>) -> Outcome<()> {
    let entries = inbox::list(&reader.client, INBOX, NEWEST).await;
    let entries = entries.step("inbox")?;
    let told = |entry: &Entry| {
        let verdict = if entry.verified {
            "verified"
        } else {
            "unproved"
        };
        let from = entry.from.as_deref().unwrap_or("nobody");
        let lock = if entry.encrypted {
            "encrypted"
        } else {
            "clear"
        };
        format!("1 message: {verdict} {from}, {lock}")
    };
    let got = match entries.as_slice() {
        [entry] => told(entry),
        others => format!("{} messages", others.len()),
    };
    let expected = format!("1 message: verified {author}, encrypted");
    narrator.tell(Told {
        step: format!("inbox-{}", reader.address.local()),
        actor: reader.address.local().to_owned(),
        did: "looks into the inbox by IMAP".to_owned(),
        ok: got == expected,
        expected,
        got,
    });
    Ok(())
}

/// Decrypts the message and checks who signed it: only alice's device can.
async fn read(alice: &Person, author: &Address, narrator: &mut Narrator<'_>) -> Outcome<()> {
    let shown = alice.read_newest().await?;
    let proved = shown.verdict.author.as_deref().unwrap_or("nobody");
    let text = shown.sections.first().map_or("", |section| &section.text);
    let got = format!(
        "sealed by {proved}, signed: {}; {}; {}",
        shown.protection.standing,
        shown.subject,
        text.lines().next().unwrap_or_default()
    );
    let expected = format!("sealed by {author}, signed: verified; {SUBJECT}; {FIRST_LINE}");
    narrator.tell(Told {
        step: "read".to_owned(),
        actor: "alice".to_owned(),
        did: "decrypts the message with the key that never left her device".to_owned(),
        ok: got == expected,
        expected,
        got,
    });
    Ok(())
}

async fn answer(alice: &Person, bob: &Person, narrator: &mut Narrator<'_>) -> Outcome<()> {
    let reports = alice
        .send(&bob.address, "Re: The bridge", "I will.\n")
        .await?;
    let report = reports.first().step("report")?;
    let expected = format!("sealed by {}, stored", alice.address);
    narrator.tell(Told {
        step: "reply".to_owned(),
        actor: "alice".to_owned(),
        did: "answers: example.org is reached with TLS from the first octet".to_owned(),
        ok: report.state == State::Delivered && report.words.contains(&expected),
        expected,
        got: report.words.clone(),
    });
    Ok(())
}
