//! The seal of a user whose key this server holds, with a fresh number each time (spec §13.4.3).

use email2::address::{Address, Identity, ReversePath};
use email2::limits;
use email2::rejection::Rejection;
use email2::scan::Scan;
use email2::seal::digest::ContentDigest;
use email2::seal::{Nonce, Role, Seal, SealError, SealRequest, sign};
use email2::secret::SecretKey;
use email2_io::aside::aside;

use crate::site::Site;

/// Why a message cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealingError {
    /// The content or the key does not allow it.
    #[error("the message cannot be sealed: {0}")]
    Seal(#[from] SealError),
    /// Receivers would refuse it.
    #[error("the message would be refused: {0}")]
    Refused(Rejection),
    /// The work was given up.
    #[error("the work was given up: {0}")]
    Aside(#[from] tokio::task::JoinError),
}

/// What is to be sealed.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// Whose seal it is.
    pub(crate) author: Address,
    /// For whom, all of one domain.
    pub(crate) recipients: Vec<Address>,
    /// The seal's time, Unix seconds.
    pub(crate) at: u64,
}

/// Seals content: the seal, and the octets below it given back.
///
/// # Errors
/// See [`SealingError`].
pub(crate) async fn seal(
    site: &Site,
    key: SecretKey,
    order: Order,
    content: Vec<u8>,
) -> Result<(Seal, Vec<u8>), SealingError> {
    let mut rng = site.world.rng();
    let work = move || {
        let Order {
            author,
            recipients,
            at,
        } = order;
        let request = SealRequest {
            role: Role::Author,
            signer: Identity::Address(author.clone()),
            reverse_path: ReversePath::Address(author),
            recipients,
            created: at,
            expires: at + limits::SEAL_LIFETIME,
            nonce: Nonce::random(&mut rng),
            digest: ContentDigest::of(&content)?,
        };
        let seal = sign(&request, &key, &mut rng)?;
        would_pass(&seal, &content).map_err(SealingError::Refused)?;
        Ok((seal, content))
    };
    aside(work).await?
}

/// Reads the sealed message as its receiver will: what would be refused does not leave.
fn would_pass(seal: &Seal, content: &[u8]) -> Result<(), Rejection> {
    let mut scan = Scan::new(true);
    scan.push(seal.field().as_bytes())?;
    scan.push(content)?;
    scan.finish().map(drop)
}
