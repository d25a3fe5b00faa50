//! The gates of the house: what must hold for every file, crate and document of this
//! repository (STYLE.md gives the reasons). Each check is a function over text that is
//! also shown a planted violation, so that a gate that stopped looking is found out.

#[path = "architecture/attacks.rs"]
mod attacks;
#[path = "architecture/closure.rs"]
mod closure;
#[path = "architecture/configuration.rs"]
mod configuration;
#[path = "architecture/documents.rs"]
mod documents;
#[path = "architecture/edges.rs"]
mod edges;
#[path = "architecture/files.rs"]
mod files;
#[path = "architecture/lints.rs"]
mod lints;
#[path = "architecture/path.rs"]
mod path;
#[path = "architecture/references.rs"]
mod references;
#[path = "architecture/replies.rs"]
mod replies;
#[path = "architecture/source.rs"]
mod source;
#[path = "architecture/tree.rs"]
mod tree;

/// Fails with one line per violation.
#[track_caller]
fn hold(gate: &str, violations: &[String]) {
    assert!(
        violations.is_empty(),
        "{gate}:\n  {}",
        violations.join("\n  ")
    );
}
