//! What the specification holds that is made from the code is as it would be written now:
//! `cargo run --bin email2-vectors` writes it.

use std::path::PathBuf;
use std::process::Command;

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

/// `check.py` is written from the specification's text and shares no code with the library:
/// Python's hashes and arithmetic, and GnuPG where it is installed.
#[test]
fn a_program_without_our_code_agrees_with_the_vectors() {
    let script = folder().join("vectors/check.py");
    let Ok(ran) = Command::new("python3").arg(&script).output() else {
        return eprintln!("skipped: python3 is not installed");
    };
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(
        ran.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    println!("{said}");
    let agreeing: u32 = said.split(' ').next().unwrap().parse().unwrap();
    assert!(agreeing >= 65, "{said}");
}
