//! What the specification holds that is made from the code is as it would be written now:
//! `cargo run --bin email2-vectors` writes it.

use std::path::PathBuf;

use email2_testbed::{tables, vectors};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec")
}

#[test]
fn the_vectors_are_as_they_would_be_written() {
    let differing = vectors::differing(&folder().join("vectors")).unwrap();
    assert_eq!(differing, [""; 0]);
}

#[test]
fn the_tables_are_as_they_would_be_written() {
    assert_eq!(tables::differing(&folder()).unwrap(), [""; 0]);
}
