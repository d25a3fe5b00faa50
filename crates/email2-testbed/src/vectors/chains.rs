//! Whole messages in their envelopes, judged: one seal and stacks (spec §4.4 to
//! §4.9, §4.15, §7.2).

use email2::capability;
use email2::seal::Role;
use serde_json::{Value, json};

use super::Vector;
use super::cast::{CONTENT, Cast, DAY, NOW, Wish, armored};
use crate::failure::Outcome;

/// A message that comes in, before it is a vector.
#[derive(Clone)]
struct Case {
    name: &'static str,
    section: &'static str,
    says: &'static str,
    message: String,
    mail_from: &'static str,
    recipients: Vec<&'static str>,
    announced: Option<&'static str>,
    now: u64,
    /// One a seal, top first.
    signers: Vec<Value>,
    forwarders: Vec<&'static str>,
    outcome: Value,
}

impl Case {
    fn vector(self) -> Vector {
        Vector {
            id: format!("chain-{}", self.name),
            layer: "chain",
            section: self.section,
            valid: self.outcome.get("rejection").is_none(),
            says: self.says,
            given: json!({
                "message": self.message,
                "mail_from": self.mail_from,
                "recipients": self.recipients,
                "announced": self.announced,
                "now": self.now,
                "signers": self.signers,
                "mailbox": "alice@example.com",
                "forwarders": self.forwarders,
            }),
            outcome: self.outcome,
        }
    }

    fn refused(
        mut self,
        name: &'static str,
        section: &'static str,
        says: &'static str,
        reply: &str,
        id: &str,
    ) -> Self {
        (self.name, self.section, self.says) = (name, section, says);
        self.outcome = json!({ "reply": reply, "rejection": id });
        self
    }
}

fn known(certificate: &email2::certificate::Certificate) -> Value {
    json!({
        "known": armored(certificate), "assurance": "domain-certificate", "flags": "-", "fetched": NOW,
    })
}

fn verified(via: &[&str]) -> Value {
    json!({ "verified": "bob@example.org", "assurance": "domain-certificate", "via": via })
}

/// The good message that the others are made of.
fn good(cast: &Cast) -> Outcome<Case> {
    Ok(Case {
        name: "direct",
        section: "spec §4.4.1",
        says: "Bob to alice, directly.",
        message: "Received: from mail.example.org\r\n".to_owned()
            + &Wish::default().sealed(CONTENT, &cast.bob)?,
        mail_from: "bob@example.org",
        recipients: vec!["alice@example.com"],
        announced: Some("author,bob@example.org"),
        now: NOW + 60,
        signers: vec![known(cast.bob.certificate())],
        forwarders: vec![],
        outcome: verified(&[]),
    })
}

pub(super) fn vectors(cast: &Cast) -> Outcome<Vec<Vector>> {
    let good = good(cast)?;
    let mut cases = vec![good.clone()];
    cases.extend(envelopes(cast, &good)?);
    cases.extend(headers(&good));
    cases.extend(contents(cast, &good)?);
    cases.extend(times(&good));
    cases.extend(signers(&good));
    cases.push(unassured(&good));
    cases.extend(stacks(cast, &good)?);
    cases.extend(reports(cast, &good)?);
    Ok(cases.into_iter().map(Case::vector).collect())
}

#[rustfmt::skip] // one case a line
fn envelopes(cast: &Cast, good: &Case) -> Outcome<Vec<Case>> {
    let other_recipient = Case { recipients: vec!["carol@example.com"], ..good.clone() };
    let other_path = Case { mail_from: "mallory@example.org", ..good.clone() };
    let other_announced = Case { announced: Some("author,mallory@example.org"), ..good.clone() };
    let other_role = Case { announced: Some("forward,bob@example.org"), ..good.clone() };
    let as_bob = Wish { signer: "mallory@example.org", reverse_path: "mallory@example.org", ..Wish::default() };
    let mallory = Case {
        message: as_bob.sealed(CONTENT, &cast.mallory)?,
        mail_from: "mallory@example.org",
        announced: Some("author,mallory@example.org"),
        signers: vec![known(cast.mallory.certificate())],
        ..good.clone()
    };
    let two = Wish { recipients: &["alice@example.com", "carol@example.com"], ..Wish::default() };
    let subset = Case {
        name: "subset",
        says: "One of two sealed recipients in this transaction.",
        message: two.sealed(CONTENT, &cast.bob)?,
        ..good.clone()
    };
    let unannounced = Case {
        name: "unannounced",
        section: "spec §4.15.2",
        says: "Sealed, and it came over an ordinary hop.",
        announced: None,
        mail_from: "bounces@alumni.example",
        outcome: verified(&["unsealed-hop"]),
        ..good.clone()
    };
    Ok(vec![
        subset,
        unannounced,
        other_recipient.refused(
            "re-aimed",
            "spec §4.4.1",
            "For somebody who was not sealed for.",
            "550 5.7.1",
            "not-sealed-for",
        ),
        other_path.refused(
            "reverse-path",
            "spec §4.4.1",
            "MAIL FROM is not the sealed one.",
            "550 5.7.1",
            "reverse-path-differs",
        ),
        other_announced.refused("announced", "spec §3.2.1", "MAIL announced another signer.", "550 5.7.1", "announced-differs"),
        other_role.refused("role", "spec §3.2.1", "MAIL announced another role.", "550 5.7.1", "announced-differs"),
        mallory.refused("from-differs", "spec §4.5.1", "Mallory sealed mail of bob.", "550 5.7.1", "from-differs"),
    ])
}

/// Puts a text in front of, or in place of, something in the good message.
fn with(good: &Case, from: &str, to: &str) -> Case {
    Case {
        message: good.message.replacen(from, to, 1),
        ..good.clone()
    }
}

#[rustfmt::skip] // one case a line
fn headers(good: &Case) -> Vec<Case> {
    let above = Case { message: format!("Subject: other\r\n{}", good.message), ..good.clone() };
    let trace = Case {
        name: "trace-above",
        section: "spec §4.7.1",
        says: "Anything else above the seal is a trace field.",
        message: format!("X-Spam: no\r\nReturn-Path: <>\r\n{}", good.message),
        ..good.clone()
    };
    let two = with(good, "To: alice", "From: ceo@example.org\r\nTo: alice");
    let list = with(good, "Bob <bob@example.org>", "bob@example.org, ceo@example.org");
    let bcc = with(good, "Subject: lunch", "Bcc: carol@example.com\r\nSubject: lunch");
    let verdict = with(good, "Subject: lunch", "Email2-Verdict: verified\r\nSubject: lunch");
    let twice = with(good, "Subject: lunch", "Subject: lunch\r\nSubject: dinner");
    let none = Case { message: CONTENT.to_owned(), signers: vec![], ..good.clone() };
    let unsealed = Case { announced: None, ..none.clone() };
    vec![
        trace,
        above.refused("field-above", "spec §4.7.2", "A field smuggled above the seal.", "550 5.7.1", "field-above-seal"),
        two.refused("two-from", "spec §4.8.3", "A second From.", "550 5.6.0", "field-twice"),
        list.refused("from-list", "spec §4.8.1", "Two addresses in From.", "550 5.6.0", "from-malformed"),
        bcc.refused("bcc", "spec §4.7.3", "A Bcc below the seal.", "550 5.7.1", "field-below-seal"),
        verdict.refused("verdict-field", "spec §4.7.3", "A verdict below the seal.", "550 5.7.1", "field-below-seal"),
        twice.refused("subject-twice", "spec §4.8.3", "Two subjects.", "550 5.6.0", "field-twice"),
        none.refused("announced-unsealed", "spec §3.2.1", "Announced, and no seal is there.", "550 5.7.1", "seal-missing"),
        unsealed.refused("unsealed", "spec §10.4.1", "Ordinary mail where only sealed mail is taken.", "550 5.7.1", "unsealed"),
    ]
}

#[rustfmt::skip] // one case a line
fn contents(cast: &Cast, good: &Case) -> Outcome<Vec<Case>> {
    let altered = with(good, "noon", "nine");
    let bare = with(good, "noon?\r\n", "noon?\n.\r\n");
    let open = with(good, "noon?\r\n", "noon?");
    let forged = Case { signers: vec![known(cast.mallory.certificate())], ..good.clone() };
    Ok(vec![
        altered.refused("altered", "spec §4.3.1", "A word of the body was changed.", "550 5.7.7", "digest-wrong"),
        bare.refused("bare-lf", "spec §4.3.2", "A bare LF.", "550 5.6.0", "bare-line-end"),
        open.refused("no-end", "spec §4.3.2", "No CRLF at the end.", "550 5.6.0", "no-final-line-end"),
        forged.refused("another-key", "spec §4.2.4", "The certificate is not bound to the signer.", "550 5.7.5", "key-unfit"),
    ])
}

#[rustfmt::skip] // one case a line
fn times(good: &Case) -> Vec<Case> {
    let at = |now| Case { now, ..good.clone() };
    let edge =
        Case { name: "ten-minutes-ahead", section: "spec §4.9.2", says: "Ten minutes ahead are tolerated.", ..at(NOW - 600) };
    vec![
        edge,
        at(NOW - 601).refused("future", "spec §4.9.2", "More than ten minutes ahead.", "451 4.7.7", "seal-in-future"),
        at(NOW + 10 * DAY + 1).refused("expired", "spec §4.9.2", "Expired.", "451 4.7.7", "seal-expired"),
    ]
}

#[rustfmt::skip] // one case a line
fn signers(good: &Case) -> Vec<Case> {
    let with = |signer: Value| Case { signers: vec![signer], ..good.clone() };
    let unauthenticated = |definite| with(json!({ "unauthenticated": { "definite": definite } }));
    vec![
        with(json!("no-such-key")).refused(
            "no-such-key",
            "spec §7.2.1",
            "The domain has no such key.",
            "550 5.7.5",
            "no-such-key",
        ),
        with(json!("no-domain")).refused(
            "no-domain",
            "spec §7.2.1",
            "The domain does not exist.",
            "550 5.1.8",
            "no-such-domain",
        ),
        with(json!("dns-failure")).refused("dns-failure", "spec §2.3.3", "DNS does not answer.", "451 4.4.3", "dns-failure"),
        with(json!({ "not-speaking": { "known": false } })).refused(
            "not-speaking",
            "spec §7.2.1",
            "The domain does not speak Email 2.0.",
            "550 5.7.1",
            "not-speaking",
        ),
        with(json!({ "not-speaking": { "known": true } })).refused(
            "downgraded",
            "spec §2.4.1",
            "It is known to speak it and seems not to.",
            "451 4.7.5",
            "downgrade-suspected",
        ),
        with(json!({ "unreachable": { "known": true } })).refused(
            "unreachable",
            "spec §7.2.1",
            "Nobody can be asked.",
            "451 4.7.5",
            "signer-unreachable",
        ),
        unauthenticated(true).refused(
            "forged-mx",
            "spec §2.2.2",
            "Nothing authenticates the host for the domain.",
            "550 5.7.1",
            "domain-unauthenticated",
        ),
        unauthenticated(false).refused(
            "forged-mx-perhaps",
            "spec §2.2.2",
            "One way could not be asked.",
            "451 4.7.5",
            "domain-unauthenticated-now",
        ),
    ]
}

/// A key that was learnt, and nothing authenticated the host for the domain.
fn unassured(good: &Case) -> Case {
    let mut unassured = good.clone();
    if let Some(signer) = unassured.signers.first_mut().and_then(Value::as_object_mut) {
        signer.insert("assurance".into(), Value::Null);
    }
    unassured.refused(
        "no-assurance",
        "spec §2.2.2",
        "A key learnt without assurance.",
        "451 4.7.5",
        "domain-unauthenticated-now",
    )
}

/// Bob to the list, the list to alice.
#[rustfmt::skip] // one case a line
fn stacks(cast: &Cast, good: &Case) -> Outcome<Vec<Case>> {
    let to_list = Wish { recipients: &["friends@example.net"], ..Wish::default() };
    let lower = to_list.sealed(CONTENT, &cast.bob)?;
    let onward = Wish {
        role: Role::Forward,
        signer: "friends@example.net",
        reverse_path: "friends@example.net",
        created: NOW + 30,
        nonce: 2,
        ..Wish::default()
    };
    let between = format!("List-Id: <friends.example.net>\r\nPrecedence: list\r\n{lower}");
    let stack = Case {
        name: "list",
        section: "spec §4.6.4",
        says: "By a list that alice registered.",
        message: onward.sealed(&between, &cast.list)?,
        mail_from: "friends@example.net",
        announced: Some("forward,friends@example.net"),
        signers: vec![known(cast.list.certificate()), known(cast.bob.certificate())],
        forwarders: vec!["friends@example.net"],
        outcome: verified(&["friends@example.net"]),
        ..good.clone()
    };
    let unregistered = Case { forwarders: vec![], ..stack.clone() };
    let received = onward.sealed(&format!("Received: from x\r\n{lower}"), &cast.list)?;
    let received = Case { message: received, ..stack.clone() };
    let subject = onward.sealed(&format!("Subject: [friends]\r\n{lower}"), &cast.list)?;
    let subject = Case { message: subject, ..stack.clone() };
    let stranger = Wish { recipients: &["carol@example.com"], ..Wish::default() }.sealed(CONTENT, &cast.bob)?;
    let stranger = Case { message: onward.sealed(&stranger, &cast.list)?, ..stack.clone() };
    let before = Wish { created: NOW - 30, ..onward.clone() };
    let before = Case { message: before.sealed(&lower, &cast.list)?, ..stack.clone() };
    let nine = format!("{}: x\r\n", capability::SEAL_FIELD).repeat(9) + CONTENT;
    let nine = Case { message: nine, signers: vec![], ..good.clone() };
    Ok(vec![
        stack,
        unregistered.refused(
            "unregistered",
            "spec §4.6.4",
            "By a list that alice does not know.",
            "550 5.7.1",
            "forwarder-unknown",
        ),
        received.refused("between", "spec §4.6.3", "A field between two seals.", "550 5.7.1", "field-between-seals"),
        subject.refused("list-subject", "spec §4.7.2", "The list changed the subject.", "550 5.7.1", "field-above-seal"),
        stranger.refused(
            "not-its-recipient",
            "spec §4.5.2",
            "Forwarded by somebody who was not a recipient.",
            "550 5.7.1",
            "stack-rule",
        ),
        before.refused("time-order", "spec §4.6.2", "Forwarded before it was written.", "550 5.7.1", "stack-rule"),
        nine.refused("nine-seals", "spec §4.6.1", "Nine seals.", "550 5.7.1", "too-many-seals"),
    ])
}

fn reports(cast: &Cast, good: &Case) -> Outcome<Vec<Case>> {
    let wish = Wish {
        role: Role::Service,
        signer: "@example.com",
        reverse_path: "",
        nonce: 3,
        ..Wish::default()
    };
    let as_bob = Case {
        message: wish.sealed(CONTENT, &cast.service)?,
        mail_from: "",
        announced: Some("service,@example.com"),
        signers: vec![known(cast.service.certificate())],
        ..good.clone()
    };
    Ok(vec![as_bob.refused(
        "service-authors",
        "spec §4.5.3",
        "A service that writes as a person.",
        "550 5.7.1",
        "from-differs",
    )])
}
