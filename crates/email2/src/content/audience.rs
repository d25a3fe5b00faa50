//! Which recipients share a ciphertext (spec §5.2.2, §5.8).

use crate::certificate::Certificate;

use super::Container;

/// Recipients who get the same ciphertext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// Indices into the recipients given, ascending.
    pub members: Vec<usize>,
    /// Whether every key encrypted to is post-quantum: if not, the author is
    /// told (spec §5.8.1).
    pub post_quantum: bool,
    /// The newest container that all of them read.
    pub container: Container,
}

/// Parts recipients into groups that may share a ciphertext, in the order of
/// their first member.
pub fn audiences(recipients: &[Certificate], now: u64) -> Vec<Audience> {
    todo!("{recipients:?} {now}")
}
