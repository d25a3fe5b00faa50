//! What the content's own protection says, for people and for programs.

use email2::content::Reading;
use serde::Serialize;

/// The protection of a message that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Protection {
    /// Stable: `verified`, `somebody-else`, `unknown-key`, `unsigned`, `broken`.
    pub standing: &'static str,
    /// In words.
    pub words: String,
    /// Whether it was encrypted.
    pub encrypted: bool,
    /// Whether it was encrypted to post-quantum keys only.
    pub post_quantum: bool,
}

impl Protection {
    /// Of what was read.
    pub(super) fn of(reading: &Reading) -> Protection {
        Protection {
            standing: reading.standing.id(),
            words: reading.standing.to_string(),
            encrypted: reading.encrypted,
            post_quantum: reading.post_quantum,
        }
    }
}
