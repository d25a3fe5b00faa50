//! Connects to the first of several addresses that answers.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::clock::{Elapsed, within};
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

/// All attempts under way, the newest started after the others' head start.
async fn race(world: &World, addresses: &[SocketAddr]) -> Result<Connection, ConnectError> {
    let mut waiting = addresses.iter().copied();
    let mut attempts = FuturesUnordered::new();
    let mut failure = ConnectError::NoAddress;
    let mut next = waiting.next();
    loop {
        if let Some(address) = next.take() {
            attempts.push(attempt(world, address));
        }
        let attempted = attempts.next();
        match within(&*world.clock, HEAD_START, attempted).await {
            Ok(Some(Ok(connection))) => return Ok(connection),
            Ok(Some(Err(failed))) => {
                failure = failed;
                next = waiting.next();
            }
            Ok(None) => return Err(failure),
            Err(Elapsed) => next = waiting.next(),
        }
    }
}

async fn attempt(world: &World, address: SocketAddr) -> Result<Connection, ConnectError> {
    let connected = world.net.connect(address).await;
    connected.map_err(|error| ConnectError::Failed { address, error })
}
