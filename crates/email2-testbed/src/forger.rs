//! Those who want their mail taken for bob's: what they have, and what they try.

pub mod session;
pub mod way;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use email2::address::{Address, Identity, ReversePath};
use email2::limits::SEAL_LIFETIME;
use email2::seal::{ContentDigest, Nonce, Role, SealRequest, sign};
use email2::secret::SecretKey;
use email2_io::world::World;

use crate::failure::{Outcome, Step};
use session::Letter;

/// What a forger has in hand.
pub struct Forger {
    /// Time and randomness.
    pub world: World,
    /// Who is to be deceived.
    pub victim: Address,
    /// Somebody else at the victim's server.
    pub bystander: Address,
    /// Whose name is misused.
    pub author: Address,
    /// The forger's own address, at the author's domain, with the key that is served for it.
    pub own: (Address, SecretKey),
    /// A key that the forger made for the author's address and that nobody serves.
    pub made: SecretKey,
    /// A person of the author's domain and the key that was stolen from their device.
    pub stolen: (Address, SecretKey),
    /// A message from the author to the victim, as it crossed the wire.
    pub captured: Letter,
}

/// What a seal of a forger says, apart from what follows from the letter.
pub struct Claim<'a> {
    /// Who is said to have sealed.
    pub signer: &'a Address,
    /// Who is said to be the author.
    pub from: &'a str,
    /// The key that really seals.
    pub key: &'a SecretKey,
    /// The time said, as seconds from now, and how long the seal holds.
    pub dated: i64,
    /// Lifetime, in seconds.
    pub lifetime: u64,
}

impl<'a> Claim<'a> {
    /// A claim without tricks about time.
    #[must_use]
    pub fn now(signer: &'a Address, from: &'a str, key: &'a SecretKey) -> Claim<'a> {
        Claim {
            signer,
            from,
            key,
            dated: 0,
            lifetime: SEAL_LIFETIME,
        }
    }
}

impl Forger {
    /// A message to the victim without a seal.
    #[must_use]
    pub fn message(&self, from: &str) -> Vec<u8> {
        let to = &self.victim;
        format!(
            "From: {from}\r\nTo: {to}\r\nSubject: Please pay today\r\n\
             Date: Thu, 26 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{}@forged.example>\r\n\
             MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nTo this account: …1234.\r\n",
            self.world.now()
        )
        .replace('…', "...")
        .into_bytes()
    }

    /// A sealed letter to the victim, as the claim says.
    ///
    /// # Errors
    /// The seal cannot be made.
    pub fn sealed(&self, claim: &Claim<'_>) -> Outcome<Letter> {
        let content = self.message(claim.from);
        let created = self.world.now().saturating_add_signed(claim.dated);
        let mut rng = self.world.rng();
        let request = SealRequest {
            role: Role::Author,
            signer: Identity::Address(claim.signer.clone()),
            reverse_path: ReversePath::Address(claim.signer.clone()),
            recipients: vec![self.victim.clone()],
            created,
            expires: created.saturating_add(claim.lifetime),
            nonce: Nonce::random(&mut rng),
            digest: ContentDigest::of(&content).step("digest")?,
        };
        let seal = sign(&request, claim.key, &mut rng).step("seal")?;
        Ok(Letter {
            from: claim.signer.to_string(),
            announced: Some(announcement(claim.signer)),
            recipients: vec![self.victim.to_string()],
            content: [seal.field().into_bytes(), content].concat(),
        })
    }

    /// The captured letter with its octets changed.
    #[must_use]
    pub fn captured_with(&self, change: impl FnOnce(&str) -> String) -> Letter {
        let text = String::from_utf8_lossy(&self.captured.content);
        Letter {
            content: change(&text).into_bytes(),
            ..self.captured.clone()
        }
    }
}

/// The value of the MAIL parameter for an author's seal (spec §3.2).
#[must_use]
pub fn announcement(signer: &Address) -> String {
    format!("author,{}", URL_SAFE_NO_PAD.encode(signer.to_string()))
}
