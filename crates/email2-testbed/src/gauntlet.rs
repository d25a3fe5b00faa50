//! The gauntlet: octets that somebody made go through everything that reads octets of
//! strangers, without a network: intake (scan and judge), the structure that IMAP shows,
//! and a person's `read`.

pub mod mailbox;

use email2::address::{Address, Identity, ReversePath};
use email2::assurance::Assurance;
use email2::certificate::Certificate;
use email2::certificate::generate::generate;
use email2::content::{ContentError, Reader};
use email2::evidence::{Announced, Evidence, SignerEvidence, SignerKey};
use email2::key_query::KeyFlags;
use email2::limits::SEAL_LIFETIME;
use email2::rejection::Rejection;
use email2::scan::Scan;
use email2::seal::{ContentDigest, Nonce, Role, SealRequest, sign};
use email2::secret::SecretKey;
use email2::verdict::{Verdict, judge};
use email2_client::read::{self, Shown};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::failure::{Outcome, Step};

/// The moment of every run: 2025-11-24 13:13:20 UTC.
pub const NOW: u64 = 1_763_990_000;

/// Octets that a connection gives at once.
const BLOCK: usize = 16 * 1024;

/// Somebody with a key that their domain serves.
pub struct Player {
    /// Their address.
    pub address: Address,
    /// Their key.
    pub key: SecretKey,
}

/// Who plays.
pub struct Cast {
    /// alice@example.com, who reads.
    pub alice: Player,
    /// bob@example.org, who writes.
    pub bob: Player,
    /// eve@example.net, who has a good key of her own and sends what she likes.
    pub eve: Player,
}

impl Cast {
    /// Makes the keys: always the same.
    ///
    /// # Errors
    /// A key cannot be made.
    pub fn gather() -> Outcome<Cast> {
        Ok(Cast {
            alice: player("alice@example.com", 1)?,
            bob: player("bob@example.org", 2)?,
            eve: player("eve@example.net", 3)?,
        })
    }

    /// The certificate that an authenticated host serves for this signer.
    #[must_use]
    pub fn certificate(&self, of: &Identity) -> Option<&Certificate> {
        let mut all = [&self.alice, &self.bob, &self.eve].into_iter();
        let found = all.find(|player| Some(&player.address) == of.address());
        found.map(|player| player.key.certificate())
    }

    /// The message below an author's seal of `who` to Alice; `None` when no seal can be made over
    /// such octets (spec §4.3).
    #[must_use]
    pub fn sealed(&self, who: &Player, message: &[u8]) -> Option<Vec<u8>> {
        let digest = ContentDigest::of(message).ok()?;
        let signer = who.address.clone();
        let mut rng = ChaCha20Rng::seed_from_u64(4);
        let request = SealRequest {
            role: Role::Author,
            signer: Identity::Address(signer.clone()),
            reverse_path: ReversePath::Address(signer),
            recipients: vec![self.alice.address.clone()],
            created: NOW,
            expires: NOW + SEAL_LIFETIME,
            nonce: Nonce::random(&mut rng),
            digest,
        };
        let seal = sign(&request, &who.key, &mut rng).ok()?;
        Some([seal.field().as_bytes(), message].concat())
    }

    /// What a server makes of these octets when they come by `MAIL FROM:<from>`, announced as
    /// sealed by that address or not, to Alice: every key that a seal names and that exists is
    /// answered by an authenticated host.
    ///
    /// # Errors
    /// What is refused before it is judged.
    pub fn intake(
        &self,
        from: &Address,
        announced: bool,
        octets: &[u8],
    ) -> Result<Verdict, Rejection> {
        let mut scan = Scan::new(announced);
        for block in octets.chunks(BLOCK) {
            scan.push(block)?;
        }
        let scanned = scan.finish()?;
        let seals = scanned.header.seals.iter();
        let signers = seals
            .map(|field| email2::seal::Seal::parse(&field.value))
            .map(|seal| seal.map_or(SignerEvidence::NotAsked, |seal| self.answer(&seal.signer)))
            .collect();
        Ok(judge(Evidence {
            now: NOW,
            mail_from: ReversePath::Address(from.clone()),
            recipients: vec![self.alice.address.clone()],
            announced: announced.then(|| Announced {
                role: Role::Author,
                signer: Identity::Address(from.clone()),
            }),
            scanned,
            signers,
            reported: Vec::new(),
            ordinary: None,
        }))
    }

    fn answer(&self, signer: &Identity) -> SignerEvidence {
        match self.certificate(signer) {
            None => SignerEvidence::NoSuchKey,
            Some(certificate) => SignerEvidence::Known(SignerKey {
                certificate: certificate.clone(),
                assurance: Some(Assurance::DomainCertificate),
                flags: KeyFlags::default(),
                fetched: NOW,
            }),
        }
    }

    /// What Alice's program shows of these octets.
    ///
    /// # Errors
    /// See [`ContentError`].
    pub fn read(&self, octets: &[u8]) -> Result<Shown, ContentError> {
        let known = |who: &Address| self.certificate(&Identity::Address(who.clone())).cloned();
        let reader = Reader {
            keys: &[&self.alice.key],
            known: &known,
            now: NOW,
        };
        read::read(octets, &reader)
    }
}

fn player(address: &str, seed: u64) -> Outcome<Player> {
    let address = Address::parse(address).step(address)?;
    let identity = Identity::Address(address.clone());
    let made = generate(&identity, NOW - 60, &mut ChaCha20Rng::seed_from_u64(seed));
    Ok(Player {
        key: made.step(address.to_string())?,
        address,
    })
}
