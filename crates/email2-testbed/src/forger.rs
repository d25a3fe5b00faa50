//! Those who want their mail taken for bob's: what they have, and what they try.

pub mod session;
pub mod way;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use email2::address::{Address, Identity, ReversePath};
use email2::certificate::generate::generate;
use email2::limits::SEAL_LIFETIME;
use email2::seal::{ContentDigest, Nonce, Role, Seal, SealRequest, sign};
use email2::secret::SecretKey;
use email2_io::world::World;

use crate::device::Device;
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
    pub stolen: Option<(Address, SecretKey)>,
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
    /// A forger with an account and a device of their own, who wants to be `author`.
    ///
    /// # Errors
    /// A key cannot be made.
    pub fn new(world: &World, author: &Address, own: Device) -> Outcome<Forger> {
        let identity = Identity::Address(author.clone());
        let made = generate(&identity, world.now(), &mut world.rng()).step("forger's key")?;
        Ok(Forger {
            world: world.clone(),
            victim: author.clone(),
            bystander: author.clone(),
            author: author.clone(),
            own: (own.address, own.secret),
            made,
            stolen: None,
            captured: Letter::default(),
        })
    }

    /// A message to the victim without a seal.
    #[must_use]
    pub fn message(&self, from: &str) -> Vec<u8> {
        message(&self.world, from, &self.victim)
    }

    /// A sealed letter to the victim, as the claim says.
    ///
    /// # Errors
    /// The seal cannot be made.
    pub fn sealed(&self, claim: &Claim<'_>) -> Outcome<Letter> {
        seal_for(&self.world, &self.victim, claim)
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

fn message(world: &World, from: &str, to: &Address) -> Vec<u8> {
    format!(
        "From: {from}\r\nTo: {to}\r\nSubject: Please pay today\r\n\
         Date: Thu, 26 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{}@forged.example>\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nTo this account: 1234.\r\n",
        world.now()
    )
    .into_bytes()
}

/// A message to `to`, sealed by hand as the claim says.
///
/// # Errors
/// The seal cannot be made.
pub fn seal_for(world: &World, to: &Address, claim: &Claim<'_>) -> Outcome<Letter> {
    let content = message(world, claim.from, to);
    let digest = ContentDigest::of(&content).step("digest")?;
    let seal = seal_over(world, to, claim, digest)?;
    Ok(Letter {
        from: claim.signer.to_string(),
        announced: Some(announcement(&seal.signer)),
        recipients: vec![to.to_string()],
        content: [seal.field().into_bytes(), content].concat(),
    })
}

/// A seal over content of this digest, as the claim says.
///
/// # Errors
/// The seal cannot be made.
pub fn seal_over(
    world: &World,
    to: &Address,
    claim: &Claim<'_>,
    digest: [u8; 32],
) -> Outcome<Seal> {
    let created = world.now().saturating_add_signed(claim.dated);
    let mut rng = world.rng();
    let request = SealRequest {
        role: Role::Author,
        signer: Identity::Address(claim.signer.clone()),
        reverse_path: ReversePath::Address(claim.signer.clone()),
        recipients: vec![to.clone()],
        created,
        expires: created.saturating_add(claim.lifetime),
        nonce: Nonce::random(&mut rng),
        digest,
    };
    sign(&request, claim.key, &mut rng).step("seal")
}

/// The value of the MAIL parameter for an author's seal (spec §3.2).
#[must_use]
pub fn announcement(signer: &Identity) -> String {
    format!("author,{}", URL_SAFE_NO_PAD.encode(signer.to_string()))
}
