//! Every fuzz target for some seconds: its seeds, then seeds that were cut, joined and changed by
//! a generator with a fixed seed. `scripts/fuzz` looks for as long as one likes.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use cpu_time::ThreadTime;
use email2_testbed::fuzzing::{TARGETS, Target};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// CPU time for each target.
const TIME: Duration = Duration::from_millis(1_500);
/// At least so many inputs for each, however long they take; at most so many.
const LEAST: usize = 50;
const MOST: usize = 20_000;
/// Octets that mean something somewhere.
const TELLING: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b".",
    b"\r\n.\r\n",
    b":",
    b";",
    b"=",
    b"\"",
    b"\\",
    b"(",
    b")",
    b"<",
    b">",
    b",",
    b"From: ceo@example.org\r\n",
    b"Email2-Seal: ",
    b"--b",
    b"--b--",
    b"\r\n\r\n",
    b"{3+}\r\n",
    b"*0*=",
    b"=?utf-8?q?",
    b"?=",
    b"Content-Type: message/rfc822\r\n\r\n",
    b"boundary=b",
    b"\xff\xff",
    b"\xc3\xbc",
    b"99999999999999999999",
    b" ",
    b"\t",
];

fn below(rng: &mut ChaCha20Rng, bound: usize) -> usize {
    usize::try_from(rng.next_u64() % bound.max(1) as u64).unwrap()
}

/// One change: an octet, a piece less, a piece twice, a telling piece more, or another seed's end.
fn change(octets: &mut Vec<u8>, seeds: &[Vec<u8>], rng: &mut ChaCha20Rng) {
    let at = below(rng, octets.len() + 1);
    let length = below(rng, 32).min(octets.len() - at);
    match below(rng, 6) {
        0 => octets
            .iter_mut()
            .skip(at)
            .take(1)
            .for_each(|octet| *octet ^= 1 << (at % 8)),
        1 => drop(octets.drain(at..at + length)),
        2 => {
            let piece: Vec<u8> = octets.iter().skip(at).take(length).copied().collect();
            octets.splice(at..at, piece);
        }
        3 => {
            let other = seeds
                .get(below(rng, seeds.len()))
                .cloned()
                .unwrap_or_default();
            let from = below(rng, other.len());
            octets.truncate(at);
            octets.extend(other.iter().skip(from));
        }
        4 => octets
            .iter_mut()
            .skip(at)
            .take(1)
            .for_each(|octet| *octet = (at * 31 % 256) as u8),
        _ => {
            let piece = TELLING
                .get(below(rng, TELLING.len()))
                .copied()
                .unwrap_or_default();
            octets.splice(at..at, piece.iter().copied());
        }
    }
}

/// Runs one input; on a panic, says how to make it again.
fn tried(target: &Target, input: &[u8], number: usize) {
    let run = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    assert!(
        run.is_ok(),
        "{} fails on input {number}: {:?}",
        target.name,
        String::from_utf8_lossy(input)
    );
}

/// Inputs tried.
fn search(target: &Target, seed: u64) -> usize {
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "{}: no seeds", target.name);
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    for (number, seed) in seeds.iter().enumerate() {
        tried(target, seed, number);
    }
    let begin = ThreadTime::now();
    let mut count = seeds.len();
    while count < MOST && (count < LEAST || begin.elapsed() < TIME) {
        let mut input = seeds.get(below(&mut rng, seeds.len())).cloned().unwrap();
        for _ in 0..=below(&mut rng, 6) {
            change(&mut input, &seeds, &mut rng);
        }
        tried(target, &input, count);
        count += 1;
    }
    count
}

#[test]
fn nothing_that_must_hold_breaks_in_some_seconds() {
    for target in TARGETS {
        println!("{:>16} {}", target.name, search(target, 5));
    }
}

#[test]
fn an_honest_message_is_verified_so_that_the_oracle_means_something() {
    let target = email2_testbed::fuzzing::target("intake").unwrap();
    let seeds = (target.seeds)();
    assert_eq!(seeds.len(), 4);
    assert!(
        email2_testbed::fuzzing::verified(&seeds[0])
            && email2_testbed::fuzzing::verified(&seeds[2])
    );
    assert!(
        !email2_testbed::fuzzing::verified(&seeds[3]),
        "eve sealed it, From is bob"
    );
}

#[test]
fn every_target_has_its_file() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/fuzz_targets");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    files.sort();
    let mut names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    names.sort_unstable();
    assert_eq!(files, names);
}
