//! Every test vector of the specification against the library: one file is one
//! case with one expected outcome (`docs/spec/vectors`).

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

#[path = "vectors/chains.rs"]
mod chains;
#[path = "vectors/keys.rs"]
mod keys;
#[path = "vectors/messages.rs"]
mod messages;
#[path = "vectors/words.rs"]
mod words;

use std::path::PathBuf;

use serde_json::Value;

/// What a layer's reader makes of `given`: the outcome, or why it is refused.
type Reader = fn(&Value) -> Value;

/// The readers, one a layer.
const LAYERS: [(&str, Reader); 11] = [
    ("address", words::address),
    ("from", words::from),
    ("record", words::record),
    ("key-command", words::key_command),
    ("key-answer", words::key_answer),
    ("seal", keys::seal),
    ("certificate", keys::certificate),
    ("succession", keys::succession),
    ("chain", chains::chain),
    ("structure", messages::structure),
    ("protected-message", messages::protected),
];

#[expect(clippy::disallowed_methods, reason = "the vectors are files")]
fn read(name: &str) -> Value {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/vectors");
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The text of a member.
fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap()
}

/// The texts of a member that is a list.
fn texts<'a>(value: &'a Value, member: &str) -> Vec<&'a str> {
    let list = value[member].as_array().unwrap();
    list.iter().map(|item| item.as_str().unwrap()).collect()
}

/// What was expected of a case and what came out, when they differ.
fn difference(entry: &Value) -> Option<String> {
    let vector = read(text(entry, "file"));
    for member in ["id", "layer", "expect", "section"] {
        assert_eq!(vector[member], entry[member], "{}", entry["id"]);
    }
    let (_, reader) = LAYERS
        .iter()
        .find(|(layer, _)| entry["layer"] == *layer)
        .unwrap();
    let outcome = reader(&vector["given"]);
    let agrees = agrees(&vector["outcome"], &outcome);
    (!agrees).then(|| {
        format!(
            "{}: expected {}, got {outcome}",
            entry["id"], vector["outcome"]
        )
    })
}

/// Every member that is expected must be there; `{"not": x}` is any other
/// standing.
fn agrees(expected: &Value, got: &Value) -> bool {
    if let Some(other) = expected.get("not") {
        return got
            .get("standing")
            .is_some_and(|standing| standing != other);
    }
    match expected.as_object() {
        Some(members) if members.is_empty() => expected == got,
        Some(members) => members
            .iter()
            .all(|(name, value)| got.get(name) == Some(value)),
        None => expected == got,
    }
}

#[test]
fn every_vector_holds() {
    let index = read("index.json");
    let entries = index.as_array().unwrap();
    let differing: Vec<String> = entries.iter().filter_map(difference).collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn every_layer_has_both_kinds() {
    let index = read("index.json");
    let entries = index.as_array().unwrap();
    assert!(entries.len() >= 45);
    for (layer, _) in LAYERS {
        for expect in ["valid", "invalid"] {
            let found = entries
                .iter()
                .any(|e| e["layer"] == layer && e["expect"] == expect);
            assert!(found, "no {expect} vector of layer {layer}");
        }
    }
}
