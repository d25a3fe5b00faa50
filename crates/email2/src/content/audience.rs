//! Which recipients share a ciphertext (spec §5.2.2, §5.8).

use super::{Container, cipher};
use crate::certificate::Certificate;

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
/// their first member. Whoever lacks a post-quantum key, or reads with a
/// classic program, never weakens the copy of the others (spec §5.8).
pub fn audiences(recipients: &[Certificate], now: u64) -> Vec<Audience> {
    let mut found: Vec<Audience> = Vec::new();
    for (index, recipient) in recipients.iter().enumerate() {
        let post_quantum = cipher::wants_post_quantum(recipient, now);
        let container = newest_container(recipient);
        let same = |audience: &&mut Audience| {
            audience.post_quantum == post_quantum && audience.container == container
        };
        match found.iter_mut().find(same) {
            Some(audience) => audience.members.push(index),
            None => found.push(Audience {
                members: vec![index],
                post_quantum,
                container,
            }),
        }
    }
    found
}

/// GnuPG 2.2 and Thunderbird reject version 2, whatever else they say
/// (spec §5.2.2).
fn newest_container(recipient: &Certificate) -> Container {
    if recipient.reads_seipd2() && !recipient.is_classic_reader() {
        Container::V2
    } else {
        Container::V1
    }
}
