//! A code that two people compare by another way, so that no server can stand between them
//! (spec §6.11).

use sha2::{Digest, Sha256};

use super::Fingerprint;
use crate::address::Identity;

/// What is hashed before everything else.
const CONTEXT: &[u8] = b"EMAIL2-COMPARE-1\0";
/// Groups of the code, and digits of a group.
const GROUPS: usize = 6;
/// One group is a number below this.
const GROUP: u64 = 100_000;

/// The code of two people: six groups of five digits, the same on both sides. It depends on the
/// two addresses and their primary keys alone, so that it survives new subkeys.
#[must_use]
pub fn code(one: (&Identity, &Fingerprint), other: (&Identity, &Fingerprint)) -> String {
    let side = |(who, primary): (&Identity, &Fingerprint)| format!("{who}\0{primary}\0");
    let mut sides = [side(one), side(other)];
    sides.sort();
    let mut hash = Sha256::new();
    hash.update(CONTEXT);
    hash.update(sides.concat());
    let digest = hash.finalize();
    let groups = digest.chunks(5).take(GROUPS).map(|chunk| {
        let number = chunk
            .iter()
            .fold(0u64, |number, octet| (number << 8) | u64::from(*octet));
        format!("{:05}", number % GROUP)
    });
    groups.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of spec §6.11, computed by another program.
    #[test]
    fn the_example_of_the_specification() {
        let alice = Identity::parse("alice@example.com").unwrap();
        let bob = Identity::parse("bob@example.org").unwrap();
        let hers: Fingerprint = "00112233445566778899aabbccddeeff00112233".parse().unwrap();
        let his: Fingerprint = "ffeeddccbbaa99887766554433221100ffeeddcc".parse().unwrap();
        let expected = "63454 67466 03616 37342 49882 29615";
        assert_eq!(code((&alice, &hers), (&bob, &his)), expected);
        assert_eq!(code((&bob, &his), (&alice, &hers)), expected);
    }
}
