//! The seal on each copy: who sends it to whom, bound to every octet (spec §4).

use email2::address::{Address, Domain, Identity, ReversePath};
use email2::limits;
use email2::scan::Scan;
use email2::seal::digest::ContentDigest;
use email2::seal::sign::{SealRequest, sign};
use email2::seal::{Nonce, Role, Seal, SealError};
use rand_core::{CryptoRng, RngCore};

use super::Author;
use super::keys::Keyed;
use super::protect::Protected;
use super::report::Manner;

/// A copy that is ready to leave.
#[derive(Debug)]
pub struct Sealed {
    /// Where to.
    pub domain: Domain,
    /// To whom, all of that domain.
    pub recipients: Vec<Keyed>,
    /// The octets, seal first.
    pub octets: Vec<u8>,
    /// How it leaves.
    pub manner: Manner,
    /// When the seal ends, Unix seconds.
    pub expires: u64,
}

/// Why a copy cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealingError {
    /// The content is not what a seal may cover.
    #[error("the message cannot be sealed: {0}")]
    Content(SealError),
    /// Receivers would refuse it.
    #[error("the message would be refused: {0}")]
    Refused(email2::Rejection),
    /// The key cannot sign.
    #[error("your key cannot seal: {0}")]
    Key(SealError),
    /// A copy without recipients, or for several domains.
    #[error("a copy must be for recipients of one domain")]
    Recipients,
}

/// Seals every copy, each with a number of its own.
///
/// # Errors
/// See [`SealingError`].
pub fn seal(
    author: &Author<'_>,
    protected: Vec<Protected>,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Vec<Sealed>, SealingError> {
    let copies = protected.into_iter();
    copies
        .map(|copy| seal_one(author, copy, now, rng))
        .collect()
}

fn seal_one(
    author: &Author<'_>,
    copy: Protected,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Sealed, SealingError> {
    let addresses: Vec<Address> = copy
        .recipients
        .iter()
        .map(|to| to.address.clone())
        .collect();
    let domain = addresses
        .first()
        .ok_or(SealingError::Recipients)?
        .domain()
        .clone();
    let seal = one(author, addresses, &copy.octets, now, rng)?;
    Ok(Sealed {
        domain,
        recipients: copy.recipients,
        octets: [seal.field().as_bytes(), &copy.octets].concat(),
        manner: copy.manner,
        expires: seal.expires,
    })
}

/// The seal for these octets and recipients.
///
/// # Errors
/// See [`SealingError`]; receivers would refuse the content.
pub fn one(
    author: &Author<'_>,
    recipients: Vec<Address>,
    content: &[u8],
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Seal, SealingError> {
    let request = SealRequest {
        role: Role::Author,
        signer: Identity::Address(author.address.clone()),
        reverse_path: ReversePath::Address(author.address.clone()),
        recipients,
        created: now,
        // The time may be another server's (spec §4.9.3).
        expires: now.saturating_add(limits::SEAL_LIFETIME),
        nonce: Nonce::random(rng),
        digest: ContentDigest::of(content).map_err(SealingError::Content)?,
    };
    let seal = sign(&request, author.key, rng).map_err(SealingError::Key)?;
    // What a receiver would refuse does not leave.
    would_pass(&seal, content).map_err(SealingError::Refused)?;
    Ok(seal)
}

/// Reads the sealed message as its receiver will.
fn would_pass(seal: &Seal, content: &[u8]) -> Result<(), email2::Rejection> {
    let mut scan = Scan::new(true);
    scan.push(seal.field().as_bytes())?;
    scan.push(content)?;
    scan.finish().map(drop)
}

/// Seals a copy again at another time (spec §4.9.3): the seal on top of `sealed` gives way to one
/// with a new time and number; everything below stays.
///
/// # Errors
/// See [`SealingError`]; there is no seal on top.
pub fn again(
    author: &Author<'_>,
    sealed: &[u8],
    at: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Vec<u8>, SealingError> {
    let scanned = Scan::whole(true, sealed).map_err(SealingError::Refused)?;
    let top = scanned
        .header
        .seals
        .first()
        .ok_or(SealingError::Recipients)?;
    let old = Seal::parse(&top.value).map_err(SealingError::Content)?;
    let below = usize::try_from(top.end).unwrap_or(usize::MAX);
    let content = sealed.get(below..).ok_or(SealingError::Recipients)?;
    let seal = one(author, old.recipients, content, at, rng)?;
    Ok([seal.field().as_bytes(), content].concat())
}
