//! Connections to one address at a time. A host allows a source so many (spec §8.1) and may have
//! the mail of thousands of domains: whoever would be one too many waits here, and is not refused
//! there.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use email2::limits;
use email2_io::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Addresses remembered from which on those without a connection are forgotten.
const SWEEP: usize = 1024;

/// The places at every address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Arc<Mutex<HashMap<SocketAddr, Weak<Semaphore>>>>);

/// One place; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Places {
    /// Waits for a place at `address`. Every caller has a time limit of its own.
    pub(super) async fn take(&self, address: SocketAddr) -> Place {
        // Nobody closes the semaphore.
        let permit = self.at(address).acquire_owned().await;
        Place {
            _permit: permit.ok(),
        }
    }

    /// The places at `address`: they live as long as somebody has one, or waits for one.
    fn at(&self, address: SocketAddr) -> Arc<Semaphore> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = known.get(&address).and_then(Weak::upgrade) {
            return places;
        }
        if known.len() >= SWEEP {
            known.retain(|_, places| places.strong_count() > 0);
        }
        let places = Arc::new(Semaphore::new(limits::CONNECTIONS_TO_HOST));
        known.insert(address, Arc::downgrade(&places));
        places
    }
}

impl Place {
    /// The place is held as long as the connection.
    pub(super) fn hold(self, stream: Stream) -> Stream {
        Box::new(Held {
            stream,
            _place: self,
        })
    }
}

struct Held {
    stream: Stream,
    _place: Place,
}

impl AsyncRead for Held {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Held {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
