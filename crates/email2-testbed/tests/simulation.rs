//! Seeded simulations of the whole exchange. `EMAIL2_SEED=n` plays one seed and tells what
//! happens in it; `EMAIL2_LONG=1` plays many more.

#![expect(
    clippy::unwrap_used,
    reason = "a test may fail; these are not all #[test] functions"
)]

use std::io::Write;
use std::sync::OnceLock;

use email2_testbed::sim::control::control;
use email2_testbed::sim::many::play_many;
use email2_testbed::sim::play::play;
use email2_testbed::sim::town::Town;

fn town() -> &'static Town {
    static TOWN: OnceLock<Town> = OnceLock::new();
    TOWN.get_or_init(|| Town::build().unwrap())
}

/// Past the capture of the test runner: the figures are for people.
fn say(what: &str) {
    let mut out = std::io::stderr();
    writeln!(out, "{what}").unwrap();
}

fn seeds() -> u64 {
    let given = std::env::var("EMAIL2_SEEDS").ok();
    let given = given.and_then(|seeds| seeds.parse().ok());
    given.unwrap_or(match std::env::var_os("EMAIL2_LONG") {
        Some(_) => 20_000,
        None => 100,
    })
}

#[test]
fn nothing_is_lost_and_nothing_is_doubled() {
    if let Ok(seed) = std::env::var("EMAIL2_SEED") {
        let report = play(town(), seed.parse().unwrap(), true).unwrap();
        report.lines.iter().for_each(|line| say(line));
        say(&format!("{:016x} {:?}", report.hash, report.findings));
        assert!(report.findings.are_clean());
        return;
    }
    let summary = play_many(town(), 1..=seeds());
    say(&format!(
        "{} seeds, {} lost, {} duplicated, {} of ordinary mail twice ({} letters, {} acknowledged, \
         {} failed with a reason, {} connections hit at {} places, {} machines down, {} events)",
        summary.seeds,
        summary.lost,
        summary.duplicated,
        summary.ordinary_twice,
        summary.letters,
        summary.acknowledged,
        summary.failed,
        summary.strikes,
        summary.places.len(),
        summary.crashes,
        summary.events,
    ));
    for (seed, why) in &summary.failures {
        say(&format!("EMAIL2_SEED={seed}: {why}"));
    }
    assert_eq!((summary.lost, summary.duplicated), (0, 0));
    assert!(summary.failures.is_empty(), "replay one by EMAIL2_SEED=n");
}

#[test]
fn a_seed_plays_the_same_again() {
    let mut hashes = Vec::new();
    for seed in 1..=4 {
        let (first, second) = (play(town(), seed, true), play(town(), seed, true));
        let (first, second) = (first.unwrap(), second.unwrap());
        let differs = first.lines.iter().zip(&second.lines).find(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first, second, "seed {seed}");
        hashes.push(first.hash);
    }
    hashes.dedup();
    assert_eq!(hashes.len(), 4, "other seeds play otherwise");
}

#[test]
fn ordinary_smtp_in_the_same_weather_doubles_messages() {
    let controls: Vec<_> = (1..=400).map(|seed| control(seed).unwrap()).collect();
    let lost: u64 = controls.iter().map(|control| control.lost).sum();
    let duplicated: u64 = controls.iter().map(|control| control.duplicated).sum();
    say(&format!(
        "control, ordinary SMTP: {} seeds, {lost} lost, {duplicated} duplicated",
        controls.len()
    ));
    assert_eq!(lost, 0);
    assert!(duplicated > 0, "the simulations see no duplicates");
}
