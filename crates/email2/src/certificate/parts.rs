//! The parts of a certificate, each with the self-signatures that hold.

use pgp::packet::{PublicKey, PublicSubkey};
use pgp::types::KeyDetails;

use super::framing::{PUBLIC_KEY, PUBLIC_SUBKEY, SIGNATURE, USER_ID, put_packet};
use super::policy::{Notations, Revocation, Statement};
use super::{Fingerprint, LeftOut};
use crate::address::Identity;

/// Everything that was read and held.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) primary: Primary,
    pub(crate) users: Vec<User>,
    pub(crate) subkeys: Vec<Subkey>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// The primary key.
#[derive(Clone, Debug)]
pub(crate) struct Primary {
    pub(crate) key: PublicKey,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) body: Vec<u8>,
    /// Direct-key signatures and revocations.
    pub(crate) signatures: Vec<SelfSignature>,
}

/// A User ID that its owner bound.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) text: String,
    /// Whom it names, if it names anybody (spec §6.3.1).
    pub(crate) identity: Option<Identity>,
    pub(crate) signatures: Vec<SelfSignature>,
    /// Certifications by earlier primary keys that name this one as successor
    /// (spec §6.5), not yet verified: whoever knows the earlier key does.
    pub(crate) transitions: Vec<Vec<u8>>,
}

/// A subkey that is bound.
#[derive(Clone, Debug)]
pub(crate) struct Subkey {
    pub(crate) key: PublicSubkey,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) body: Vec<u8>,
    pub(crate) signatures: Vec<SelfSignature>,
}

/// A self-signature that verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SelfSignature {
    pub(crate) body: Vec<u8>,
    pub(crate) statement: Statement,
}

/// The newest statement that binds.
pub(crate) fn binding(signatures: &[SelfSignature]) -> Option<&Statement> {
    signatures
        .iter()
        .map(|signature| &signature.statement)
        .filter(|statement| statement.revokes.is_none())
        .max_by_key(|statement| statement.created)
}

/// The revocations, hard ones first, then the earliest.
pub(crate) fn revocations(signatures: &[SelfSignature]) -> Vec<Revocation> {
    let mut found: Vec<Revocation> = signatures
        .iter()
        .filter_map(|signature| {
            let reason = signature.statement.revokes?;
            Some(Revocation {
                at: signature.statement.created,
                hard: reason.is_hard(),
                reason,
            })
        })
        .collect();
    found.sort_by_key(|revocation| (!revocation.hard, revocation.at));
    found
}

/// When a key ends by its newest binding, Unix seconds (spec §6.6.2).
pub(crate) fn end(key: &impl KeyDetails, statement: &Statement) -> Option<u64> {
    let created = u64::from(key.created_at().as_secs());
    let key_ends = statement.key_lifetime.map(|seconds| created + seconds);
    earlier(key_ends, statement.ends)
}

/// The stricter of two ends; `None` is never.
pub(crate) fn earlier(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl User {
    /// Whether the newest certification stands: it is not revoked by a later
    /// statement, and no hard revocation is there (spec §6.3.1).
    pub(crate) fn is_bound(&self) -> bool {
        let Some(bound) = binding(&self.signatures) else {
            return false;
        };
        !revocations(&self.signatures)
            .iter()
            .any(|revocation| revocation.hard || revocation.at >= bound.created)
    }
}

impl Subkey {
    pub(crate) fn signs(&self) -> bool {
        binding(&self.signatures).is_some_and(|statement| statement.signs)
    }

    pub(crate) fn encrypts(&self) -> bool {
        binding(&self.signatures).is_some_and(|statement| statement.encrypts)
    }

    pub(crate) fn ends(&self) -> Option<u64> {
        binding(&self.signatures).and_then(|statement| end(&self.key, statement))
    }
}

impl Parts {
    /// The User IDs whose binding stands.
    pub(crate) fn bound_users(&self) -> impl Iterator<Item = &User> {
        self.users.iter().filter(|user| user.is_bound())
    }

    /// The newest statements about the primary key: by a direct-key signature
    /// and by each bound User ID.
    pub(crate) fn primary_statements(&self) -> impl Iterator<Item = &Statement> {
        binding(&self.primary.signatures).into_iter().chain(
            self.bound_users()
                .filter_map(|user| binding(&user.signatures)),
        )
    }

    /// When the certificate ends: the strictest of all that bounds it
    /// (spec §6.6.2).
    pub(crate) fn ends(&self) -> Option<u64> {
        self.primary_statements()
            .map(|statement| end(&self.primary.key, statement))
            .fold(None, earlier)
    }

    /// Whether any current statement carries the notation.
    pub(crate) fn has_notation(&self, which: impl Fn(&Notations) -> bool) -> bool {
        self.primary_statements()
            .any(|statement| which(&statement.notations))
    }

    /// The certificate in one canonical framing (spec §6.4).
    pub(crate) fn to_octets(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out, |out, part| part.put_public(out));
        out
    }

    /// As `to_octets`, where the caller writes the key packets: secret ones.
    pub(crate) fn write(
        &self,
        out: &mut Vec<u8>,
        mut put_key: impl FnMut(&mut Vec<u8>, KeyPart<'_>),
    ) {
        put_key(out, KeyPart::Primary(&self.primary));
        put_signatures(out, &self.primary.signatures);
        for user in &self.users {
            put_packet(out, USER_ID, user.text.as_bytes());
            put_signatures(out, &user.signatures);
            for transition in &user.transitions {
                put_packet(out, SIGNATURE, transition);
            }
        }
        for subkey in &self.subkeys {
            put_key(out, KeyPart::Subkey(subkey));
            put_signatures(out, &subkey.signatures);
        }
    }
}

/// A key of the certificate that is about to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeyPart<'a> {
    Primary(&'a Primary),
    Subkey(&'a Subkey),
}

impl KeyPart<'_> {
    pub(crate) fn put_public(self, out: &mut Vec<u8>) {
        match self {
            Self::Primary(primary) => put_packet(out, PUBLIC_KEY, &primary.body),
            Self::Subkey(subkey) => put_packet(out, PUBLIC_SUBKEY, &subkey.body),
        }
    }
}

fn put_signatures(out: &mut Vec<u8>, signatures: &[SelfSignature]) {
    for signature in signatures {
        put_packet(out, SIGNATURE, &signature.body);
    }
}
