//! A forger's own SMTP: it says what it is told to say, allowed or not.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use email2::address::Address;
use email2_io::clock::within;
use email2_io::net::Stream;
use email2_io::tls::{AcceptedName, ClientTls, TlsAsk};
use email2_io::world::World;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::failure::{Failure, Outcome, Step};

/// How long a reply may take: longer than the server's own limit for the end of data.
const PATIENCE: Duration = Duration::from_secs(70);

/// A reply: its code and its lines' texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// What stands behind the code, line by line.
    pub texts: Vec<String>,
}

impl Reply {
    /// Whether the command was granted (2xx, 3xx).
    #[must_use]
    pub fn is_granted(&self) -> bool {
        self.code < 400
    }
}

impl fmt::Display for Reply {
    /// The last line, as it crossed the wire.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.texts.last().map_or("", String::as_str);
        write!(f, "{} {last}", self.code)
    }
}

/// A connection to a mail exchanger, secured and greeted.
pub struct Session {
    stream: BufReader<Stream>,
    world: World,
}

impl Session {
    /// Connects, starts TLS as a client of `host` would, and says EHLO as `helo`.
    ///
    /// # Errors
    /// The exchanger cannot be reached, or refuses before anything was tried.
    pub async fn open(world: &World, at: &Exchanger, helo: &str) -> Outcome<Session> {
        let mut plain = Session::over(world, connect(world, at).await?);
        plain.reply().await?;
        plain.granted(&format!("EHLO {helo}")).await?;
        plain.granted("STARTTLS").await?;
        let mut session = Session::over(world, secure(plain.stream.into_inner(), at).await?);
        session.granted(&format!("EHLO {helo}")).await?;
        Ok(session)
    }

    /// Connects where TLS comes first, and logs in.
    ///
    /// # Errors
    /// The server cannot be reached, or the password is wrong.
    pub async fn log_in(
        world: &World,
        at: &Exchanger,
        address: &Address,
        password: &str,
    ) -> Outcome<Session> {
        let stream = secure(connect(world, at).await?, at).await?;
        let mut session = Session::over(world, stream);
        session.reply().await?;
        session.granted("EHLO device.example").await?;
        let plain = STANDARD.encode(format!("\0{address}\0{password}"));
        session.granted(&format!("AUTH PLAIN {plain}")).await?;
        Ok(session)
    }

    /// Connects where TLS comes first and says nothing: for protocols that are not SMTP.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn dial(world: &World, at: &Exchanger) -> Outcome<Stream> {
        secure(connect(world, at).await?, at).await
    }

    fn over(world: &World, stream: Stream) -> Session {
        Session {
            stream: BufReader::new(stream),
            world: world.clone(),
        }
    }

    /// Sends a command and reads its reply.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn say(&mut self, command: &str) -> Outcome<Reply> {
        self.send(format!("{command}\r\n").as_bytes()).await?;
        self.reply().await
    }

    /// Sends octets as they are.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn send(&mut self, octets: &[u8]) -> Outcome<()> {
        self.stream.write_all(octets).await.step("sending")?;
        self.stream.flush().await.step("sending")
    }

    /// Reads one reply, however many lines it has.
    ///
    /// # Errors
    /// The connection is lost, or what comes is no reply.
    pub async fn reply(&mut self) -> Outcome<Reply> {
        let mut reply = Reply {
            code: 0,
            texts: Vec::new(),
        };
        loop {
            let line = self.line().await?;
            let (code, rest) = line.split_at_checked(3).unwrap_or((&line, ""));
            reply.code = code.parse().step(format!("reply {line:?}"))?;
            reply
                .texts
                .push(rest.get(1..).unwrap_or_default().to_owned());
            if !rest.starts_with('-') {
                return Ok(reply);
            }
        }
    }

    async fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        let clock = self.world.clock.clone();
        let reading = self.stream.read_line(&mut line);
        let read = within(&*clock, PATIENCE, reading).await.step("waiting")?;
        if read.step("reading")? == 0 {
            return Err(Failure {
                step: "reading".to_owned(),
                why: "the server closed the connection".to_owned(),
            });
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Sends a command that must be granted.
    ///
    /// # Errors
    /// It is refused, or the connection is lost.
    pub async fn granted(&mut self, command: &str) -> Outcome<Reply> {
        let reply = self.say(command).await?;
        match reply.is_granted() {
            true => Ok(reply),
            false => Err(Failure {
                step: command.to_owned(),
                why: reply.to_string(),
            }),
        }
    }
}

async fn connect(world: &World, at: &Exchanger) -> Outcome<Stream> {
    let connection = world.net.connect(at.address).await;
    Ok(connection
        .step(format!("connecting to {}", at.host))?
        .stream)
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

/// Whom a forger talks to.
#[derive(Clone, Debug)]
pub struct Exchanger {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its host name.
    pub host: String,
    /// What its certificate is checked with.
    pub tls: ClientTls,
}

/// What goes into one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    /// Reverse path, without brackets.
    pub from: String,
    /// Value of the MAIL parameter `EMAIL2`, when the letter is announced.
    pub announced: Option<String>,
    /// Recipients, without brackets.
    pub recipients: Vec<String>,
    /// The message as its lines cross the wire, before dots are doubled.
    pub content: Vec<u8>,
}

/// Tries to deliver and tells the answer that settled it: the first refusal, or the reply
/// to the content.
///
/// # Errors
/// The connection is lost.
pub async fn deliver(session: &mut Session, letter: &Letter) -> Outcome<Reply> {
    let announced = letter.announced.as_ref();
    let parameter = announced.map_or(String::new(), |value| format!(" EMAIL2={value}"));
    let mut commands = vec![format!("MAIL FROM:<{}>{parameter}", letter.from)];
    let recipients = letter.recipients.iter();
    commands.extend(recipients.map(|recipient| format!("RCPT TO:<{recipient}>")));
    commands.push("DATA".to_owned());
    for command in commands {
        let reply = session.say(&command).await?;
        if !reply.is_granted() {
            return Ok(reply);
        }
    }
    session.send(&transparent(&letter.content)).await?;
    session.reply().await
}

/// Dots doubled at the beginning of lines, and the end of data (RFC 5321 §4.5.2).
fn transparent(content: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(content.len() + 64);
    for line in content.split_inclusive(|&octet| octet == b'\n') {
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
    }
    // Without a line end before it the dot would end nothing, and the server would wait.
    if !content.ends_with(b"\r\n") {
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_doubled() {
        let wire = transparent(b"a\r\n.b\r\n");
        assert_eq!(wire, b"a\r\n..b\r\n.\r\n");
    }

    #[test]
    fn a_reply_shows_its_last_line() {
        let reply = Reply {
            code: 550,
            texts: vec!["5.7.1 a".to_owned(), "5.7.1 b".to_owned()],
        };
        assert_eq!(reply.to_string(), "550 5.7.1 b");
        assert!(!reply.is_granted());
    }
}
