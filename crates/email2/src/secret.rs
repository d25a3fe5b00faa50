//! A secret key: unlocked and zeroized in memory, locked at rest (spec §6.7).

mod classic;
mod device;
pub(crate) mod packets;

use std::fmt;

use pgp::packet::{SecretKey as SecretPrimary, SecretSubkey, Signature};
use pgp::ser::Serialize;
use pgp::types::SigningKey;
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::capability;
use crate::certificate::assemble::{self, fingerprint_of, read_signature};
use crate::certificate::framing::{SECRET_KEY, SECRET_SUBKEY, put_packet};
use crate::certificate::parts::{KeyPart, Parts, SelfSignature};
use crate::certificate::policy::Statement;
use crate::certificate::selfsign::{self, Subject};
use crate::certificate::{Certificate, CertificateError, Fingerprint, RevocationReason, armor};
use crate::limits;

/// An unlocked secret key with its certificate. Its memory is wiped when it is
/// dropped.
#[derive(Clone)]
pub struct SecretKey {
    certificate: Certificate,
    /// Missing when the owner keeps it elsewhere: seals are by subkeys.
    primary: Option<SecretPrimary>,
    subkeys: Vec<SecretSubkey>,
    /// What it replaced: for old mail (spec §6.9.3).
    former: Vec<SecretKey>,
}

/// Why a secret key cannot be read, unlocked or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretKeyError {
    /// The octets are no secret key.
    #[error("this is not an OpenPGP secret key: {0}")]
    Malformed(&'static str),
    /// The passphrase is wrong.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// The key is locked and no passphrase was given.
    #[error("the secret key is locked: give its passphrase")]
    Locked,
    /// Unlocking would take more memory or time than is allowed.
    #[error("the secret key is locked in a way that costs too much to unlock")]
    Costly,
    /// The secret primary key is elsewhere (on a card, or left out).
    #[error("the secret primary key is not in the file")]
    NoPrimary,
    /// No subkey may sign at that time.
    #[error("no key of this certificate may sign now")]
    NoSigningKey,
    /// The time asked for is not after the present, or not after the key's.
    #[error("the key would have expired already")]
    Ended,
    /// The certificate is of another primary key.
    #[error("this certificate is of another key")]
    Another,
    /// The public part is no acceptable certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// The octets of a secret key in armor (RFC 9580 §6.2).
#[must_use]
pub fn armored(octets: &[u8]) -> String {
    armor::write(armor::Block::Private, octets)
}

impl SecretKey {
    pub(crate) fn new(
        certificate: Certificate,
        primary: Option<SecretPrimary>,
        subkeys: Vec<SecretSubkey>,
    ) -> Self {
        Self {
            certificate,
            primary,
            subkeys,
            former: Vec::new(),
        }
    }

    /// The public part.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The key that signs at `now` (Unix seconds): the newest signing subkey
    /// that counts and that is at hand.
    ///
    /// # Errors
    /// [`SecretKeyError::NoSigningKey`].
    pub fn signing_key(&self, now: u64) -> Result<Fingerprint, SecretKeyError> {
        let counts = |key: &Fingerprint| self.certificate.signing_key_at(key, now).is_ok();
        let mut keys: Vec<&SecretSubkey> = self.subkeys.iter().collect();
        keys.sort_by_key(|key| std::cmp::Reverse(created(key)));
        let subkeys = keys.into_iter().filter_map(fingerprint_of);
        let primary = self.primary.iter().filter_map(fingerprint_of);
        subkeys
            .chain(primary)
            .find(counts)
            .ok_or(SecretKeyError::NoSigningKey)
    }

    /// The secret key with this fingerprint, for the arithmetic.
    #[expect(
        clippy::redundant_allocation,
        reason = "the library signs with any key by this type only"
    )]
    pub(crate) fn signer(&self, key: &Fingerprint) -> Option<Box<&dyn SigningKey>> {
        let primary = self
            .primary
            .iter()
            .map(|key| Box::new(key as &dyn SigningKey));
        let subkeys = self
            .subkeys
            .iter()
            .map(|key| Box::new(key as &dyn SigningKey));
        primary
            .chain(subkeys)
            .find(|signer| fingerprint_of(signer).as_ref() == Some(key))
    }

    /// The subkeys that decrypt; revoked, expired and replaced ones too, for old mail.
    pub(crate) fn decryption_keys(&self) -> impl Iterator<Item = &SecretSubkey> {
        let former = self.former.iter().flat_map(SecretKey::own_decryption_keys);
        self.own_decryption_keys().chain(former)
    }

    fn own_decryption_keys(&self) -> impl Iterator<Item = &SecretSubkey> {
        self.subkeys.iter().filter(|key| {
            let fingerprint = fingerprint_of(*key);
            let mut bound = self.certificate.parts().subkeys.iter();
            bound.any(|subkey| {
                Some(&subkey.fingerprint) == fingerprint.as_ref() && subkey.encrypts()
            })
        })
    }

    /// The locked form for rest: S2K Argon2 and AEAD (spec §6.7, RFC 9580
    /// §3.7.1.4).
    ///
    /// # Errors
    /// The library that does the arithmetic refused.
    pub fn lock(
        &self,
        passphrase: &[u8],
        rng: &mut (impl CryptoRng + RngCore),
    ) -> Result<Vec<u8>, SecretKeyError> {
        let locked = packets::lock(
            self.primary.as_ref(),
            &self.subkeys,
            passphrase,
            packets::Lock::Argon2,
            rng,
        )?;
        Ok(self.write(&locked.primary, &locked.subkeys))
    }

    /// Reads a locked or unlocked secret key, binary or armored, ours or as
    /// another OpenPGP program exports it.
    ///
    /// # Errors
    /// See [`SecretKeyError`].
    pub fn unlock(octets: &[u8], passphrase: Option<&[u8]>) -> Result<Self, SecretKeyError> {
        let binary = if armor::is_armored(octets) {
            Zeroizing::new(armor::read(octets)?)
        } else {
            Zeroizing::new(octets.to_vec())
        };
        let (certificate, keys) = packets::read(&binary)?;
        let keys = packets::unlock(keys, passphrase)?;
        Ok(Self {
            certificate,
            primary: keys.primary,
            subkeys: keys.subkeys,
            former: Vec::new(),
        })
    }

    /// The unlocked binary form: for a service key, and for export.
    pub fn to_octets(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.write(&self.primary, &self.subkeys))
    }

    /// As the certificate, with secret keys where they are at hand.
    fn write(&self, primary: &Option<SecretPrimary>, subkeys: &[SecretSubkey]) -> Vec<u8> {
        // Enough for all: growing would leave copies of secrets in memory.
        let mut out = Vec::with_capacity(2 * limits::CERTIFICATE_OCTETS);
        self.certificate.parts().write(&mut out, |out, part| {
            let (tag, secret) = match part {
                KeyPart::Primary(_) => (SECRET_KEY, primary.as_ref().and_then(octets_of)),
                KeyPart::Subkey(bound) => {
                    let own = |key: &&SecretSubkey| {
                        fingerprint_of(*key).as_ref() == Some(&bound.fingerprint)
                    };
                    (SECRET_SUBKEY, subkeys.iter().find(own).and_then(octets_of))
                }
            };
            match secret {
                Some(secret) => put_packet(out, tag, &secret),
                None => part.put_public(out),
            }
        });
        out
    }

    fn primary(&self) -> Result<&SecretPrimary, SecretKeyError> {
        self.primary.as_ref().ok_or(SecretKeyError::NoPrimary)
    }

    /// The certificate with the primary key revoked at `now` (Unix seconds).
    ///
    /// # Errors
    /// `NoPrimary`, or the library that does the arithmetic refused.
    pub fn revoke(
        &self,
        reason: RevocationReason,
        now: u64,
        rng: &mut (impl CryptoRng + RngCore),
    ) -> Result<Certificate, SecretKeyError> {
        let revocation = made(&selfsign::revocation(self.primary()?, reason, now, rng))?;
        let mut parts = self.certificate.parts().clone();
        parts.primary.signatures.push(revocation);
        Ok(Certificate::from_parts(parts))
    }

    /// The same key that expires at `until` (Unix seconds; `None`: never), by
    /// new self-signatures made at `now`.
    ///
    /// # Errors
    /// `NoPrimary`, `Ended`, or the library that does the arithmetic refused.
    pub fn expiring(
        &self,
        until: Option<u64>,
        now: u64,
        rng: &mut (impl CryptoRng + RngCore),
    ) -> Result<Self, SecretKeyError> {
        if until.is_some_and(|until| until <= now) {
            return Err(SecretKeyError::Ended);
        }
        let primary = self.primary()?;
        let mut parts = self.certificate.parts().clone();
        let mut renew = Renewal {
            primary,
            until,
            now,
            rng,
        };
        renew.signatures(
            &mut parts.primary.signatures,
            Subject::Primary,
            created(primary),
        )?;
        for user in &mut parts.users {
            let id = assemble::user_id(&user.text)?;
            renew.signatures(&mut user.signatures, Subject::User(&id), created(primary))?;
        }
        for subkey in parts
            .subkeys
            .iter_mut()
            .filter(|subkey| subkey.ends().is_some())
        {
            let subject = Subject::Subkey(&subkey.key);
            renew.signatures(&mut subkey.signatures, subject, created(&subkey.key))?;
        }
        self.with_certificate(Certificate::from_parts(parts))
    }

    /// `new`'s certificate with a transition signed at `now` by this, the old
    /// key: for every User ID that both bind (spec §6.5).
    ///
    /// # Errors
    /// `NoPrimary`, or the library that does the arithmetic refused.
    pub fn transition_to(
        &self,
        new: &Certificate,
        now: u64,
        rng: &mut (impl CryptoRng + RngCore),
    ) -> Result<Certificate, SecretKeyError> {
        let primary = self.primary()?;
        let mut parts: Parts = new.parts().clone();
        let subject = parts.primary.key.clone();
        for user in &mut parts.users {
            let shared = user
                .identity
                .as_ref()
                .is_some_and(|who| self.certificate.binds(who));
            if !shared {
                continue;
            }
            let id = assemble::user_id(&user.text)?;
            let kind = pgp::packet::SignatureType::CertGeneric;
            let mut config = selfsign::begin(primary, kind, now, rng).map_err(refused)?;
            let notation = selfsign::notation(capability::TRANSITION_NOTATION, "1");
            config.hashed_subpackets.push(notation.map_err(refused)?);
            let signed = selfsign::certify(config, primary, &subject, &id).map_err(refused)?;
            user.transitions.push(signed.to_bytes().map_err(refused)?);
        }
        Ok(Certificate::from_parts(parts))
    }

    /// The same secret key with another form of its certificate: after a
    /// transition, a merge or a revocation.
    ///
    /// # Errors
    /// [`SecretKeyError::Another`].
    pub fn with_certificate(&self, certificate: Certificate) -> Result<Self, SecretKeyError> {
        if certificate.primary() != self.certificate.primary() {
            return Err(SecretKeyError::Another);
        }
        Ok(Self {
            certificate,
            primary: self.primary.clone(),
            subkeys: self.subkeys.clone(),
            former: self.former.clone(),
        })
    }
}

/// Renews bindings with one end and one time.
struct Renewal<'a, R> {
    primary: &'a SecretPrimary,
    until: Option<u64>,
    now: u64,
    rng: &'a mut R,
}

impl<R: CryptoRng + RngCore> Renewal<'_, R> {
    /// Replaces the bindings among `signatures` by ones that end the key, which
    /// was created at `created`, at `until`.
    fn signatures(
        &mut self,
        signatures: &mut [SelfSignature],
        subject: Subject<'_>,
        created: u64,
    ) -> Result<(), SecretKeyError> {
        let lifetime = match self.until {
            Some(until) => Some(until.checked_sub(created).ok_or(SecretKeyError::Ended)?),
            None => None,
        };
        for signature in signatures
            .iter_mut()
            .filter(|s| s.statement.revokes.is_none())
        {
            let old = read_signature(&signature.body).ok_or(SecretKeyError::Malformed(
                "a signature that was read before",
            ))?;
            let renewed =
                selfsign::renew(self.primary, &old, subject, (lifetime, self.now), self.rng);
            *signature = made(&renewed)?;
        }
        Ok(())
    }
}

/// What we signed ourselves, as part of a certificate.
fn made(signature: &pgp::errors::Result<Signature>) -> Result<SelfSignature, SecretKeyError> {
    let signature = signature
        .as_ref()
        .map_err(|error| CertificateError::OpenPgp(error.to_string()))?;
    let statement = Statement::read(signature).map_err(SecretKeyError::Malformed)?;
    Ok(SelfSignature {
        body: signature.to_bytes().map_err(refused)?,
        statement,
    })
}

fn refused(error: pgp::errors::Error) -> SecretKeyError {
    SecretKeyError::Certificate(error.into())
}

fn created(key: &impl pgp::types::KeyDetails) -> u64 {
    u64::from(key.created_at().as_secs())
}

fn octets_of(key: &impl Serialize) -> Option<Zeroizing<Vec<u8>>> {
    key.to_bytes().ok().map(Zeroizing::new)
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({}, redacted)", self.certificate.primary())
    }
}
