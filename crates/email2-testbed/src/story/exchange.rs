//! The founding exchange.

use super::narrator::{Narrator, Step as Told};
use super::{Cast, TO, attempt, forgeries};
use crate::device::Device;
use crate::failure::{Outcome, Step};
use crate::forger::session::Letter;
use crate::forger::{Claim, seal_for};
use crate::testbed::Testbed;
use crate::wire::Crossing;

/// Plays it; the letter as it crossed the wire.
///
/// # Errors
/// The world broke.
pub async fn play(testbed: &Testbed, cast: &Cast, narrator: &mut Narrator<'_>) -> Outcome<Letter> {
    let tap = testbed.domain(TO)?.tap.as_ref().step("tap")?;
    drop(tap.take());
    let letter = letter(testbed, &cast.bob, &cast.alice)?;
    let reply = attempt(testbed, &letter).await?;
    narrator.tell(Told {
        step: "send".to_owned(),
        actor: "bob".to_owned(),
        did: format!("seals a message and gives it to the server of {TO}"),
        expected: format!("sealed by {}, stored", cast.bob.address),
        got: reply.to_string(),
        ok: reply.is_granted() && reply.to_string().contains("stored"),
    });
    let crossed = tap.take();
    narrator.wire(&shown(&crossed));
    forgeries::captured(&crossed)
}

fn letter(testbed: &Testbed, from: &Device, to: &Device) -> Outcome<Letter> {
    let author = from.address.to_string();
    let claim = Claim::now(&from.address, &author, &from.secret);
    seal_for(&testbed.world, &to.address, &claim)
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
