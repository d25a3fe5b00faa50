//! One signing subkey a device, and what becomes of single subkeys (spec §6.9).

use pgp::ser::Serialize;
use pgp::types::{EcdsaPublicParams, KeyDetails, PublicParams};
use rand_core::{CryptoRng, RngCore};

use super::{SecretKey, SecretKeyError, made, refused};
use crate::certificate::assemble::fingerprint_of;
use crate::certificate::generate;
use crate::certificate::parts::Subkey;
use crate::certificate::selfsign::{self, Use};
use crate::certificate::succession::{Succession, succeed};
use crate::certificate::{Certificate, Fingerprint, RevocationReason};

impl SecretKey {
    /// The same key for another device: with a signing subkey of its own, made at `now`, in
    /// place of the secret ones of other devices. Their public halves stay in the certificate.
    ///
    /// # Errors
    /// `NoPrimary`, or the library that does the arithmetic refused.
    pub fn for_device(
        &self,
        now: u64,
        rng: &mut (impl CryptoRng + RngCore),
    ) -> Result<Self, SecretKeyError> {
        let primary = self.primary()?;
        let subkey = generate::signing_subkey(primary.version(), now, rng)?;
        let fingerprint = fingerprint_of(&subkey).ok_or(SecretKeyError::NoSigningKey)?;
        let binding = made(&selfsign::subkey(primary, &subkey, Use::Sign, now, rng))?;
        let public = subkey.public_key();
        let mut parts = self.certificate.parts().clone();
        parts.subkeys.push(Subkey {
            key: public.clone(),
            fingerprint,
            body: public.to_bytes().map_err(refused)?,
            signatures: vec![binding],
        });
        let bound = &self.certificate.parts().subkeys;
        let signs = |key: &Fingerprint| bound.iter().any(|s| s.fingerprint == *key && s.signs());
        let mut subkeys = self.subkeys.clone();
        subkeys.retain(|key| !fingerprint_of(key).as_ref().is_some_and(signs));
        subkeys.push(subkey);
        Ok(Self {
            certificate: Certificate::from_parts(parts),
            primary: self.primary.clone(),
            subkeys,
            former: self.former.clone(),
        })
    }

    /// The same key where it can seal; else with a signing subkey that can, made at `now`: the hash
    /// of a seal is too short for ECDSA P-384 (spec §6.2).
    ///
    /// # Errors
    /// `NoSigningKey`, `NoPrimary`, or the library that does the arithmetic refused.
    pub fn able_to_seal(
        self,
        now: u64,
        rng: &mut (impl CryptoRng + RngCore),
    ) -> Result<Self, SecretKeyError> {
        let signer = self.signing_key(now)?;
        let is_too_long = self.signer(&signer).is_some_and(|key| {
            let params = key.public_params();
            matches!(params, PublicParams::ECDSA(EcdsaPublicParams::P384 { .. }))
        });
        match is_too_long {
            true => self.for_device(now, rng),
            false => Ok(self),
        }
    }

    /// The certificate with one subkey revoked at `now` (Unix seconds).
    ///
    /// # Errors
    /// `NoPrimary`, `Another` when the certificate holds no such subkey, or the library that does
    /// the arithmetic refused.
    pub fn revoke_subkey(
        &self,
        subkey: &Fingerprint,
        reason: RevocationReason,
        now: u64,
        rng: &mut (impl CryptoRng + RngCore),
    ) -> Result<Certificate, SecretKeyError> {
        let mut parts = self.certificate.parts().clone();
        let mut subkeys = parts.subkeys.iter_mut();
        let found = subkeys.find(|bound| bound.fingerprint == *subkey);
        let found = found.ok_or(SecretKeyError::Another)?;
        let made_now = selfsign::subkey_revocation(self.primary()?, &found.key, reason, now, rng);
        found.signatures.push(made(&made_now)?);
        Ok(Certificate::from_parts(parts))
    }

    /// Both together: the secret keys that either has, the certificates merged. What one of them
    /// leaves out is not lost.
    ///
    /// # Errors
    /// `Another` primary key, or a merged certificate that is too large.
    pub fn joined(&self, other: &SecretKey) -> Result<Self, SecretKeyError> {
        let certificate = match succeed(&self.certificate, &other.certificate)? {
            Succession::Same => self.certificate.clone(),
            Succession::Merged(both) => both,
            Succession::Transition(_) | Succession::New => return Err(SecretKeyError::Another),
        };
        let mut subkeys = self.subkeys.clone();
        for key in &other.subkeys {
            let is_same = |own| fingerprint_of(own) == fingerprint_of(key);
            if !subkeys.iter().any(is_same) {
                subkeys.push(key.clone());
            }
        }
        Ok(Self {
            certificate,
            primary: self.primary.clone().or_else(|| other.primary.clone()),
            subkeys,
            former: self.former.clone(),
        })
    }

    /// The same key, beside the ones that it replaced: these open old mail and nothing else.
    #[must_use]
    pub fn with_former(self, former: Vec<SecretKey>) -> Self {
        Self { former, ..self }
    }

    /// The keys that this one replaced, as far as they are at hand.
    pub fn former(&self) -> &[SecretKey] {
        &self.former
    }

    /// Whether this is the primary key, or that of a key that it replaced.
    pub fn is_or_was(&self, primary: &[u8]) -> bool {
        let is = |key: &SecretKey| key.certificate.primary().as_bytes() == primary;
        is(self) || self.former.iter().any(is)
    }
}
