//! The verdict: every row of the table "while verifying" (spec §7.2), the
//! forgeries, stacks, and seals that nobody announced.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use email2::block::BlockPattern;
use email2::certificate::RevocationReason;
use email2::certificate::generate::generate;
use email2::evidence::{Announced, Evidence, Reported, SignerEvidence, SignerKey};
use email2::scan::Scan;
use email2::seal::vouched::Vouched;
use email2::seal::{ContentDigest, Nonce, Role, Seal, SealRequest, sign};
use email2::secret::SecretKey;
use email2::verdict::{
    Accepted, Legacy, Outline, Place, Provenance, RecipientPolicy, UnregisteredStack, Verdict, Via,
    Way, foresee, judge,
};
use email2::{Address, Assurance, Identity, KeyFlags, Rejection, ReversePath, limits};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const NOW: u64 = 1_764_000_000;
const CONTENT: &str = "From: Bob <bob@example.org>\r\nTo: alice@example.com\r\n\
    Subject: lunch\r\n\r\nHello\r\n";

const REPORT: &str = "From: mailer-daemon@example.org\r\nTo: alice@example.com\r\n\
    Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
    --b\r\n\r\nx\r\n--b--\r\n";

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(11)
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn identity(text: &str) -> Identity {
    text.parse().unwrap()
}

fn key(who: &str) -> SecretKey {
    let seed = who.bytes().map(u64::from).sum();
    generate(
        &identity(who),
        NOW - 1000,
        &mut ChaCha20Rng::seed_from_u64(seed),
    )
    .unwrap()
}

/// A seal by `who` from `path` to `to`, made at `NOW`.
fn request(role: Role, who: &str, path: &str, to: &str) -> SealRequest {
    SealRequest {
        role,
        signer: identity(who),
        reverse_path: ReversePath::parse(path).unwrap(),
        recipients: to.split(' ').map(address).collect(),
        created: NOW,
        expires: NOW + limits::SEAL_LIFETIME,
        nonce: Nonce::random(&mut rng()),
        digest: [0; 32],
    }
}

fn author() -> SealRequest {
    request(
        Role::Author,
        "bob@example.org",
        "bob@example.org",
        "alice@example.com",
    )
}

/// The content with a seal prepended.
fn seal(request: SealRequest, key: &SecretKey, content: &str) -> (Seal, String) {
    let digest = ContentDigest::of(content.as_bytes()).unwrap();
    let seal = sign(&SealRequest { digest, ..request }, key, &mut rng()).unwrap();
    let message = format!("{}{content}", seal.field());
    (seal, message)
}

fn known(key: &SecretKey) -> SignerEvidence {
    SignerEvidence::Known(SignerKey {
        certificate: key.certificate().clone(),
        assurance: Some(Assurance::Dnssec),
        flags: KeyFlags::default(),
        fetched: NOW,
    })
}

/// The evidence of a message that came as its top seal says.
fn evidence(top: &Seal, message: &str, signers: Vec<SignerEvidence>) -> Evidence {
    Evidence {
        now: NOW,
        mail_from: top.reverse_path.clone(),
        recipients: top.recipients.clone(),
        announced: Some(Announced {
            role: top.role,
            signer: top.signer.clone(),
        }),
        scanned: Scan::whole(false, message.as_bytes()).unwrap(),
        signers,
        reported: Vec::new(),
        ordinary: None,
    }
}

/// What a report contains: the seal of a message from `path` that alice sealed for `to`.
fn reported(path: &str, to: &str) -> Vec<Reported> {
    let alice = key("alice@example.com");
    let request = request(Role::Author, "alice@example.com", path, to);
    let (inside, _) = seal(request, &alice, CONTENT);
    vec![Reported {
        seal: inside,
        signer: known(&alice),
    }]
}

fn from_bob() -> Evidence {
    let bob = key("bob@example.org");
    let (top, message) = seal(author(), &bob, CONTENT);
    evidence(&top, &message, vec![known(&bob)])
}

fn policy<'a>(forwarders: &'a [Address], blocks: &'a [BlockPattern]) -> RecipientPolicy<'a> {
    RecipientPolicy {
        mailbox: address("alice@example.com"),
        aliases: &[],
        legacy: Legacy::Reject,
        blocks,
        forwarders,
        unregistered_stack: UnregisteredStack::Reject,
    }
}

fn accept(verdict: &Verdict) -> Result<Accepted, Rejection> {
    verdict.accept(&policy(&[], &[]))
}

/// The stable name of the refusal for everybody.
fn refused(evidence: Evidence) -> &'static str {
    judge(evidence)
        .rejection()
        .map_or("accepted", Rejection::id)
}

#[test]
fn bob_to_alice_is_verified() {
    let verdict = judge(from_bob());
    assert_eq!(verdict.rejection(), None);
    assert_eq!(verdict.author(), Some(&identity("bob@example.org")));
    let accepted = accept(&verdict).unwrap();
    assert_eq!(
        accepted.provenance(),
        &Provenance::Verified {
            author: address("bob@example.org"),
            assurance: Assurance::Dnssec,
            at: NOW,
            via: vec![],
        }
    );
    assert_eq!(accepted.way(), Way::Direct);
    let [memory] = accepted.seals() else { panic!() };
    assert_eq!(memory.keep_until, NOW + limits::SEAL_MEMORY);
    assert_eq!(memory.key, verdict.seals().first().unwrap().key);
}

#[test]
fn the_envelope_is_bound() {
    let path = |path: &str| Evidence {
        mail_from: ReversePath::parse(path).unwrap(),
        ..from_bob()
    };
    assert_eq!(refused(path("eve@example.org")), "reverse-path-differs");
    assert_eq!(refused(path("")), "reverse-path-differs");
    let to = |to: &[&str]| Evidence {
        recipients: to.iter().map(|to| address(to)).collect(),
        ..from_bob()
    };
    assert_eq!(refused(to(&["dave@example.com"])), "not-sealed-for");
    assert_eq!(
        refused(to(&["alice@example.com", "dave@example.com"])),
        "not-sealed-for"
    );
    let announced = |role, who: &str| Evidence {
        announced: Some(Announced {
            role,
            signer: identity(who),
        }),
        ..from_bob()
    };
    assert_eq!(
        refused(announced(Role::Author, "eve@example.org")),
        "announced-differs"
    );
    assert_eq!(
        refused(announced(Role::Forward, "bob@example.org")),
        "announced-differs"
    );
}

#[test]
fn announced_without_a_seal() {
    let scanned = Scan::whole(false, CONTENT.as_bytes()).unwrap();
    assert_eq!(
        refused(Evidence {
            scanned,
            ..from_bob()
        }),
        "seal-missing"
    );
}

#[test]
fn what_was_changed_is_refused() {
    let bob = key("bob@example.org");
    let (top, message) = seal(author(), &bob, CONTENT);
    let with = |message: &str| refused(evidence(&top, message, vec![known(&bob)]));
    assert_eq!(with(&message), "accepted");
    assert_eq!(with(&message.replace("Hello", "Hullo")), "digest-wrong");
    assert_eq!(
        with(&message.replace("Bob <bob@", "Bob <ceo@")),
        "from-differs"
    );
    assert_eq!(
        with(&format!("Subject: other\r\n{message}")),
        "field-above-seal"
    );
    assert_eq!(with(&format!("Received: from x\r\n{message}")), "accepted");
    let digits = format!("t={NOW}");
    assert_eq!(
        with(&message.replace(&digits, &format!("t={}", NOW + 1))),
        "seal-malformed"
    );
    let expires = format!("x={}", NOW + limits::SEAL_LIFETIME);
    let later = format!("x={}", NOW + limits::SEAL_LIFETIME + 1);
    assert_eq!(with(&message.replace(&expires, &later)), "signature-wrong");
}

#[test]
fn all_but_digest_and_key_is_foreseen() {
    let foreseen = |evidence: &Evidence| {
        let outline = Outline {
            now: evidence.now,
            mail_from: &evidence.mail_from,
            recipients: &evidence.recipients,
            header: &evidence.scanned.header,
        };
        foresee(&outline, evidence.announced.as_ref().unwrap())
    };
    assert_eq!(foreseen(&from_bob()), Ok(()));
    let bob = key("bob@example.org");
    let (top, message) = seal(author(), &bob, CONTENT);
    let changed = |message: &str| evidence(&top, message, vec![known(&bob)]);
    let body_changed = changed(&message.replace("Hello", "Hullo"));
    assert_eq!(foreseen(&body_changed), Ok(()), "the body is not seen yet");
    let wrong = [
        changed(&message.replace("Bob <bob@", "Bob <ceo@")),
        changed(&format!("Subject: other\r\n{message}")),
        changed(CONTENT),
        Evidence {
            now: NOW + limits::SEAL_LIFETIME + 1,
            ..from_bob()
        },
        Evidence {
            mail_from: ReversePath::Null,
            ..from_bob()
        },
        Evidence {
            recipients: vec![address("carol@example.com")],
            ..from_bob()
        },
    ];
    for evidence in wrong {
        let foreseen = foreseen(&evidence).unwrap_err();
        assert_eq!(judge(evidence).rejection(), Some(&foreseen));
    }
}

#[test]
fn the_clock() {
    let at = |now| Evidence { now, ..from_bob() };
    assert_eq!(refused(at(NOW - limits::SEAL_AHEAD)), "accepted");
    assert_eq!(refused(at(NOW - limits::SEAL_AHEAD - 1)), "seal-in-future");
    assert_eq!(refused(at(NOW + limits::SEAL_LIFETIME)), "accepted");
    assert_eq!(refused(at(NOW + limits::SEAL_LIFETIME + 1)), "seal-expired");
    let refusal = judge(at(0)).rejection().cloned().unwrap();
    assert!(refusal.is_temporary() && refusal.sentence().contains("clock=0"));
}

#[test]
fn other_keys_do_not_seal_for_bob() {
    let with = |signer| {
        refused(Evidence {
            signers: vec![signer],
            ..from_bob()
        })
    };
    let mallory = key("mallory@example.org");
    assert_eq!(with(known(&mallory)), "key-unfit");
    let other_bob = generate(&identity("bob@example.org"), NOW, &mut rng()).unwrap();
    assert_eq!(with(known(&other_bob)), "key-unfit");
    let bob = key("bob@example.org");
    let lost = bob
        .revoke(RevocationReason::Compromised, NOW + 9, &mut rng())
        .unwrap();
    let with_certificate = |certificate, flags| {
        with(SignerEvidence::Known(SignerKey {
            certificate,
            assurance: Some(Assurance::Dnssec),
            flags,
            fetched: NOW,
        }))
    };
    assert_eq!(with_certificate(lost, KeyFlags::default()), "key-revoked");
    let hard = KeyFlags {
        hard: true,
        ..KeyFlags::default()
    };
    assert_eq!(
        with_certificate(bob.certificate().clone(), hard),
        "key-revoked"
    );
    let ended = bob.expiring(Some(NOW), NOW - 5, &mut rng()).unwrap();
    assert_eq!(
        with_certificate(ended.certificate().clone(), KeyFlags::default()),
        "key-expired"
    );
}

/// spec §7.2: what is known of the signer, the answer, and whether an
/// administrator hears of it.
fn rows() -> Vec<(SignerEvidence, &'static str, bool)> {
    let why = || "test".to_owned();
    let unreachable = |known| SignerEvidence::Unreachable { known, why: why() };
    let unauthenticated = |definite| SignerEvidence::Unauthenticated {
        definite,
        why: why(),
    };
    let not_speaking = |known| SignerEvidence::NotSpeaking { known };
    let dns = SignerEvidence::DnsFailure { why: why() };
    vec![
        (dns, "451 4.4.3", false),
        (SignerEvidence::NoDomain, "550 5.1.8", false),
        (unreachable(true), "451 4.7.5", true),
        (unreachable(false), "451 4.7.5", false),
        (not_speaking(true), "451 4.7.5", true),
        (not_speaking(false), "550 5.7.1", false),
        (SignerEvidence::NoSuchKey, "550 5.7.5", false),
        (unauthenticated(false), "451 4.7.5", true),
        (unauthenticated(true), "550 5.7.1", false),
        (SignerEvidence::NotAsked, "451 4.7.5", false),
    ]
}

#[test]
fn the_table_while_verifying() {
    for (signer, answer, alarm) in rows() {
        let label = format!("{signer:?}");
        let verdict = judge(Evidence {
            signers: vec![signer],
            ..from_bob()
        });
        let text = verdict.rejection().unwrap().to_string();
        assert!(text.starts_with(answer), "{label}: {text}");
        assert_eq!(verdict.alarm().is_some(), alarm, "{label}");
        assert!(accept(&verdict).is_err());
    }
    let no_evidence = judge(Evidence {
        signers: vec![],
        ..from_bob()
    });
    assert!(no_evidence.rejection().unwrap().is_temporary());
}

#[test]
fn without_assurance_nothing_is_verified() {
    let bob = key("bob@example.org");
    let signer = SignerEvidence::Known(SignerKey {
        certificate: bob.certificate().clone(),
        assurance: None,
        flags: KeyFlags::default(),
        fetched: NOW,
    });
    let evidence = Evidence {
        signers: vec![signer],
        ..from_bob()
    };
    assert_eq!(refused(evidence), "domain-unauthenticated-now");
}

#[test]
fn blocks_come_first() {
    let verdict = judge(from_bob());
    for block in ["bob@example.org", "@example.org", "b*@example.*"] {
        let blocks = [BlockPattern::parse(block).unwrap()];
        let answer = verdict.accept(&policy(&[], &blocks)).map(|_| ());
        assert_eq!(answer, Err(Rejection::Blocked), "{block}");
    }
}

/// bob to alice@alumni.edu, whose service passes it on to alice@example.com.
struct Stack {
    bob: SecretKey,
    alumni: SecretKey,
    top: Seal,
    message: String,
}

fn stack(between: &str) -> Stack {
    let (bob, alumni) = (key("bob@example.org"), key("@alumni.edu"));
    let first = request(
        Role::Author,
        "bob@example.org",
        "bob@example.org",
        "alice@alumni.edu",
    );
    let (_, inner) = seal(first, &bob, CONTENT);
    let second = request(
        Role::Forward,
        "@alumni.edu",
        "bounce@alumni.edu",
        "alice@example.com",
    );
    let (top, message) = seal(second, &alumni, &format!("{between}{inner}"));
    Stack {
        bob,
        alumni,
        top,
        message,
    }
}

#[test]
fn a_registered_mediator_keeps_the_author_verified() {
    let Stack {
        bob,
        alumni,
        top,
        message,
    } = stack("List-Id: <x.alumni.edu>\r\n");
    let verdict = judge(evidence(&top, &message, vec![known(&alumni), known(&bob)]));
    assert_eq!(verdict.rejection(), None);
    assert_eq!(
        accept(&verdict).map(|_| ()),
        Err(Rejection::ForwarderUnknown {
            forwarder: identity("@alumni.edu")
        })
    );
    let registered = [address("alice@alumni.edu")];
    let accepted = verdict.accept(&policy(&registered, &[])).unwrap();
    assert_eq!(accepted.way(), Way::Registered);
    assert_eq!(accepted.seals().len(), 2);
    let Provenance::Verified { author, via, .. } = accepted.provenance() else {
        panic!()
    };
    assert_eq!(author, &address("bob@example.org"));
    let forwarder = Via::Forwarder {
        signer: identity("@alumni.edu"),
        address: address("alice@alumni.edu"),
    };
    assert_eq!(via, &[forwarder]);
    // Another address of the same domain is not registered with it.
    let other = [address("carol@alumni.edu")];
    assert!(verdict.accept(&policy(&other, &[])).is_err());
}

#[test]
fn a_mediator_vouches_only_with_the_certificate() {
    let Stack {
        alumni,
        top,
        message,
        ..
    } = stack("");
    let unasked = || vec![known(&alumni), SignerEvidence::NotAsked];
    assert_eq!(
        refused(evidence(&top, &message, unasked())),
        "signer-unreachable"
    );
    let vouched = |who: &str| Vouched {
        assurance: Assurance::Dnssec,
        flags: KeyFlags::default(),
        fetched: NOW,
        certificate: key(who).certificate().clone(),
    };
    let field = vouched("bob@example.org").field();
    let value = field.strip_prefix("Email2-Key:").unwrap();
    assert_eq!(
        Vouched::parse(value.as_bytes()),
        Ok(vouched("bob@example.org"))
    );
    let Stack { top, message, .. } = stack(&field);
    let verdict = judge(evidence(&top, &message, unasked()));
    let registered = [address("alice@alumni.edu")];
    let accepted = verdict.accept(&policy(&registered, &[])).unwrap();
    assert!(!accepted.provenance().is_verified());
    assert!(matches!(
        accepted.provenance(),
        Provenance::CheckedBy { .. }
    ));
    let Stack { top, message, .. } = stack(&vouched("eve@example.org").field());
    assert_eq!(refused(evidence(&top, &message, unasked())), "key-unfit");
}

#[test]
fn stacks_that_do_not_hold() {
    let (bob, eve) = (key("bob@example.org"), key("@example.net"));
    let (_, inner) = seal(author(), &bob, CONTENT);
    let forward = |request: SealRequest, key: &SecretKey| {
        let (top, message) = seal(request, key, &inner);
        refused(evidence(&top, &message, vec![known(key), known(&bob)]))
    };
    let by_eve = || request(Role::Forward, "@example.net", "", "alice@example.com");
    assert_eq!(
        forward(by_eve(), &eve),
        "stack-rule",
        "she was no recipient"
    );
    let service = key("@example.com");
    let by_service = |created| SealRequest {
        created,
        expires: created + 60,
        ..request(Role::Forward, "@example.com", "", "alice@example.net")
    };
    assert_eq!(forward(by_service(NOW), &service), "accepted");
    assert_eq!(
        forward(by_service(NOW - 1), &service),
        "stack-rule",
        "older than the one below"
    );
    let back = request(Role::Forward, "@example.com", "", "alice@example.com");
    assert_eq!(forward(back, &service), "loop");
    let author_above = request(Role::Author, "bob@example.org", "", "alice@example.com");
    assert_eq!(forward(author_above, &bob), "role-rule");
    let alone = request(Role::Forward, "@example.com", "", "alice@example.net");
    let (top, message) = seal(alone, &service, CONTENT);
    assert_eq!(
        refused(evidence(&top, &message, vec![known(&service)])),
        "role-rule"
    );
}

#[test]
fn a_service_seals_reports_only() {
    let service = key("@example.org");
    let report = REPORT;
    let by = |content: &str| {
        let request = request(Role::Service, "@example.org", "", "alice@example.com");
        let (top, message) = seal(request, &service, content);
        judge(Evidence {
            reported: reported("alice@example.com", "bob@example.org"),
            ..evidence(&top, &message, vec![known(&service)])
        })
    };
    let accepted = accept(&by(report)).unwrap();
    assert!(matches!(accepted.provenance(), Provenance::Service { .. }));
    let id = |verdict: Verdict| verdict.rejection().map_or("accepted", Rejection::id);
    assert_eq!(id(by(&report.replace("report;", "mixed;"))), "role-rule");
    assert_eq!(
        id(by(&report.replace("mailer-daemon", "ceo"))),
        "from-differs"
    );
}

/// spec §4.13.3
#[test]
fn a_report_answers_a_message_that_its_recipient_sealed() {
    let by = |domain: &str, reported: Vec<Reported>| {
        let who = format!("@{domain}");
        let service = key(&who);
        let request = request(Role::Service, &who, "", "alice@example.com");
        let (top, message) = seal(request, &service, &REPORT.replace("example.org", domain));
        let verdict = judge(Evidence {
            reported,
            ..evidence(&top, &message, vec![known(&service)])
        });
        verdict.rejection().map_or("accepted", Rejection::id)
    };
    let asked = || reported("alice@example.com", "bob@example.org");
    assert_eq!(by("example.org", asked()), "accepted");
    // Her own server's queue gave up.
    assert_eq!(by("example.com", asked()), "accepted");
    // Nobody else was to deliver it.
    assert_eq!(by("example.net", asked()), "report-unasked");
    assert_eq!(by("example.org", Vec::new()), "report-unasked");
    let another = reported("dave@example.com", "bob@example.org");
    assert_eq!(by("example.org", another), "report-unasked");
    let forged = asked().into_iter().map(|inside| Reported {
        signer: known(&key("eve@example.com")),
        ..inside
    });
    assert_eq!(by("example.org", forged.collect()), "report-unasked");
}

#[test]
fn a_seal_that_nobody_announced() {
    let hop = |signers: Vec<SignerEvidence>| Evidence {
        announced: None,
        mail_from: ReversePath::parse("owner@list.example").unwrap(),
        signers,
        ..from_bob()
    };
    let bob = key("bob@example.org");
    let verdict = judge(hop(vec![known(&bob)]));
    let accepted = accept(&verdict).unwrap();
    assert_eq!(accepted.way(), Way::Other);
    let Provenance::Verified { via, .. } = accepted.provenance() else {
        panic!()
    };
    assert_eq!(via, &[Via::UnsealedHop]);
    let mut for_dave = policy(&[], &[]);
    for_dave.mailbox = address("dave@example.com");
    assert!(matches!(
        verdict.accept(&for_dave),
        Err(Rejection::NotSealedFor { .. })
    ));
    let alias = [address("alice@example.com")];
    for_dave.aliases = &alias;
    assert!(verdict.accept(&for_dave).is_ok());
    // Whose key cannot be asked waits; any other fault is no seal.
    let unreachable = SignerEvidence::Unreachable {
        known: false,
        why: "down".to_owned(),
    };
    assert_eq!(refused(hop(vec![unreachable])), "signer-unreachable");
    let no_seal = |evidence| accept(&judge(evidence)).map(|_| ());
    assert_eq!(
        no_seal(hop(vec![SignerEvidence::NoSuchKey])),
        Err(Rejection::Unsealed)
    );
    assert_eq!(
        no_seal(hop(vec![known(&key("eve@example.org"))])),
        Err(Rejection::Unsealed)
    );
    let late = Evidence {
        now: NOW + limits::SEAL_LIFETIME_MAX,
        ..hop(vec![known(&bob)])
    };
    assert_eq!(no_seal(late), Err(Rejection::Unsealed));
}

/// A seal for somebody else, by an unsealed hop, waits; nothing shows it as verified
/// (spec §11.6.2).
#[test]
fn a_hop_for_somebody_else_waits_in_requests() {
    let verdict = judge(Evidence {
        announced: None,
        recipients: vec![address("dave@example.com")],
        ..from_bob()
    });
    let mut for_dave = policy(&[], &[]);
    for_dave.mailbox = address("dave@example.com");
    for_dave.unregistered_stack = UnregisteredStack::Requests;
    let accepted = verdict.accept(&for_dave).unwrap();
    assert_eq!(accepted.place(), Place::Requests);
    assert!(!accepted.provenance().is_verified());
    assert_eq!(
        accepted.provenance().to_string(),
        format!(
            "for-others; author=bob@example.org; assurance=dnssec; at={NOW}; \
             via=unsealed-hop:alice@example.com"
        )
    );
    assert_eq!(accepted.way(), Way::Other);
}

#[test]
fn unsealed_mail_meets_the_legacy_policy() {
    let scanned = Scan::whole(false, CONTENT.as_bytes()).unwrap();
    let verdict = judge(Evidence {
        announced: None,
        scanned,
        signers: vec![],
        ..from_bob()
    });
    assert_eq!(verdict.author(), Some(&identity("bob@example.org")));
    assert_eq!(accept(&verdict).map(|_| ()), Err(Rejection::Unsealed));
    assert_eq!(Rejection::Unsealed.to_string().get(..9), Some("550 5.7.1"));
}
