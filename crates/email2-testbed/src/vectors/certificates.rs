//! Certificates: what is accepted, bound, encrypted to, and followed (spec §6).

use email2::certificate::{Certificate, RevocationReason};
use serde_json::json;

use super::Vector;
use super::cast::{Cast, DAY, NOW, armored, key, rng};
use crate::failure::{Outcome, Step};

/// Certificates that were met in the field.
const CRITICAL_SUBPACKET: &str = include_str!("../../cases/K02-critical-subpacket.txt");
const FLOODED: &str = include_str!("../../cases/K07-flooded.txt");
const EXPIRED: &str = include_str!("../../cases/K08-expired.txt");
const EXTENDED: &str = include_str!("../../cases/K08-extended.txt");

pub(super) fn vectors(cast: &Cast) -> Outcome<Vec<Vector>> {
    let mut vectors = uses(cast)?;
    vectors.extend(successions(cast)?);
    Ok(vectors)
}

/// May one encrypt to `identity` by this certificate at `now`?
#[rustfmt::skip] // one case a line
fn uses(cast: &Cast) -> Outcome<Vec<Vector>> {
    let bob = cast.bob.certificate();
    let revoked = cast.bob.revoke(RevocationReason::Retired, NOW - 1, &mut rng(20)).step("revocation")?;
    let expired = cast.bob.expiring(Some(NOW - 1), NOW - DAY, &mut rng(21)).step("expiry")?;
    let who = "bob@example.org";
    Ok(vec![
        usage("default", "spec §6.1.1", "The default certificate.", &armored(bob), who, None),
        usage("not-bound", "spec §6.3.1", "Nobody bound it to alice.", &armored(bob), "alice@example.com", Some("not-bound")),
        usage("revoked", "spec §6.6.1", "It is revoked.", &armored(&revoked), who, Some("cannot-encrypt")),
        usage("expired", "spec §6.6.1", "It has expired.", &armored(expired.certificate()), who, Some("cannot-encrypt")),
        usage(
            "service",
            "spec §6.8.1",
            "A service signs; one does not encrypt to it.",
            &armored(cast.service.certificate()),
            "@example.com",
            Some("cannot-encrypt"),
        ),
        usage("truncated", "spec §6.4.2", "Cut in the middle.", &truncated(bob), who, Some("malformed")),
        usage("empty", "spec §6.4.2", "Nothing at all.", "", who, Some("malformed")),
        usage("flooded", "spec §6.4.1", "420 certifications by others are stripped.", FLOODED, "frank@example.org", None),
        usage(
            "critical-subpacket",
            "spec §6.3.3",
            "A self-signature with an unknown critical subpacket is absent.",
            CRITICAL_SUBPACKET,
            "carol.two@example.com",
            Some("not-bound"),
        ),
        usage(
            "beside-critical",
            "spec §6.3.3",
            "The other User IDs of that certificate stand.",
            CRITICAL_SUBPACKET,
            "carol@example.com",
            None,
        ),
        usage(
            "field-expired",
            "spec §6.6.2",
            "Expired: the copy that a correspondent kept.",
            EXPIRED,
            "grace@example.org",
            Some("cannot-encrypt"),
        ),
        usage("field-extended", "spec §6.6.2", "The same key, extended by its owner.", EXTENDED, "grace@example.org", None),
    ])
}

/// Half of the armored lines, with no end.
fn truncated(certificate: &Certificate) -> String {
    let text = armored(certificate);
    let lines: Vec<&str> = text.lines().collect();
    lines
        .iter()
        .take(lines.len() / 2)
        .map(|line| format!("{line}\n"))
        .collect()
}

fn usage(
    name: &str,
    section: &'static str,
    says: &'static str,
    certificate: &str,
    identity: &str,
    fault: Option<&str>,
) -> Vector {
    Vector {
        id: format!("certificate-{name}"),
        layer: "certificate",
        section,
        valid: fault.is_none(),
        says,
        given: json!({ "certificate": certificate, "identity": identity, "now": NOW }),
        outcome: fault.map_or(json!({}), |fault| json!({ "fault": fault })),
    }
}

/// May the served certificate take the place of the known one?
fn successions(cast: &Cast) -> Outcome<Vec<Vector>> {
    let bob = cast.bob.certificate();
    let new = key("bob@example.org", 30)?;
    let linked = cast
        .bob
        .transition_to(new.certificate(), NOW, &mut rng(31))
        .step("transition")?;
    let revoked = cast
        .bob
        .revoke(RevocationReason::Superseded, NOW, &mut rng(32))
        .step("revocation")?;
    Ok(vec![
        succession(
            "same",
            "spec §6.5.1",
            "The certificate that was known.",
            bob,
            bob,
            "same",
        ),
        succession(
            "merged",
            "spec §6.5.1",
            "A revocation is kept.",
            bob,
            &revoked,
            "merged",
        ),
        succession(
            "revocation-stays",
            "spec §6.5.1",
            "An old copy takes no revocation away.",
            &revoked,
            bob,
            "same",
        ),
        succession(
            "transition",
            "spec §6.5.2",
            "The old key signed the new one.",
            bob,
            &linked,
            "transition",
        ),
        succession(
            "unlinked",
            "spec §6.5.2",
            "A new key that nothing links.",
            bob,
            new.certificate(),
            "new",
        ),
    ])
}

fn succession(
    name: &str,
    section: &'static str,
    says: &'static str,
    known: &Certificate,
    served: &Certificate,
    outcome: &str,
) -> Vector {
    Vector {
        id: format!("succession-{name}"),
        layer: "succession",
        section,
        valid: outcome != "new",
        says,
        given: json!({ "known": armored(known), "served": armored(served) }),
        outcome: json!({ "succession": outcome }),
    }
}
