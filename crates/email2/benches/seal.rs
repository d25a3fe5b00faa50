//! Making and verifying seals by size of the message, and reading certificates.

#![expect(clippy::unwrap_used, reason = "a benchmark may fail")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use email2::certificate::Certificate;
use email2::certificate::generate::generate;
use email2::scan::Scan;
use email2::seal::{ContentDigest, Nonce, Role, Seal, SealRequest, sign, verify};
use email2::secret::SecretKey;
use email2::{Identity, KeyFlags, ReversePath};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const NOW: u64 = 1_764_000_000;
const SIZES: [usize; 4] = [2 << 10, 20 << 10, 200 << 10, 2 << 20];
const HEADER: &str = "From: bob@example.org\r\nTo: alice@example.com\r\nSubject: x\r\n\r\n";

fn content(size: usize) -> Vec<u8> {
    let line = "A line of a letter, as long as lines of letters are, seventy or so.\r\n";
    format!("{HEADER}{}", line.repeat(size / line.len())).into_bytes()
}

fn bob() -> Identity {
    "bob@example.org".parse().unwrap()
}

fn seal(content: &[u8], key: &SecretKey, rng: &mut ChaCha20Rng) -> Seal {
    let request = SealRequest {
        role: Role::Author,
        signer: bob(),
        reverse_path: ReversePath::parse("bob@example.org").unwrap(),
        recipients: vec!["alice@example.com".parse().unwrap()],
        created: NOW,
        expires: NOW + 60,
        nonce: Nonce::random(rng),
        digest: ContentDigest::of(content).unwrap(),
    };
    sign(&request, key, rng).unwrap()
}

fn seals(criterion: &mut Criterion) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let key = generate(&bob(), NOW, &mut rng).unwrap();
    let mut group = criterion.benchmark_group("seal");
    for size in SIZES {
        let content = content(size);
        group.throughput(Throughput::Bytes(u64::try_from(content.len()).unwrap()));
        group.bench_with_input(
            BenchmarkId::new("make", size),
            &content,
            |bencher, content| {
                bencher.iter(|| seal(black_box(content), &key, &mut rng));
            },
        );
        let seal = seal(&content, &key, &mut rng);
        let message = [seal.field().as_bytes(), &content].concat();
        group.bench_with_input(
            BenchmarkId::new("verify", size),
            &message,
            |bencher, message| {
                bencher.iter(|| receive(black_box(message), &key));
            },
        );
    }
    group.finish();
}

/// One pass over the message, the seal read and verified.
fn receive(message: &[u8], key: &SecretKey) {
    let scanned = Scan::whole(true, message).unwrap();
    let seal = Seal::parse(&scanned.header.seals.first().unwrap().value).unwrap();
    assert_eq!(Some(&seal.digest), scanned.digests.first());
    verify(&seal, key.certificate(), &KeyFlags::default()).unwrap();
}

fn certificates(criterion: &mut Criterion) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    criterion.bench_function("certificate/generate", |bencher| {
        bencher.iter(|| generate(&bob(), NOW, &mut rng).unwrap());
    });
    let octets = generate(&bob(), NOW, &mut rng)
        .unwrap()
        .certificate()
        .octets()
        .to_vec();
    criterion.bench_function("certificate/parse", |bencher| {
        bencher.iter(|| Certificate::parse(black_box(&octets)).unwrap());
    });
}

criterion_group!(benches, seals, certificates);
criterion_main!(benches);
