//! Takes connections, within limits, until told to stop.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::limit::{ConnectionLimits, Permit};
use crate::net::{Connection, Listener};

/// Rest after a failed accept: descriptors may have run out, and spinning frees none.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A connection that was taken, and its place within the limits.
#[derive(Debug)]
pub struct Taken {
    /// The connection.
    pub connection: Connection,
    /// Held until the connection is done.
    pub permit: Permit,
}

/// What a listener needs besides its socket.
#[derive(Clone, Debug)]
pub struct Reception {
    /// Paces accepting when it fails.
    pub clock: Arc<dyn Clock>,
    /// How many connections a source may hold.
    pub limits: Arc<ConnectionLimits>,
    /// No connection is taken after this.
    pub stop: CancellationToken,
    /// Where the connections' tasks are counted, so that a drain can wait for them.
    pub tasks: TaskTracker,
}

/// Takes connections from `listener` and starts `serve` for each; one above the limit of its
/// source goes to `refuse` instead, which should say 421 and close, quickly. Returns when
/// `reception.stop` is cancelled; connections already taken go on in `reception.tasks`.
pub async fn take<S, R, SF, RF>(
    listener: Box<dyn Listener>,
    reception: Reception,
    serve: S,
    refuse: R,
) where
    S: Fn(Taken) -> SF,
    R: Fn(Connection) -> RF,
    SF: Future<Output = ()> + Send + 'static,
    RF: Future<Output = ()> + Send + 'static,
{
    loop {
        let stopped = std::pin::pin!(reception.stop.cancelled());
        let connection = match select(stopped, listener.accept()).await {
            Either::Left(_) => return,
            Either::Right((Ok(connection), _)) => connection,
            Either::Right((Err(error), _)) => {
                tracing::warn!(listener = %listener.local_addr(), %error, "accept failed");
                reception.clock.sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match reception.limits.admit(connection.peer.ip()) {
            Some(permit) => {
                reception.tasks.spawn(serve(Taken { connection, permit }));
            }
            None => {
                reception.tasks.spawn(refuse(connection));
            }
        }
    }
}
