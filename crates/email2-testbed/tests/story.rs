//! The story that `email2-demo` plays, as a test.

use email2_testbed::failure::{Outcome, Step};
use email2_testbed::story::narrator::{Form, Narrator, Step as Told};
use email2_testbed::story::{self, keep};

/// What the exchange consists of.
const EXCHANGE: [&str; 9] = [
    "setup-alice",
    "setup-bob",
    "key",
    "send",
    "verdict",
    "inbox-alice",
    "read",
    "reply",
    "inbox-bob",
];

/// What people of today have to do with it.
const FALLBACK: [&str; 8] = [
    "ordinary-send",
    "ordinary-arrived",
    "mixed-asked",
    "mixed-split",
    "email2-demanded",
    "ordinary-refused",
    "ordinary-read",
    "downgrade-over",
];

/// What a forger must have tried, at least.
const WAYS: [&str; 17] = [
    "no-seal",
    "other-key",
    "own-seal-for-bob",
    "altered-body",
    "altered-from",
    "second-from",
    "two-authors",
    "replay-elsewhere",
    "replay",
    "expired",
    "future",
    "backdated",
    "smuggled-field",
    "bare-line-feed",
    "forged-mx",
    "starttls-stripped",
    "email2-stripped",
];

/// The steps of a whole story, and the text of `world.json`.
async fn play() -> Outcome<(Vec<Told>, String)> {
    let folder = tempfile::tempdir().step("folder")?;
    let mut nowhere = Vec::new();
    let mut narrator = Narrator::new(Form::Silent, &mut nowhere);
    let scene = story::play(folder.path(), &mut narrator).await?;
    let steps = narrator.steps().to_vec();
    keep::write(&scene)?;
    let world = std::fs::read_to_string(folder.path().join("world.json")).step("world.json")?;
    scene.stop().await;
    Ok((steps, world))
}

fn surprises(steps: &[Told]) -> Vec<&Told> {
    steps.iter().filter(|step| !step.ok).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_story_goes_as_expected() {
    let (steps, world) = play().await.unwrap();
    assert_eq!(surprises(&steps), [] as [&Told; 0]);
    for expected in EXCHANGE.into_iter().chain(FALLBACK) {
        assert!(steps.iter().any(|step| step.step == expected), "{expected}");
    }
    let world: serde_json::Value = serde_json::from_str(&world).unwrap();
    assert_eq!(world["accounts"][0]["address"], "alice@example.com");
    assert_eq!(world["domains"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_forger_is_refused() {
    let (steps, _) = play().await.unwrap();
    let tried: Vec<&Told> = steps
        .iter()
        .filter(|step| step.actor == "mallory")
        .collect();
    for way in WAYS {
        let step = tried.iter().find(|step| step.step == way);
        assert!(step.is_some_and(|step| step.ok), "{way}: {step:?}");
    }
}
