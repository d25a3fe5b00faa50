//! Chance, from a seed: the same seed and purpose give the same throws.

use std::sync::{Mutex, PoisonError};

use email2_io::Entropy;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

/// Throws for one purpose of one seed.
#[derive(Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// Those of `seed` for `purpose`: throws for one purpose do not move those for another.
    #[must_use]
    pub fn new(seed: u64, purpose: &str) -> Dice {
        let mut key = [0; 32];
        let name = fingerprint(purpose.as_bytes()).to_le_bytes();
        let words = seed.to_le_bytes().into_iter().chain(name);
        for (place, octet) in key.iter_mut().zip(words) {
            *place = octet;
        }
        Dice(ChaCha8Rng::from_seed(key))
    }

    /// 0 to `sides` - 1; 0 without sides.
    pub fn below(&mut self, sides: u64) -> u64 {
        self.0.next_u64().checked_rem(sides).unwrap_or(0)
    }

    /// `least` to `most`.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    /// True in so many of a hundred throws.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// A number up to about `most`, every order of magnitude as likely.
    pub fn spread(&mut self, most: u64) -> u64 {
        let bits = self.below(u64::from(most.max(1).ilog2()) + 1);
        self.below(2 << bits).min(most)
    }
}

/// FNV-1a, 64 bits: tells two traces apart, proves nothing.
#[must_use]
pub fn fingerprint(octets: &[u8]) -> u64 {
    continued(0xcbf2_9ce4_8422_2325, octets)
}

/// The same, carried on from `before`.
#[must_use]
pub fn continued(before: u64, octets: &[u8]) -> u64 {
    octets.iter().fold(before, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Entropy of one host, from the seed.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<Dice>);

impl SeededEntropy {
    /// That of `seed` for the host of this name.
    #[must_use]
    pub fn new(seed: u64, host: &str) -> SeededEntropy {
        SeededEntropy(Mutex::new(Dice::new(seed, &format!("entropy of {host}"))))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, octets: &mut [u8]) {
        let mut dice = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        dice.0.fill_bytes(octets);
    }
}
