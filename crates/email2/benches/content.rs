//! Protecting and reading content by size of the message.

#![expect(clippy::unwrap_used, reason = "a benchmark may fail")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use email2::Address;
use email2::certificate::Certificate;
use email2::certificate::generate::generate;
use email2::content::{Container, Mode, OuterTo, Protect, Reader, protect, unprotect};
use email2::secret::SecretKey;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const NOW: u64 = 1_764_000_000;
const SIZES: [usize; 4] = [2 << 10, 20 << 10, 200 << 10, 2 << 20];
const HEADER: &str = "From: bob@example.org\r\nTo: alice@example.com\r\nSubject: x\r\n\
    Date: Mon, 24 Nov 2025 16:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\n";

/// Who writes and who reads.
struct Pair {
    bob: SecretKey,
    alice: SecretKey,
    rng: ChaCha20Rng,
}

impl Pair {
    fn new() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut key = |who: &str| generate(&who.parse().unwrap(), NOW, &mut rng).unwrap();
        Self {
            bob: key("bob@example.org"),
            alice: key("alice@example.com"),
            rng: ChaCha20Rng::seed_from_u64(2),
        }
    }

    fn protect(&mut self, message: &[u8], to: Option<&[Certificate]>) -> Vec<u8> {
        let from: Address = "bob@example.org".parse().unwrap();
        let mode = to.map_or(Mode::SignOnly, |to| Mode::Encrypt {
            to,
            also_self: false,
            container: Container::V2,
        });
        let outer_to = OuterTo::Visible(vec!["alice@example.com".parse().unwrap()]);
        let request = Protect {
            message,
            author: &self.bob,
            from: &from,
            mode,
            outer_to,
            outside: &[],
            now: NOW,
        };
        protect(&request, &mut self.rng).unwrap()
    }

    fn unprotect(&self, message: &[u8]) {
        let known = |_: &Address| Some(self.bob.certificate().clone());
        let reader = Reader {
            keys: &[&self.alice],
            known: &known,
            now: NOW,
        };
        unprotect(message, &reader).unwrap();
    }
}

fn message(size: usize) -> Vec<u8> {
    let line = "A line of a letter, as long as lines of letters are, seventy or so.\r\n";
    format!("{HEADER}{}", line.repeat(size / line.len())).into_bytes()
}

fn content(criterion: &mut Criterion) {
    let mut pair = Pair::new();
    let alice = [pair.alice.certificate().clone()];
    for (form, to) in [("sign", None), ("encrypt", Some(alice.as_slice()))] {
        let mut group = criterion.benchmark_group(form);
        for size in SIZES {
            let message = message(size);
            group.throughput(Throughput::Bytes(u64::try_from(message.len()).unwrap()));
            let id = BenchmarkId::new("protect", size);
            group.bench_with_input(id, &message, |bencher, message| {
                bencher.iter(|| pair.protect(black_box(message), to));
            });
            let protected = pair.protect(&message, to);
            let id = BenchmarkId::new("unprotect", size);
            group.bench_with_input(id, &protected, |bencher, protected| {
                bencher.iter(|| pair.unprotect(black_box(protected)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, content);
criterion_main!(benches);
