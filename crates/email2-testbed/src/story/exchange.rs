//! The founding exchange: two people are set up, bob finds alice's key, seals and delivers.

use email2::address::Address;
use email2_client::send::State;
use email2_store::{Message, Origin};

use super::narrator::{Narrator, Step as Told};
use super::{TO, forgeries};
use crate::failure::{Outcome, Step};
use crate::forger::session::Letter;
use crate::person::Person;
use crate::testbed::Testbed;
use crate::wire::Crossing;

/// What bob writes about.
pub const SUBJECT: &str = "The bridge";
/// And what.
pub const FIRST_LINE: &str = "Alice, meet me at the bridge at noon.";

/// Sets a person up and tells how their server was found and trusted.
///
/// # Errors
/// The world broke.
pub async fn set_up(
    testbed: &Testbed,
    address: &Address,
    trusted_by: &str,
    narrator: &mut Narrator<'_>,
) -> Outcome<Person> {
    let person = Person::set_up(testbed, address).await?;
    let told =
        |host: &str, trusted_by: &str| format!("key published at {host}, trusted by {trusted_by}");
    let expected = told(
        &testbed.domain(address.domain().as_str())?.place.plan.host,
        trusted_by,
    );
    let got = told(&person.enrolled.host, &person.enrolled.trusted_by);
    narrator.tell(Told {
        step: format!("setup-{}", address.local()),
        actor: address.local().to_owned(),
        did: "finds the server by DNS, makes a key on the device, enrols with the one-time code"
            .to_owned(),
        ok: expected == got,
        expected,
        got,
    });
    Ok(person)
}

/// Plays the exchange; the letter as it crossed the wire.
///
/// # Errors
/// The world broke.
pub async fn play(
    testbed: &Testbed,
    bob: &Person,
    alice: &Person,
    narrator: &mut Narrator<'_>,
) -> Outcome<Letter> {
    ask_for_key(bob, alice, narrator).await?;
    let crossed = send(testbed, bob, alice, narrator).await?;
    arrived(testbed, bob, alice, narrator).await?;
    forgeries::captured(&crossed)
}

async fn ask_for_key(bob: &Person, alice: &Person, narrator: &mut Narrator<'_>) -> Outcome<()> {
    let found = bob.client.remote().key_for_writing(&alice.address).await;
    let found = found.step("KEY")?;
    let told = |primary: String, assurance: &str| format!("{primary}, by {assurance}");
    let expected = told(alice.key().certificate().primary().to_string(), "dnssec");
    let assurance = found
        .assurance
        .map_or("nothing", |assurance| assurance.as_str());
    let got = told(found.certificate.primary().to_string(), assurance);
    narrator.tell(Told {
        step: "key".to_owned(),
        actor: "bob".to_owned(),
        did: format!(
            "asks the server of {TO} for alice's key: KEY <{}>",
            alice.address
        ),
        ok: expected == got,
        expected,
        got,
    });
    Ok(())
}

async fn send(
    testbed: &Testbed,
    bob: &Person,
    alice: &Person,
    narrator: &mut Narrator<'_>,
) -> Outcome<Vec<Crossing>> {
    let tap = testbed.domain(TO)?.tap.as_ref().step("tap")?;
    drop(tap.take());
    let reports = bob
        .send(&alice.address, SUBJECT, &format!("{FIRST_LINE}\n\nBob\n"))
        .await?;
    let report = reports.first().step("report")?;
    let protection = report.protection();
    let protection = protection.as_ref();
    narrator.tell(Told {
        step: "send".to_owned(),
        actor: "bob".to_owned(),
        did: "signs, encrypts, seals and delivers a message to alice's server".to_owned(),
        expected: format!("EncryptedPostQuantum: sealed by {}, stored", bob.address),
        got: format!(
            "{}: {}",
            protection.map_or_else(|| "unprotected".to_owned(), |how| format!("{how:?}")),
            report.words
        ),
        ok: report.state == State::Delivered
            && report
                .words
                .contains(&format!("sealed by {}, stored", bob.address)),
    });
    let crossed = tap.take();
    narrator.wire(&shown(&crossed));
    Ok(crossed)
}

/// What alice's server remembers about how the message came.
async fn arrived(
    testbed: &Testbed,
    bob: &Person,
    alice: &Person,
    narrator: &mut Narrator<'_>,
) -> Outcome<()> {
    let messages = inbox_of(testbed, &alice.address).await?;
    let got = match messages.last().map(|message| &message.origin) {
        Some(Origin::Accepted(provenance)) => provenance.to_string(),
        other => format!("{other:?}"),
    };
    narrator.tell(Told {
        step: "verdict".to_owned(),
        actor: "server".to_owned(),
        did: format!(
            "the server of {TO} asked {} for bob's key and judged",
            bob.address.domain()
        ),
        expected: format!("verified {}, by domain-certificate", bob.address),
        ok: messages.len() == 1
            && got.contains("verified")
            && got.contains(&bob.address.to_string())
            && got.contains("domain-certificate"),
        got,
    });
    Ok(())
}

/// The messages in somebody's INBOX, from the store beside the running server.
///
/// # Errors
/// The store cannot be read.
pub async fn inbox_of(testbed: &Testbed, address: &Address) -> Outcome<Vec<Message>> {
    let store = testbed.store(testbed.domain(address.domain().as_str())?)?;
    let account = store.account(address).await.step("account")?;
    let account = account.step("account")?;
    let inbox = store.mailbox(account.id, "INBOX").await.step("INBOX")?;
    store
        .messages(inbox.step("INBOX")?.id)
        .await
        .step("messages")
}

/// The dialogue and the header; the body is alice's.
fn shown(crossed: &[Crossing]) -> Vec<Crossing> {
    let mut body = false;
    let visible = crossed.iter().filter(|crossing| {
        let line = crossing.line.as_str();
        body = (body || line.is_empty()) && line != ".";
        !body
    });
    visible.cloned().collect()
}
