//! The cheapest client there can be: it shares the machine with what it measures.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use email2_io::net::Stream;
use email2_io::tls::{AcceptedName, TlsAsk};
use email2_io::world::World;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::letters::Letter;
use crate::failure::{Failure, Outcome, Step};
use crate::forger::session::Exchanger;

/// How it introduces itself.
const HELLO: &[u8] = b"EHLO client.bench.example\r\n";

/// Octets of replies read at once.
const READ: usize = 4096;

/// A connection on which letters are delivered.
pub struct Dialogue {
    stream: Stream,
    world: World,
    buffer: Vec<u8>,
    filled: usize,
    used: usize,
    out: Vec<u8>,
}

impl Dialogue {
    /// Connects from a host of this number and says EHLO, under TLS where the server has it; signs
    /// in where that is wanted.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn open(world: &World, target: &Target, host: usize) -> Outcome<Dialogue> {
        let at = &target.exchanger;
        let stream = connect(at.address, source(host)).await.step("connecting")?;
        let mut dialogue = match target.tls {
            Tls::First => Dialogue::over(world, secure(stream, at).await?),
            Tls::None | Tls::Start => Dialogue::over(world, stream),
        };
        dialogue.expect("220").await?;
        dialogue.say(HELLO, "250").await?;
        if target.tls == Tls::Start {
            dialogue.say(b"STARTTLS\r\n", "220").await?;
            dialogue = Dialogue::over(world, secure(dialogue.stream, at).await?);
            dialogue.say(HELLO, "250").await?;
        }
        if let Some(login) = &target.login {
            let command = format!("AUTH PLAIN {login}\r\n");
            dialogue.say(command.as_bytes(), "235").await?;
        }
        Ok(dialogue)
    }

    fn over(world: &World, stream: Stream) -> Dialogue {
        Dialogue {
            stream,
            world: world.clone(),
            buffer: vec![0; READ],
            filled: 0,
            used: 0,
            out: Vec::new(),
        }
    }

    /// Delivers a letter (RFC 2920: the envelope at once); the time from the end of the content
    /// to its answer.
    ///
    /// # Errors
    /// The server refuses, or the connection is lost.
    pub async fn deliver(&mut self, letter: &Letter) -> Outcome<Duration> {
        self.send(&letter.envelope).await?;
        self.expect("250").await?;
        self.expect("250").await?;
        self.expect("354").await?;
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        out.extend_from_slice(&letter.seal);
        out.extend_from_slice(&letter.content);
        self.send(&out).await?;
        self.out = out;
        let ended = self.world.clock.monotonic();
        self.expect("250").await?;
        Ok(self.world.clock.monotonic() - ended)
    }

    /// Says goodbye, and waits until the server has heard it.
    pub async fn quit(mut self) {
        // Whoever closed before has heard enough.
        let _ = self.say(b"QUIT\r\n", "221").await;
        let _ = self.stream.shutdown().await;
    }

    async fn say(&mut self, command: &[u8], wanted: &str) -> Outcome<()> {
        self.send(command).await?;
        self.expect(wanted).await
    }

    async fn send(&mut self, octets: &[u8]) -> Outcome<()> {
        self.stream.write_all(octets).await.step("sending")?;
        self.stream.flush().await.step("sending")
    }

    async fn expect(&mut self, wanted: &str) -> Outcome<()> {
        let reply = self.reply().await?;
        if reply.starts_with(wanted) {
            return Ok(());
        }
        Err(Failure {
            step: format!("a reply {wanted}"),
            why: reply,
        })
    }

    async fn reply(&mut self) -> Outcome<String> {
        loop {
            let line = self.line().await?;
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line);
            }
        }
    }

    async fn line(&mut self) -> Outcome<String> {
        let mut line = Vec::new();
        loop {
            let unread = self.buffer.get(self.used..self.filled).unwrap_or_default();
            let end = unread.iter().position(|&octet| octet == b'\n');
            let taken = end.map_or(unread.len(), |end| end + 1);
            line.extend_from_slice(unread.get(..taken).unwrap_or_default());
            self.used += taken;
            if end.is_some() {
                let text = String::from_utf8_lossy(&line);
                return Ok(text.trim_end().to_owned());
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Outcome<()> {
        self.used = 0;
        self.filled = self.stream.read(&mut self.buffer).await.step("reading")?;
        match self.filled {
            0 => Err(Failure {
                step: "reading".to_owned(),
                why: "the server closed the connection".to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

/// Hosts are told apart by networks (spec §2.7.3), so each has one of its own.
fn source(host: usize) -> Ipv4Addr {
    let [.., high, low] = host.to_be_bytes();
    Ipv4Addr::new(127, 240 | (high & 0x0f), low, 1)
}

async fn connect(to: SocketAddr, from: Ipv4Addr) -> std::io::Result<Stream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

async fn secure(stream: Stream, at: &Exchanger) -> Outcome<Stream> {
    let ask = TlsAsk {
        sni: at.host.clone(),
        names: vec![AcceptedName::Host(at.host.clone())],
        alpn: None,
        pins: None,
    };
    Ok(at.tls.connect(stream, &ask).await.step("TLS")?.stream)
}

/// Whom the load goes to.
#[derive(Clone)]
pub struct Target {
    /// Where, and by which name.
    pub exchanger: Arc<Exchanger>,
    /// How it speaks TLS.
    pub tls: Tls,
    /// What AUTH PLAIN says (RFC 4616), base64; without it nobody signs in.
    pub login: Option<String>,
}

/// When TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Never.
    None,
    /// By STARTTLS.
    Start,
    /// Before the first octet.
    First,
}
