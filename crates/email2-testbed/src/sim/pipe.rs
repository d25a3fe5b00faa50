//! A connection in memory: octets that travel for a while, are taken in pieces, and may be lost
//! at any one of them.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::net::Network;
use super::time::Until;
use super::weather::{Fate, Hit};

/// Octets on their way in one direction at most.
const WINDOW: usize = 64 * 1024;

/// Both directions of a connection.
#[derive(Debug)]
pub(super) struct Link {
    number: u64,
    pub(super) ends: [SocketAddr; 2],
    fate: Fate,
    lanes: [Lane; 2],
    /// Who sent last.
    speaker: Option<usize>,
    /// How often the callee has answered.
    answers: u64,
    /// Octets of the answer under way.
    answered: u64,
    over: Option<Hit>,
}

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    travelling: VecDeque<(Duration, Vec<u8>)>,
    held: usize,
    sent: u64,
    /// When the last octet arrives: octets keep their order.
    last: Duration,
    /// The sender sends no more, and when the other side learns of it.
    finished: Option<Duration>,
    /// Nobody reads any more.
    deaf: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Lane {
    fn wake(&mut self) {
        let both = [self.reader.take(), self.writer.take()];
        both.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Link {
    pub(super) fn new(number: u64, ends: [SocketAddr; 2], fate: Fate) -> Link {
        Link {
            number,
            ends,
            fate,
            lanes: [Lane::default(), Lane::default()],
            speaker: None,
            answers: 0,
            answered: 0,
            over: None,
        }
    }

    /// It ends here.
    pub(super) fn end(&mut self, hit: Hit) {
        if self.over.is_none() {
            self.over = Some(hit);
            self.lanes.iter_mut().for_each(Lane::wake);
        }
    }

    fn lanes(&mut self, side: usize) -> (&mut Lane, &mut Lane) {
        let [first, second] = &mut self.lanes;
        if side == 0 {
            (first, second)
        } else {
            (second, first)
        }
    }

    /// `side` sends: an answer begins where the callee had listened before.
    fn speaks(&mut self, side: usize) {
        if side == 1 && self.speaker != Some(1) {
            self.answers += 1;
            self.answered = 0;
        }
        self.speaker = Some(side);
    }

    /// How many of the next `length` octets of `side` leave before the connection is hit.
    fn before_the_hit(&self, side: usize, length: usize) -> Option<usize> {
        if self.over.is_some() || self.fate.hit.is_none() || self.fate.side != side {
            return None;
        }
        let counted = match self.fate.answer {
            Some(answer) if answer != self.answers => return None,
            Some(_) => self.answered,
            None => self.lanes.get(side).map_or(0, |lane| lane.sent),
        };
        let left = self.fate.after.saturating_sub(counted);
        usize::try_from(left).ok().filter(|left| *left <= length)
    }
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct Pipe {
    link: Arc<Mutex<Link>>,
    side: usize,
    network: Network,
    arrival: Option<Until>,
}

fn locked(link: &Mutex<Link>) -> MutexGuard<'_, Link> {
    link.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pipe {
    pub(super) fn new(link: Arc<Mutex<Link>>, side: usize, network: Network) -> Pipe {
        Pipe {
            link,
            side,
            network,
            arrival: None,
        }
    }

    /// When what is sent now arrives.
    fn arrives(&self, link: &Link) -> Duration {
        let ends = link.ends.map(|end| end.ip());
        self.network.passes(ends) + link.fate.latency
    }

    /// What there is to read, or when to look again.
    fn look(&self, context: &Context<'_>, into: &mut ReadBuf<'_>) -> Look {
        let now = self.network.now();
        let mut link = locked(&self.link);
        let over = link.over;
        if over == Some(Hit::Reset) {
            return Look::Done(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let (_, lane) = link.lanes(self.side);
        let is_lost = matches!(over, Some(Hit::Silence | Hit::Crash));
        if let Some((arrival, octets)) = lane.travelling.front_mut().filter(|_| !is_lost) {
            if *arrival > now {
                return Look::At(*arrival);
            }
            let taken = octets.len().min(into.remaining());
            into.put_slice(octets.get(..taken).unwrap_or_default());
            octets.drain(..taken);
            if octets.is_empty() {
                lane.travelling.pop_front();
            }
            lane.held -= taken;
            if let Some(writer) = lane.writer.take() {
                writer.wake();
            }
            return Look::Done(Ok(()));
        }
        match (over, lane.finished) {
            (Some(Hit::Cut), _) => Look::Done(Err(io::ErrorKind::ConnectionReset.into())),
            (None, Some(finished)) if finished <= now => Look::Done(Ok(())),
            (None, Some(finished)) => Look::At(finished),
            _ => {
                lane.reader = Some(context.waker().clone());
                Look::Later
            }
        }
    }

    fn send(&self, context: &Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let mut link = locked(&self.link);
        let arrival = self.arrives(&link);
        let length = octets.len().min(link.fate.piece);
        if matches!(link.over, Some(Hit::Reset | Hit::Cut)) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let (lane, _) = link.lanes(self.side);
        if lane.deaf {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = WINDOW - lane.held;
        if room == 0 {
            lane.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        link.speaks(self.side);
        let hit = link.before_the_hit(self.side, length);
        let taken = hit.unwrap_or(length).min(room);
        link.answered += taken as u64;
        let (lane, _) = link.lanes(self.side);
        lane.sent += taken as u64;
        lane.held += taken;
        lane.last = lane.last.max(arrival);
        let piece = octets.get(..taken).unwrap_or_default().to_vec();
        if !piece.is_empty() {
            lane.travelling.push_back((lane.last, piece));
        }
        if let Some(reader) = lane.reader.take() {
            reader.wake();
        }
        if hit == Some(taken) {
            self.strike(&mut link);
            if taken == 0 && matches!(link.over, Some(Hit::Reset | Hit::Cut)) {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            // Lost in the silence, and nobody is told.
            return Poll::Ready(Ok(taken.max(1)));
        }
        Poll::Ready(Ok(taken))
    }

    fn strike(&self, link: &mut Link) {
        let Some(hit) = link.fate.hit else { return };
        let (number, side) = (link.number, link.fate.side);
        let after = link.lanes(side).0.sent;
        self.network.struck(number, hit, side, after);
        link.end(hit);
        if hit == Hit::Crash {
            let [_, server] = link.ends;
            self.network.crash_wanted(server.ip());
        }
    }

    fn finish(&self) {
        let mut link = locked(&self.link);
        let arrival = self.arrives(&link);
        let (lane, _) = link.lanes(self.side);
        if lane.finished.is_none() {
            lane.finished = Some(lane.last.max(arrival));
            if let Some(reader) = lane.reader.take() {
                reader.wake();
            }
        }
    }
}

enum Look {
    Done(io::Result<()>),
    At(Duration),
    Later,
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self.look(context, into) {
                Look::Done(result) => return Poll::Ready(result),
                Look::Later => return Poll::Pending,
                Look::At(moment) => {
                    let mut until = self.network.until(moment);
                    match Pin::new(&mut until).poll(context) {
                        Poll::Ready(()) => {}
                        Poll::Pending => {
                            // A reset is heard before the octets arrive.
                            let mut link = locked(&self.link);
                            link.lanes(self.side).1.reader = Some(context.waker().clone());
                            drop(link);
                            self.arrival = Some(until);
                            return Poll::Pending;
                        }
                    }
                }
            }
        }
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        if octets.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.send(context, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.finish();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.finish();
        let mut link = locked(&self.link);
        let (_, lane) = link.lanes(self.side);
        lane.deaf = true;
        lane.wake();
    }
}
