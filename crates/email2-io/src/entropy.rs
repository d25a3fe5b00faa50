//! Where random octets come from.

use std::fmt::Debug;
use std::sync::Arc;

use rand_core::{CryptoRng, OsRng, RngCore};

/// A source of random octets fit for keys.
pub trait Entropy: Debug + Send + Sync {
    /// Fills `octets`.
    fn fill(&self, octets: &mut [u8]);
}

/// The operating system's source.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, octets: &mut [u8]) {
        OsRng.fill_bytes(octets);
    }
}

/// A random generator over a world's entropy, as the pure crates want one.
#[derive(Clone, Debug)]
pub struct Rng {
    entropy: Arc<dyn Entropy>,
}

impl Rng {
    /// A generator over `entropy`.
    #[must_use]
    pub fn new(entropy: Arc<dyn Entropy>) -> Self {
        Rng { entropy }
    }
}

impl RngCore for Rng {
    fn next_u32(&mut self) -> u32 {
        let mut octets = [0; 4];
        self.entropy.fill(&mut octets);
        u32::from_le_bytes(octets)
    }

    fn next_u64(&mut self) -> u64 {
        let mut octets = [0; 8];
        self.entropy.fill(&mut octets);
        u64::from_le_bytes(octets)
    }

    fn fill_bytes(&mut self, octets: &mut [u8]) {
        self.entropy.fill(octets);
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), rand_core::Error> {
        self.entropy.fill(octets);
        Ok(())
    }
}

impl CryptoRng for Rng {}
