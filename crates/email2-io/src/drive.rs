//! Drives a [`Machine`] over a stream: the visible driver beside the pure core.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

use crate::clock::{Clock, Elapsed, within};
use crate::machine::Machine;
use crate::net::Stream;

/// Octets read at once; with the machine's line in hand, this bounds a connection's memory. They
/// lie on the stack while they are read: a connection that waits holds no buffer.
const READ_BUFFER: usize = 16 * 1024;

/// How long a peer may take to receive what we send before the connection is given up
/// (RFC 5321 §4.5.3.2.5: three minutes for a block of data).
const WRITE_LIMIT: Duration = Duration::from_secs(180);

/// How long closing may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// A machine, its stream and its clock.
pub struct Driver<M: Machine> {
    machine: M,
    stream: Stream,
    clock: Arc<dyn Clock>,
    /// What the machine gave to send and the stream did not take yet: kept here and not in a
    /// future, so that a call given up half-way loses nothing.
    unsent: Vec<u8>,
    /// The stream took octets that it may not have passed on yet.
    unflushed: bool,
    allowance: Option<usize>,
    ended: bool,
    broken: Option<io::Error>,
}

impl<M: Machine> Driver<M> {
    /// Drives `machine` over `stream`.
    #[must_use]
    pub fn new(machine: M, stream: Stream, clock: Arc<dyn Clock>) -> Self {
        Driver {
            machine,
            stream,
            clock,
            unsent: Vec::new(),
            unflushed: false,
            allowance: None,
            ended: false,
            broken: None,
        }
    }

    /// The machine, to answer its events and give it commands; what it wants to send leaves
    /// with the next [`Driver::next`] or [`Driver::flush`].
    pub fn machine(&mut self) -> &mut M {
        &mut self.machine
    }

    /// From here on at most `octets` are read (spec §2.7.3); then the machine is told so,
    /// and the connection counts as ended.
    pub fn allow(&mut self, octets: usize) {
        self.allowance = Some(octets);
    }

    /// The next event; may be given up half-way and called again. `None` when the connection ended and the machine has no more to say.
    /// What the peer said before the connection broke is still heard: a server that refuses and
    /// closes while we write has refused.
    ///
    /// # Errors
    /// The connection broke, or the peer takes nothing for three minutes; said once, after the
    /// machine's last event.
    pub async fn next(&mut self) -> io::Result<Option<M::Event>> {
        loop {
            // The replies to commands that came together leave together (RFC 2920 §3.2).
            if !self.machine.holds_back() {
                self.send().await;
            }
            if let Some(event) = self.machine.poll_event() {
                return Ok(Some(event));
            }
            // What is sent makes room, so that there may be more to say.
            if self.send().await {
                continue;
            }
            if self.ended {
                return match self.broken.take() {
                    Some(error) => Err(error),
                    None => Ok(None),
                };
            }
            self.receive().await;
        }
    }

    /// Sends all that the machine wants to send.
    ///
    /// # Errors
    /// As [`Driver::next`].
    pub async fn flush(&mut self) -> io::Result<()> {
        self.send().await;
        match self.broken.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Replaces the stream by what `secure` makes of it (STARTTLS), after all octets were sent.
    /// The machine throws away what the peer sent in plaintext behind STARTTLS (spec §3.1.1).
    ///
    /// # Errors
    /// What `secure` says; the driver is gone then.
    pub async fn upgrade<F, S, E>(mut self, secure: F) -> Result<Self, E>
    where
        F: FnOnce(Stream) -> S,
        S: Future<Output = Result<Stream, E>>,
    {
        self.send().await;
        self.stream = secure(self.stream).await?;
        Ok(self)
    }

    /// Sends what is left and ends the connection in order: under TLS, with `close_notify`.
    pub async fn close(mut self) {
        let clock = Arc::clone(&self.clock);
        let ending = async {
            self.send().await;
            self.stream.shutdown().await
        };
        if let Ok(Err(error)) = within(&*clock, CLOSE_LIMIT, ending).await {
            tracing::debug!(%error, "connection did not end in order");
        }
    }

    /// Sends all there is; whether there was anything.
    async fn send(&mut self) -> bool {
        let mut any = false;
        loop {
            if self.unsent.is_empty() {
                self.unsent = self.machine.poll_transmit().unwrap_or_default();
            }
            any |= !self.unsent.is_empty();
            if self.broken.is_some() {
                self.unsent.clear();
                self.unflushed = false;
            }
            if self.unsent.is_empty() && !self.unflushed {
                return any;
            }
            self.broken = self.write().await.err();
        }
    }

    async fn write(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            let writing = self.stream.write(&self.unsent);
            let taken = in_time(&*self.clock, writing).await?;
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.unsent.drain(..taken);
            self.unflushed = true;
        }
        in_time(&*self.clock, self.stream.flush()).await?;
        self.unflushed = false;
        Ok(())
    }

    async fn receive(&mut self) {
        let (deadline, clock) = (self.machine.deadline(), Arc::clone(&self.clock));
        let received = if self.machine.wants_octets() {
            let reading = poll_fn(|context| self.poll_receive(context));
            match deadline {
                None => {
                    reading.await;
                    Ok(())
                }
                Some(deadline) => {
                    let left = deadline.saturating_sub(clock.monotonic());
                    within(&*clock, left, reading).await
                }
            }
        } else {
            // The machine waits for an answer of ours, which it did not get: a mistake of the
            // caller that must not spin.
            Err(wait_for(&*clock, deadline).await)
        };
        if received == Err(Elapsed) {
            self.machine.timeout(clock.monotonic());
        }
    }

    /// What the peer sent goes to the machine.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut octets = [MaybeUninit::uninit(); READ_BUFFER];
        let mut buffer = ReadBuf::uninit(&mut octets);
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
        let now = self.clock.monotonic();
        match read {
            Ok(()) => self.received(buffer.filled(), now),
            Err(error) => {
                self.broken.get_or_insert(error);
                self.end(now);
            }
        }
        Poll::Ready(())
    }

    fn received(&mut self, octets: &[u8], now: Duration) {
        let allowed = self.allowance.is_none_or(|left| octets.len() <= left);
        if !allowed {
            self.ended = true;
            return self.machine.too_much(now);
        }
        if octets.is_empty() {
            return self.end(now);
        }
        self.machine.receive(octets, now);
        self.allowance = self.allowance.map(|left| left.saturating_sub(octets.len()));
    }

    fn end(&mut self, now: Duration) {
        self.ended = true;
        self.machine.end_of_stream(now);
    }
}

async fn wait_for(clock: &dyn Clock, deadline: Option<Duration>) -> Elapsed {
    match deadline {
        Some(deadline) => {
            clock
                .sleep(deadline.saturating_sub(clock.monotonic()))
                .await
        }
        None => std::future::pending().await,
    }
    Elapsed
}

async fn in_time<T>(
    clock: &dyn Clock,
    writing: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    within(clock, WRITE_LIMIT, writing)
        .await
        .unwrap_or_else(|Elapsed| {
            let slow = "the peer takes nothing";
            Err(io::Error::new(io::ErrorKind::TimedOut, slow))
        })
}
