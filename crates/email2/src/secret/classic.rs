//! The form for OpenPGP programs of today: GnuPG 2.2 and Thunderbird know neither ML-KEM nor
//! Argon2 (spec §6.10).

use pgp::types::KeyDetails;
use rand_core::{CryptoRng, RngCore};

use super::packets::{self, Lock};
use super::{SecretKey, SecretKeyError, made};
use crate::capability;
use crate::certificate::assemble::{self, fingerprint_of, read_signature};
use crate::certificate::{Certificate, Fingerprint, policy, selfsign};

impl SecretKey {
    /// The locked form that GnuPG 2.2 and Thunderbird import: without ML-KEM subkeys, each packet
    /// locked by iterated and salted S2K (RFC 9580 §3.7.1.3) and AES-256.
    ///
    /// # Errors
    /// The library that does the arithmetic refused.
    pub fn lock_classic(
        &self,
        passphrase: &[u8],
        rng: &mut (impl CryptoRng + RngCore),
    ) -> Result<Vec<u8>, SecretKeyError> {
        let certificate = self.certificate.without_post_quantum();
        let mut subkeys = self.subkeys.clone();
        let stays = |key: Option<Fingerprint>| key.is_some_and(|key| certificate.holds(&key));
        subkeys.retain(|key| stays(fingerprint_of(key)));
        let primary = self.primary.as_ref();
        let locked = packets::lock(primary, &subkeys, passphrase, Lock::Classic, rng)?;
        let reduced = Self::new(certificate, None, Vec::new());
        Ok(reduced.write(&locked.primary, &locked.subkeys))
    }

    /// The same key, whose certificate says by a signed notation that a classic program reads the
    /// mail: writers then encrypt to the classic subkey alone (spec §5.8).
    ///
    /// # Errors
    /// `NoPrimary`, or the library that does the arithmetic refused.
    pub fn for_classic_reader(
        &self,
        now: u64,
        rng: &mut (impl CryptoRng + RngCore),
    ) -> Result<Self, SecretKeyError> {
        if self.certificate.is_classic_reader() {
            return self.with_certificate(self.certificate.clone());
        }
        let primary = self.primary()?;
        let mut parts = self.certificate.parts().clone();
        for user in &mut parts.users {
            let id = assemble::user_id(&user.text)?;
            let bindings = user.signatures.iter_mut();
            for signature in bindings.filter(|s| s.statement.revokes.is_none()) {
                let old = read_signature(&signature.body).ok_or(SecretKeyError::Malformed(
                    "a signature that was read before",
                ))?;
                let lifetime = signature.statement.key_lifetime;
                let notation = capability::CLASSIC_READER_NOTATION;
                let noted = selfsign::annotated(primary, &old, &id, notation, (lifetime, now), rng);
                *signature = made(&noted)?;
            }
        }
        self.with_certificate(Certificate::from_parts(parts))
    }
}

impl Certificate {
    /// The form without ML-KEM subkeys, which programs of today skip or refuse.
    #[must_use]
    pub fn without_post_quantum(&self) -> Self {
        let mut parts = self.parts().clone();
        parts
            .subkeys
            .retain(|subkey| !policy::is_post_quantum(&subkey.key));
        Self::from_parts(parts)
    }

    /// The version of the primary key's packet: 4 or 6 (RFC 9580 §5.5.2).
    pub fn version(&self) -> u8 {
        u8::from(self.parts().primary.key.version())
    }
}
