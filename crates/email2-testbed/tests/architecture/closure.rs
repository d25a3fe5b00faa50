//! What the pure crates drag in: nothing that touches the outside.

use std::process::Command;

use crate::{hold, tree};

const PURE: [&str; 3] = ["email2", "email2-smtp", "email2-imap"];

/// Denied by name, or by its beginning where it ends in `-`.
const DENIED: [&str; 10] = [
    "tokio",
    "mio",
    "socket2",
    "rustls",
    "aws-lc-",
    "hickory-",
    "rusqlite",
    "rayon",
    "gethostname",
    "rustix",
];

fn violations(package: &str, closure: &str) -> Vec<String> {
    let names = closure.lines().filter_map(|line| line.split(' ').next());
    let mut denied: Vec<String> = names
        .filter(|name| DENIED.iter().any(|denied| matches(denied, name)))
        .map(|name| format!("{package} drags in {name}"))
        .collect();
    denied.dedup();
    denied
}

fn matches(denied: &str, name: &str) -> bool {
    name == denied || (denied.ends_with('-') && name.starts_with(denied))
}

/// `cargo tree` of one package: `name vX.Y.Z` a line.
fn closure(package: &str) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .current_dir(tree::root())
        .args(["tree", "--offline", "-e", "normal,build"])
        .args(["--prefix", "none", "-p", package])
        .output();
    output.map_or_else(
        |error| error.to_string(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[test]
fn pure_crates_touch_nothing_outside() {
    for package in PURE {
        let closure = closure(package);
        assert!(closure.starts_with(package), "cargo tree said: {closure}");
        hold("pure closure", &violations(package, &closure));
    }
}

#[test]
fn a_runtime_in_the_closure_is_seen() {
    let planted = "email2 v0.1.0\npgp v0.21.0\ntokio v1.54.0\naws-lc-sys v0.30.0\n";
    assert_eq!(violations("email2", planted).len(), 2);
    assert_eq!(violations("email2", "email2 v0.1.0\nmiow v1\n").len(), 0);
}
