//! The vectors in the repository are those that `email2-vectors` writes.

use std::path::PathBuf;

use email2_testbed::vectors;

#[test]
fn the_vectors_are_as_they_would_be_written() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/vectors");
    let differing = vectors::differing(&folder).unwrap();
    assert!(
        differing.is_empty(),
        "run `cargo run --bin email2-vectors`: {differing:?}"
    );
}
