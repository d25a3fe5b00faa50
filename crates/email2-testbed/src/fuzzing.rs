//! What any octets must not break: each parser and machine with what must hold of it whatever
//! comes. `fuzz/` runs these bodies for as long as one likes, `tests/fuzzing.rs` for seconds.

mod intake;
mod machines;
mod texts;

use std::sync::LazyLock;

use crate::gauntlet::Cast;

/// Something that reads a stranger's octets.
pub struct Target {
    /// Its name, which is that of its file in `fuzz/`.
    pub name: &'static str,
    /// Reads them; panics when something does not hold that must.
    pub run: fn(&[u8]),
    /// Octets to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target {
        name: "address",
        run: texts::address,
        seeds: texts::addresses,
    },
    Target {
        name: "seal_field",
        run: texts::seal_field,
        seeds: texts::seals,
    },
    Target {
        name: "key_query",
        run: texts::key_query,
        seeds: texts::queries,
    },
    Target {
        name: "key_answer",
        run: texts::key_answer,
        seeds: texts::answers,
    },
    Target {
        name: "policy_record",
        run: texts::policy_record,
        seeds: texts::records,
    },
    Target {
        name: "capability",
        run: texts::capability,
        seeds: texts::capabilities,
    },
    Target {
        name: "provenance",
        run: texts::provenance,
        seeds: texts::provenances,
    },
    Target {
        name: "certificate",
        run: texts::certificate,
        seeds: texts::certificates,
    },
    Target {
        name: "header_scan",
        run: intake::header_scan,
        seeds: intake::messages,
    },
    Target {
        name: "skeleton",
        run: intake::skeleton,
        seeds: intake::messages,
    },
    Target {
        name: "content_read",
        run: intake::content_read,
        seeds: intake::contents,
    },
    Target {
        name: "intake",
        run: intake::intake,
        seeds: intake::sealed,
    },
    Target {
        name: "smtp_server",
        run: machines::smtp_server,
        seeds: machines::smtp_sessions,
    },
    Target {
        name: "smtp_content",
        run: machines::smtp_content,
        seeds: machines::contents,
    },
    Target {
        name: "smtp_client",
        run: machines::smtp_client,
        seeds: machines::smtp_answers,
    },
    Target {
        name: "imap_session",
        run: machines::imap_session,
        seeds: machines::imap_commands,
    },
    Target {
        name: "imap_structure",
        run: machines::imap_structure,
        seeds: intake::messages,
    },
    Target {
        name: "imap_answers",
        run: machines::imap_answers,
        seeds: machines::imap_fetched,
    },
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Runs the target of this name; another name is a mistake.
pub fn run(name: &str, octets: &[u8]) {
    let found = target(name);
    assert!(found.is_some(), "there is no target {name}");
    if let Some(found) = found {
        (found.run)(octets);
    }
}

/// Whether intake would verify these octets, from whomever they come: so that one can see that
/// the oracle has something to find.
#[must_use]
pub fn verified(octets: &[u8]) -> bool {
    intake::verified(octets)
}

/// The people of every run; without keys there is nothing to try.
static CAST: LazyLock<Option<Cast>> = LazyLock::new(|| Cast::gather().ok());
