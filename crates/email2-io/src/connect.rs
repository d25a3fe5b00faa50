//! Connects to the first of several addresses that answers.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::clock::within;
use crate::net::Connection;
use crate::world::World;

/// Head start of one address before the next is tried beside it (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Why no address answered: the last failure.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There was no address to try.
    #[error("no address to connect to")]
    NoAddress,
    /// The system's last word.
    #[error("cannot connect to {address}: {error}")]
    Failed {
        /// The address tried last.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// Time ran out.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

/// Connects to whichever of `addresses` answers first; each gets a head start over the next, so
/// that one dead address does not eat the whole `limit` (RFC 8305 in spirit).
///
/// # Errors
/// None answered within `limit`.
pub async fn first(
    world: &World,
    addresses: &[SocketAddr],
    limit: Duration,
) -> Result<Connection, ConnectError> {
    within(&*world.clock, limit, race(world, addresses))
        .await
        .unwrap_or(Err(ConnectError::Timeout(limit)))
}

async fn race(world: &World, addresses: &[SocketAddr]) -> Result<Connection, ConnectError> {
    let _ = (world, addresses, HEAD_START);
    todo!()
}
