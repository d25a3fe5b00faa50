//! Drives a [`Machine`] over a stream: the visible driver beside the pure core.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::clock::{Clock, within};
use crate::machine::Machine;
use crate::net::Stream;

/// Octets read at once; with the machine's line in hand, this bounds a connection's memory.
const READ_BUFFER: usize = 16 * 1024;

/// How long a peer may take to receive what we send before the connection is given up
/// (RFC 5321 §4.5.3.2 allows three minutes for a data block).
const WRITE_LIMIT: Duration = Duration::from_secs(180);

/// How long closing may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// A machine, its stream and its clock.
pub struct Driver<M: Machine> {
    machine: M,
    stream: Stream,
    clock: Arc<dyn Clock>,
    buffer: Vec<u8>,
    ended: bool,
}

impl<M: Machine> Driver<M> {
    /// Drives `machine` over `stream`.
    #[must_use]
    pub fn new(machine: M, stream: Stream, clock: Arc<dyn Clock>) -> Self {
        Driver {
            machine,
            stream,
            clock,
            buffer: vec![0; READ_BUFFER],
            ended: false,
        }
    }

    /// The machine, to answer its events and give it commands; what it wants to send leaves
    /// with the next [`Driver::next`] or [`Driver::flush`].
    pub fn machine(&mut self) -> &mut M {
        &mut self.machine
    }

    /// The next event; `None` when the connection ended and the machine has no more to say.
    ///
    /// # Errors
    /// The connection broke, or the peer takes nothing for three minutes.
    pub async fn next(&mut self) -> io::Result<Option<M::Event>> {
        loop {
            self.flush().await?;
            if let Some(event) = self.machine.poll_event() {
                return Ok(Some(event));
            }
            if self.ended {
                self.flush().await?;
                return Ok(None);
            }
            self.read().await?;
        }
    }

    /// Sends all that the machine wants to send.
    ///
    /// # Errors
    /// As [`Driver::next`].
    pub async fn flush(&mut self) -> io::Result<()> {
        let mut sent = false;
        while let Some(octets) = self.machine.poll_transmit() {
            sent = true;
            let writing = self.stream.write_all(&octets);
            within(&*self.clock, WRITE_LIMIT, writing)
                .await
                .map_err(late)??;
        }
        if sent {
            within(&*self.clock, WRITE_LIMIT, self.stream.flush())
                .await
                .map_err(late)??;
        }
        Ok(())
    }

    /// Replaces the stream by what `secure` makes of it (STARTTLS). Octets that the peer sent
    /// before the handshake never reach the machine as if they were secured: they are the
    /// machine's to refuse (RFC 3207 §4.2), for it alone has seen them.
    ///
    /// # Errors
    /// What `secure` says; the driver is gone then.
    pub async fn upgrade<F, S, E>(mut self, secure: F) -> Result<Self, E>
    where
        F: FnOnce(Stream) -> S,
        S: Future<Output = Result<Stream, E>>,
    {
        self.stream = secure(self.stream).await?;
        Ok(self)
    }

    /// Sends what is left and ends the connection in order: under TLS, with `close_notify`.
    pub async fn close(mut self) {
        let clock = Arc::clone(&self.clock);
        let ending = async {
            self.flush().await?;
            self.stream.shutdown().await
        };
        if let Ok(Err(error)) = within(&*clock, CLOSE_LIMIT, ending).await {
            tracing::debug!(%error, "connection did not end in order");
        }
    }

    async fn read(&mut self) -> io::Result<()> {
        let reading = self.stream.read(&mut self.buffer);
        let read = match self.machine.deadline() {
            None => reading.await?,
            Some(deadline) => {
                let left = deadline.saturating_sub(self.clock.monotonic());
                match within(&*self.clock, left, reading).await {
                    Ok(read) => read?,
                    Err(_) => {
                        self.machine.timeout(self.clock.monotonic());
                        return Ok(());
                    }
                }
            }
        };
        let now = self.clock.monotonic();
        match self.buffer.get(..read) {
            Some(octets) if !octets.is_empty() => self.machine.receive(octets, now),
            _ => {
                self.ended = true;
                self.machine.receive_end(now);
            }
        }
        Ok(())
    }
}

fn late(_: crate::clock::Elapsed) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing")
}
