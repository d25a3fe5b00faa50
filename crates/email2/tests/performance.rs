//! Verification with parsing stays within its bound: 100 µs of one core for a
//! message of 2 KiB, the certificate being cached.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::time::{Duration, Instant};

use email2::certificate::generate::generate;
use email2::evidence::{Announced, Evidence, SignerEvidence, SignerKey};
use email2::scan::Scan;
use email2::seal::{ContentDigest, Nonce, Role, Seal, SealRequest, sign};
use email2::verdict::judge;
use email2::{Assurance, Identity, KeyFlags, ReversePath};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const NOW: u64 = 1_764_000_000;
const ROUNDS: u32 = 300;
const BOUND: Duration = Duration::from_micros(100);

/// One sealed message and what its receiver knows.
struct Sample {
    seal: Seal,
    message: Vec<u8>,
    signer: SignerKey,
}

fn sample() -> Sample {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let bob: Identity = "bob@example.org".parse().unwrap();
    let key = generate(&bob, NOW, &mut rng).unwrap();
    let head = "From: bob@example.org\r\nTo: alice@example.com\r\nSubject: x\r\n\r\n";
    let content = format!("{head}{}", "A line of a letter.\r\n".repeat(90)).into_bytes();
    let request = SealRequest {
        role: Role::Author,
        signer: bob,
        reverse_path: ReversePath::parse("bob@example.org").unwrap(),
        recipients: vec!["alice@example.com".parse().unwrap()],
        created: NOW,
        expires: NOW + 60,
        nonce: Nonce::random(&mut rng),
        digest: ContentDigest::of(&content).unwrap(),
    };
    let seal = sign(&request, &key, &mut rng).unwrap();
    let message = [seal.field().as_bytes(), &content].concat();
    let signer = SignerKey {
        certificate: key.certificate().clone(),
        assurance: Some(Assurance::Dnssec),
        flags: KeyFlags::default(),
        fetched: NOW,
    };
    Sample {
        seal,
        message,
        signer,
    }
}

/// The whole way of a message through this crate.
fn receive(sample: &Sample) {
    let scanned = Scan::whole(true, &sample.message).unwrap();
    let verdict = judge(Evidence {
        now: NOW,
        mail_from: sample.seal.reverse_path.clone(),
        recipients: sample.seal.recipients.clone(),
        announced: Some(Announced {
            role: sample.seal.role,
            signer: sample.seal.signer.clone(),
        }),
        scanned,
        reported: Vec::new(),
        ordinary: None,
        signers: vec![SignerEvidence::Known(sample.signer.clone())],
    });
    assert_eq!(verdict.rejection(), None);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn two_kib_are_received_within_the_bound() {
    let sample = sample();
    let fastest = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            receive(&sample);
            start.elapsed()
        })
        .min()
        .unwrap();
    println!("{} octets: {fastest:?}", sample.message.len());
    assert!(fastest <= BOUND, "{fastest:?}");
}
