//! Which crate may use which: dependencies point one way.

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::{documents, hold, tree};

/// A dependency between two of our crates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) development: bool,
    pub(crate) optional: bool,
}

/// Crate, and those of ours it may use; every crate may use `email2` besides.
const ALLOWED: [(&str, &[&str]); 10] = [
    ("email2", &[]),
    ("email2-smtp", &[]),
    ("email2-imap", &[]),
    ("email2-io", &["email2-smtp", "email2-imap"]),
    ("email2-remote", &["email2-io", "email2-smtp"]),
    ("email2-store", &["email2-imap"]),
    (
        "email2d",
        &[
            "email2-remote",
            "email2-store",
            "email2-io",
            "email2-smtp",
            "email2-imap",
        ],
    ),
    (
        "email2-client",
        &["email2-remote", "email2-store", "email2-io", "email2-smtp"],
    ),
    ("email2-cli", &["email2-client"]),
    (
        "email2-testbed",
        &[
            "email2d",
            "email2-client",
            "email2-remote",
            "email2-io",
            "email2-smtp",
            "email2-imap",
            "email2-store",
        ],
    ),
];

/// Edges that exist only behind a feature.
const BY_FEATURE: [(&str, &str); 3] = [
    ("email2-io", "email2-smtp"),
    ("email2-io", "email2-imap"),
    ("email2-store", "email2-imap"),
];

/// The one exception: the command line's tests run in the testbed's world.
const FOR_TESTS: (&str, &str) = ("email2-cli", "email2-testbed");

fn violations(edges: &[Edge]) -> Vec<String> {
    edges.iter().filter_map(violation).collect()
}

fn violation(edge: &Edge) -> Option<String> {
    let pair = (edge.from.as_str(), edge.to.as_str());
    if edge.development && pair == FOR_TESTS {
        return None;
    }
    let Some((_, allowed)) = ALLOWED.iter().find(|(from, _)| *from == edge.from) else {
        return Some(format!("{} is not a crate of ARCHITECTURE.md", edge.from));
    };
    let toward_protocol = edge.to == "email2" && edge.from != "email2";
    if !toward_protocol && !allowed.contains(&edge.to.as_str()) {
        return Some(format!("{} must not use {}", edge.from, edge.to));
    }
    let always = !edge.optional && !edge.development;
    (BY_FEATURE.contains(&pair) && always)
        .then(|| format!("{} may use {} only by a feature", edge.from, edge.to))
}

/// The workspace's members and the edges between them.
pub(crate) fn workspace() -> (Vec<String>, Vec<Edge>) {
    let metadata = MetadataCommand::new()
        .manifest_path(tree::root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .unwrap_or_else(|error| panic_with(&error.to_string()));
    let names: Vec<String> = metadata
        .packages
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    let mut edges = Vec::new();
    for package in &metadata.packages {
        let ours = package
            .dependencies
            .iter()
            .filter(|dependency| names.contains(&dependency.name));
        edges.extend(ours.map(|dependency| Edge {
            from: package.name.to_string(),
            to: dependency.name.clone(),
            development: dependency.kind == DependencyKind::Development,
            optional: dependency.optional,
        }));
    }
    (names, edges)
}

#[expect(clippy::panic, reason = "a test's set-up failed")]
fn panic_with(why: &str) -> ! {
    panic!("cargo metadata: {why}")
}

#[test]
fn crates_use_only_what_they_may() {
    hold("crate edges", &violations(&workspace().1));
}

#[test]
fn the_architecture_page_names_every_crate_and_edge() {
    let (names, edges) = workspace();
    let page = tree::text("ARCHITECTURE.md");
    hold(
        "ARCHITECTURE.md",
        &documents::architecture_violations(&page, &names, &edges),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str) -> Edge {
        Edge {
            from: from.to_owned(),
            to: to.to_owned(),
            development: false,
            optional: false,
        }
    }

    #[test]
    fn an_upward_edge_is_seen() {
        assert_eq!(violations(&[edge("email2", "email2-io")]).len(), 1);
        assert_eq!(
            violations(&[edge("email2-remote", "email2-store")]).len(),
            1
        );
        assert_eq!(violations(&[edge("email2-client", "email2")]), [""; 0]);
    }

    #[test]
    fn the_testbed_is_for_tests_only() {
        let mut planted = edge("email2-cli", "email2-testbed");
        assert_eq!(violations(&[planted.clone()]).len(), 1);
        planted.development = true;
        assert_eq!(violations(&[planted]), [""; 0]);
    }

    #[test]
    fn a_feature_edge_must_be_optional() {
        assert_eq!(violations(&[edge("email2-store", "email2-imap")]).len(), 1);
    }
}
