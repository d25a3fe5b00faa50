//! Alice, Bob and Eve: with keys of ours, and with the keys of the cases.

use email2::certificate::Certificate;
use email2::certificate::generate::generate;
use email2::content::{Known, Reader, Reading, unprotect};
use email2::secret::SecretKey;
use email2::{Address, Fingerprint, Identity};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// Thu, 26 Nov 2026 14:59:59 UTC.
pub(crate) const NOW: u64 = 1_795_705_199;
/// When the cases were made: Mon, 02 Mar 2026 12:00:00 UTC.
pub(crate) const CASE_TIME: u64 = 1_772_452_800;

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// A key that was made an hour ago.
pub(crate) fn key(text: &str, seed: u64) -> SecretKey {
    let who = Identity::Address(address(text));
    generate(&who, NOW - 3_600, &mut rng(seed)).unwrap()
}

/// Everybody whom a reader knows.
pub(crate) struct Book(pub(crate) Vec<Certificate>);

impl Known for Book {
    fn author(&self, address: &Address) -> Option<Certificate> {
        let who = Identity::Address(address.clone());
        self.0.iter().find(|known| known.binds(&who)).cloned()
    }

    fn holder(&self, key: &Fingerprint) -> Option<Certificate> {
        self.0.iter().find(|known| known.holds(key)).cloned()
    }
}

pub(crate) fn read(message: &[u8], keys: &[&SecretKey], known: &Book, now: u64) -> Reading {
    unprotect(message, &Reader { keys, known, now }).unwrap()
}
