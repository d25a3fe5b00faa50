//! A server that does what a test tells it: hangs, babbles, breaks off, says what is not so.
//! It speaks just enough SMTP to get to the stage that is wanted.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use email2_io::net::Stream;
use email2_io::tls::{CertificateFiles, ServerTls};
use email2_io::world::World;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;

use crate::certification::HostFiles;
use crate::failure::{Outcome, Step};

/// Octets of a line or of content that are kept at most.
const KEPT: usize = 1024 * 1024;

/// What the client said.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The command line; empty before the greeting, `.` at the end of content.
    pub line: &'a str,
    /// Behind the handshake.
    pub secured: bool,
}

impl Said<'_> {
    /// Is it this command?
    #[must_use]
    pub fn is(&self, verb: &str) -> bool {
        let start = self.line.get(..verb.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(verb))
    }
}

/// What the server does.
#[derive(Clone, Debug)]
pub enum Act {
    /// Sends these octets.
    Say(Vec<u8>),
    /// Sends these octets and closes.
    SayAndClose(Vec<u8>),
    /// Sends these octets and is gone, without TLS's `close_notify`.
    SayAndDrop(Vec<u8>),
    /// Says nothing for as long as the client stays.
    Hang,
    /// Sends these octets again and again for as long as the client takes them.
    Babble(Vec<u8>),
    /// Says 220 and shakes hands.
    Secure,
    /// Says 354, takes content and hears `.` at its end.
    Take,
    /// Says 354, takes so many octets of content and closes.
    TakeAndClose(usize),
}

impl Act {
    /// Sends a reply of one line.
    #[must_use]
    pub fn reply(text: &str) -> Act {
        Act::Say(format!("{text}\r\n").into_bytes())
    }
}

/// What is done when something was said.
pub type Script = Arc<dyn Fn(Said<'_>) -> Act + Send + Sync>;

/// What a server does that behaves: `extensions` are announced, STARTTLS in plaintext only.
#[must_use]
pub fn polite(said: Said<'_>, extensions: &[&str]) -> Act {
    let verb = said.line.split(' ').next().unwrap_or_default();
    match verb.to_ascii_uppercase().as_str() {
        "" => Act::reply("220 rogue ESMTP"),
        "EHLO" => {
            let offered = extensions
                .iter()
                .filter(|name| !(said.secured && **name == "STARTTLS"));
            let lines: String = offered.map(|name| format!("250-{name}\r\n")).collect();
            Act::Say(format!("250-rogue\r\n{lines}250 8BITMIME\r\n").into_bytes())
        }
        "STARTTLS" => Act::Secure,
        "DATA" => Act::Take,
        "QUIT" => Act::SayAndClose(b"221 2.0.0 bye\r\n".to_vec()),
        _ => Act::reply("250 2.0.0 ok"),
    }
}

/// The server; it ends when this is dropped.
pub struct Rogue {
    heard: Arc<Heard>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Heard {
    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rogue {
    /// Listens at `at` with this certificate.
    ///
    /// # Errors
    /// The address is taken, or the certificate cannot be read.
    pub async fn start(
        world: &World,
        at: SocketAddr,
        files: &HostFiles,
        script: Script,
    ) -> Outcome<Rogue> {
        Rogue::listen(world, at, files, (script, false)).await
    }

    /// The same with TLS from the first octet: for HTTPS, whose request is heard line by line.
    ///
    /// # Errors
    /// As [`Rogue::start`].
    pub async fn start_secured(
        world: &World,
        at: SocketAddr,
        files: &HostFiles,
        script: Script,
    ) -> Outcome<Rogue> {
        Rogue::listen(world, at, files, (script, true)).await
    }

    async fn listen(
        world: &World,
        at: SocketAddr,
        files: &HostFiles,
        (script, tls_first): (Script, bool),
    ) -> Outcome<Rogue> {
        let files = CertificateFiles {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
        };
        let tls = ServerTls::new(&[files], Arc::clone(&world.clock)).step("rogue's TLS")?;
        let listener = world.net.listen(at).await.step("rogue")?;
        let heard = Arc::new(Heard::default());
        let taken = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            while let Ok(connection) = listener.accept().await {
                let dialogue = Dialogue {
                    stream: connection.stream,
                    unread: Vec::new(),
                    secured: false,
                    tls: tls.clone(),
                    script: Arc::clone(&script),
                    heard: Arc::clone(&taken),
                };
                tokio::spawn(async move {
                    let dialogue = match tls_first {
                        true => dialogue.secured().await,
                        false => Some(dialogue),
                    };
                    if let Some(dialogue) = dialogue {
                        dialogue.hold().await;
                    }
                });
            }
        });
        Ok(Rogue { heard, task })
    }

    /// Ends; when this returns its address is free.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// The lines heard so far, content included, of all connections.
    #[must_use]
    pub fn heard(&self) -> Vec<String> {
        self.heard.lines().clone()
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection.
struct Dialogue {
    stream: Stream,
    unread: Vec<u8>,
    secured: bool,
    tls: ServerTls,
    script: Script,
    heard: Arc<Heard>,
}

impl Dialogue {
    async fn hold(mut self) {
        let mut line = Some(String::new());
        while let Some(said) = line {
            let act = (self.script)(Said {
                line: &said,
                secured: self.secured,
            });
            let next = self.perform(act).await;
            let Some(Next { dialogue, content }) = next else {
                return;
            };
            self = dialogue;
            line = match content {
                true => Some(".".to_owned()),
                false => self.line().await,
            };
        }
    }

    /// `None` when the connection is over.
    async fn perform(mut self, act: Act) -> Option<Next> {
        let mut content = false;
        match act {
            Act::Say(octets) => self.send(&octets).await?,
            Act::SayAndClose(octets) => {
                self.send(&octets).await?;
                let _ = self.stream.shutdown().await;
                return None;
            }
            Act::SayAndDrop(octets) => {
                self.send(&octets).await?;
                return None;
            }
            Act::Hang => {
                while self.more().await.is_some() {
                    self.unread.clear();
                }
                return None;
            }
            Act::Babble(octets) => loop {
                self.send(&octets).await?;
            },
            Act::Secure => {
                self.send(b"220 2.0.0 go on\r\n").await?;
                self = self.secured().await?;
            }
            Act::Take => {
                self.send(b"354 go on\r\n").await?;
                self.content().await?;
                content = true;
            }
            Act::TakeAndClose(octets) => {
                self.send(b"354 go on\r\n").await?;
                while self.unread.len() < octets {
                    self.more().await?;
                }
                return None;
            }
        }
        Some(Next {
            dialogue: self,
            content,
        })
    }

    async fn secured(mut self) -> Option<Dialogue> {
        let arrived = self.tls.accept(self.stream, &[]).await.ok()?;
        self.stream = arrived.stream;
        self.unread.clear();
        self.secured = true;
        Some(self)
    }

    async fn send(&mut self, octets: &[u8]) -> Option<()> {
        self.stream.write_all(octets).await.ok()?;
        self.stream.flush().await.ok()
    }

    /// Reads some octets; `None` when there are no more, or too many were not used.
    async fn more(&mut self) -> Option<()> {
        let mut some = [0; 4096];
        let count = self.stream.read(&mut some).await.ok()?;
        self.unread.extend_from_slice(some.get(..count)?);
        (count > 0 && self.unread.len() <= KEPT).then_some(())
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.iter().position(|&octet| octet == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                let line = line.trim_end_matches(['\r', '\n']).to_owned();
                self.heard.lines().push(line.clone());
                return Some(line);
            }
            self.more().await?;
        }
    }

    async fn content(&mut self) -> Option<()> {
        while self.line().await? != "." {}
        Some(())
    }
}

/// A dialogue that goes on.
struct Next {
    dialogue: Dialogue,
    /// Content was taken to its end.
    content: bool,
}
