//! The people of the vectors, always the same: keys from fixed seeds, one moment.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use email2::certificate::Certificate;
use email2::certificate::generate::generate;
use email2::seal::{ContentDigest, Nonce, Role, Seal, SealRequest, sign};
use email2::secret::SecretKey;
use email2::{Address, Identity, ReversePath, limits};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::failure::{Outcome, Step};

/// The moment of every vector: 2025-11-24 13:13:20 UTC.
pub(super) const NOW: u64 = 1_763_990_000;

/// A day, seconds.
pub(super) const DAY: u64 = 86_400;

/// Content that is sealed: what stands below the seal.
pub(super) const CONTENT: &str = "From: Bob <bob@example.org>\r\n\
    To: alice@example.com\r\n\
    Subject: lunch\r\n\
    Date: Mon, 24 Nov 2025 13:13:20 +0000\r\n\
    Message-ID: <1@example.org>\r\n\
    \r\n\
    At noon?\r\n";

/// Their keys.
pub(super) struct Cast {
    /// bob@example.org, who writes.
    pub(super) bob: SecretKey,
    /// alice@example.com, who reads.
    pub(super) alice: SecretKey,
    /// mallory@example.org, of bob's domain.
    pub(super) mallory: SecretKey,
    /// friends@example.net, a mailing list.
    pub(super) list: SecretKey,
    /// @example.com, the service of alice's domain.
    pub(super) service: SecretKey,
}

impl Cast {
    /// Makes the keys.
    pub(super) fn gather() -> Outcome<Self> {
        Ok(Self {
            bob: key("bob@example.org", 1)?,
            alice: key("alice@example.com", 2)?,
            mallory: key("mallory@example.org", 3)?,
            list: key("friends@example.net", 4)?,
            service: key("@example.com", 5)?,
        })
    }
}

/// Randomness that is always the same.
pub(super) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A key made a month before.
pub(super) fn key(who: &str, seed: u64) -> Outcome<SecretKey> {
    generate(&identity(who)?, NOW - 30 * DAY, &mut rng(seed)).step(format!("key of {who}"))
}

pub(super) fn identity(text: &str) -> Outcome<Identity> {
    Identity::parse(text).step(text)
}

fn address(text: &str) -> Outcome<Address> {
    Address::parse(text).step(text)
}

/// The armored text of a certificate.
pub(super) fn armored(certificate: &Certificate) -> String {
    certificate.armored()
}

/// A secret key without a passphrase, base64 of its octets. For vectors only.
pub(super) fn unlocked(secret: &SecretKey) -> String {
    STANDARD.encode(secret.to_octets().as_slice())
}

/// A seal to be made.
#[derive(Clone)]
pub(super) struct Wish {
    pub(super) role: Role,
    pub(super) signer: &'static str,
    pub(super) reverse_path: &'static str,
    pub(super) recipients: &'static [&'static str],
    pub(super) created: u64,
    pub(super) lifetime: u64,
    pub(super) nonce: u8,
}

impl Default for Wish {
    /// What bob usually wishes.
    fn default() -> Self {
        Self {
            role: Role::Author,
            signer: "bob@example.org",
            reverse_path: "bob@example.org",
            recipients: &["alice@example.com"],
            created: NOW,
            lifetime: limits::SEAL_LIFETIME,
            nonce: 1,
        }
    }
}

impl Wish {
    /// Seals `content` by `secret`.
    pub(super) fn seal(&self, content: &str, secret: &SecretKey) -> Outcome<Seal> {
        let recipients: Outcome<Vec<_>> = self.recipients.iter().map(|r| address(r)).collect();
        let request = SealRequest {
            role: self.role,
            signer: identity(self.signer)?,
            reverse_path: ReversePath::parse(self.reverse_path).step("reverse path")?,
            recipients: recipients?,
            created: self.created,
            expires: self.created + self.lifetime,
            nonce: Nonce([self.nonce; 16]),
            digest: ContentDigest::of(content.as_bytes()).step("digest")?,
        };
        sign(&request, secret, &mut rng(u64::from(self.nonce) + 100)).step("seal")
    }

    /// The field and the content below it.
    pub(super) fn sealed(&self, content: &str, secret: &SecretKey) -> Outcome<String> {
        Ok(self.seal(content, secret)?.field() + content)
    }
}
