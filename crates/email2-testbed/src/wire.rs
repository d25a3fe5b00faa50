//! What crosses the wire: a tap in front of a mail exchanger. It has the exchanger's own
//! certificate, so that both sides take it for the wire that it is; every line is noted, and
//! none is changed, unless it is told to strip a word of what the exchanger offers.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use email2_io::net::{Connection, Stream};
use email2_io::tls::{AcceptedName, ClientTls, ServerTls, TlsAsk};
use email2_io::world::World;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::AbortHandle;

use crate::failure::{Outcome, Step};

/// Lines kept of one connection: the dialogue and the header of a message or two.
const LINES_KEPT: usize = 600;
/// Octets read at once.
const READ: usize = 16 * 1024;

/// Which way a line went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the connecting side.
    ToServer,
    /// From the listening side.
    ToClient,
}

/// A line on the wire, without its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// Number of the connection, from 1.
    pub connection: usize,
    /// Which way it went.
    pub direction: Direction,
    /// Whether TLS protected it.
    pub protected: bool,
    /// The line; octets outside UTF-8 are replaced.
    pub line: String,
}

/// A tap at an address.
pub struct Tap {
    address: SocketAddr,
    notes: Arc<Notes>,
    stripped: Stripped,
    task: AbortHandle,
}

/// The word that is taken out of what the exchanger offers.
type Stripped = Arc<Mutex<Option<&'static str>>>;

/// What a tap needs to stand in the wire.
pub struct TapPlace {
    /// Where it listens (port 0: a free one).
    pub listen: SocketAddr,
    /// Where the exchanger listens.
    pub exchanger: SocketAddr,
    /// The exchanger's host name.
    pub host: String,
    /// The exchanger's certificates.
    pub server_tls: ServerTls,
    /// What the exchanger's certificate is checked with.
    pub client_tls: ClientTls,
}

impl Tap {
    /// Stands in the wire until dropped.
    ///
    /// # Errors
    /// The address cannot be listened at.
    pub async fn start(world: &World, place: TapPlace) -> Outcome<Tap> {
        let listener = world.net.listen(place.listen).await.step("tap")?;
        let address = listener.local_addr();
        let notes = Arc::new(Notes::default());
        let (world, place) = (world.clone(), Arc::new(place));
        let taken = Arc::clone(&notes);
        let stripped = Stripped::default();
        let word = Arc::clone(&stripped);
        let task = tokio::spawn(async move {
            let mut number = 0;
            while let Ok(client) = listener.accept().await {
                number += 1;
                let pass = Pass {
                    place: Arc::clone(&place),
                    notes: Arc::clone(&taken),
                    stripped: *locked(&word),
                    number,
                };
                tokio::spawn(pass.through(world.clone(), client));
            }
        });
        Ok(Tap {
            address,
            notes,
            stripped,
            task: task.abort_handle(),
        })
    }

    /// From the next connection on this word is made unreadable in what the exchanger offers;
    /// `None`: nothing is.
    pub fn strip(&self, word: Option<&'static str>) {
        *locked(&self.stripped) = word;
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything noted since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<Crossing> {
        std::mem::take(&mut *self.notes.lines())
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Default)]
struct Notes(Mutex<Vec<Crossing>>);

impl Notes {
    fn lines(&self) -> MutexGuard<'_, Vec<Crossing>> {
        locked(&self.0)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection on its way through.
struct Pass {
    place: Arc<TapPlace>,
    notes: Arc<Notes>,
    stripped: Option<&'static str>,
    number: usize,
}

impl Pass {
    async fn through(self, world: World, client: Connection) {
        if let Err(error) = self.relay_both(world, client).await {
            tracing::debug!(%error, "tap");
        }
    }

    async fn relay_both(&self, world: World, client: Connection) -> io::Result<()> {
        let server = world.net.connect(self.place.exchanger).await?;
        let (mut client, mut server) = (client.stream, server.stream);
        if !self.relay(&mut client, &mut server, false).await? {
            return Ok(());
        }
        let (mut client, mut server) = self.secure(client, server).await?;
        self.relay(&mut client, &mut server, true).await?;
        client.shutdown().await?;
        server.shutdown().await
    }

    /// The handshake with both sides, with the name that the client asked for.
    async fn secure(&self, client: Stream, server: Stream) -> io::Result<(Stream, Stream)> {
        let arrived = self.place.server_tls.accept(client, &[]).await;
        let arrived = arrived.map_err(io::Error::other)?;
        let sni = arrived.sni.unwrap_or_else(|| self.place.host.clone());
        let ask = TlsAsk {
            names: vec![
                AcceptedName::Host(sni.clone()),
                AcceptedName::Host(self.place.host.clone()),
            ],
            sni,
            alpn: None,
            pins: None,
        };
        let secured = self.place.client_tls.connect(server, &ask).await;
        Ok((arrived.stream, secured.map_err(io::Error::other)?.stream))
    }

    /// Relays until one side ends (false), or until TLS is to start (true).
    async fn relay(
        &self,
        client: &mut Stream,
        server: &mut Stream,
        protected: bool,
    ) -> io::Result<bool> {
        let mut from_client = vec![0; READ];
        let mut from_server = vec![0; READ];
        let mut up = Line::new(Direction::ToServer, protected);
        let mut down = Line::new(Direction::ToClient, protected);
        loop {
            tokio::select! {
                count = client.read(&mut from_client) => {
                    let octets = from_client.get(..count?).unwrap_or_default();
                    self.pass_on(octets, server, &mut up).await?;
                    if octets.is_empty() {
                        return Ok(false);
                    }
                }
                count = server.read(&mut from_server) => {
                    let octets = from_server.get_mut(..count?).unwrap_or_default();
                    self.stripped.into_iter().for_each(|word| strip(octets, word));
                    self.pass_on(octets, client, &mut down).await?;
                    if octets.is_empty() {
                        return Ok(false);
                    }
                    if !protected && up.last == "STARTTLS" && down.last.starts_with("220") {
                        return Ok(true);
                    }
                }
            }
        }
    }

    async fn pass_on(&self, octets: &[u8], to: &mut Stream, line: &mut Line) -> io::Result<()> {
        for crossing in line.push(octets, self.number) {
            let mut lines = self.notes.lines();
            let kept = lines.iter().filter(|line| line.connection == self.number);
            if kept.count() < LINES_KEPT {
                lines.push(crossing);
            }
        }
        to.write_all(octets).await?;
        to.flush().await
    }
}

/// Makes a word unreadable wherever it stands.
fn strip(octets: &mut [u8], word: &str) {
    let mut from = 0;
    let at = |octets: &[u8], from: usize| {
        let rest = octets.get(from..)?;
        rest.windows(word.len())
            .position(|window| window == word.as_bytes())
    };
    while let Some(found) = at(octets, from) {
        let (begin, end) = (from + found, from + found + word.len());
        octets.get_mut(begin..end).unwrap_or_default().fill(b'X');
        from = end;
    }
}

/// Lines of one direction, put together from pieces.
struct Line {
    direction: Direction,
    protected: bool,
    begun: Vec<u8>,
    last: String,
}

impl Line {
    fn new(direction: Direction, protected: bool) -> Line {
        Line {
            direction,
            protected,
            begun: Vec::new(),
            last: String::new(),
        }
    }

    fn push(&mut self, octets: &[u8], connection: usize) -> Vec<Crossing> {
        let mut lines = Vec::new();
        for piece in octets.split_inclusive(|&octet| octet == b'\n') {
            self.begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let octets = std::mem::take(&mut self.begun);
                let line = String::from_utf8_lossy(&octets);
                self.last = line.trim_end_matches(['\r', '\n']).to_owned();
                lines.push(Crossing {
                    connection,
                    direction: self.direction,
                    protected: self.protected,
                    line: self.last.clone(),
                });
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_stripped_wherever_it_stands() {
        let mut octets = b"250-STARTTLS\r\n250 STARTTLS".to_vec();
        strip(&mut octets, "STARTTLS");
        assert_eq!(octets, b"250-XXXXXXXX\r\n250 XXXXXXXX");
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        let mut line = Line::new(Direction::ToServer, true);
        assert_eq!(line.push(b"EHLO cli", 1), []);
        let lines = line.push(b"ent.example\r\nQUIT\r\n", 1);
        let texts: Vec<&str> = lines
            .iter()
            .map(|crossing| crossing.line.as_str())
            .collect();
        assert_eq!(texts, ["EHLO client.example", "QUIT"]);
    }
}
