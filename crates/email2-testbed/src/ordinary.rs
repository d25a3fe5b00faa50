//! A mail server of today in the world: it takes whatever comes for its domain over SMTP with
//! STARTTLS, keeps the octets, and knows nothing of Email 2.0.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use email2_io::net::{Connection, Stream};
use email2_io::tls::{CertificateFiles, ServerTls};
use email2_io::world::World;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::task::AbortHandle;

use crate::failure::{Outcome, Step};
use crate::loopback::{HTTPS_PORT, MX_PORT};
use crate::testbed::Testbed;
use crate::zone::Zone;

/// Longest line that it reads, octets.
const LINE: u64 = 64 * 1024;
/// How often somebody looks whether mail has come.
const LOOKS: usize = 150;
/// The time between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// A message that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// What MAIL said behind `FROM:`.
    pub from: String,
    /// What each RCPT said behind `TO:`.
    pub to: Vec<String>,
    /// The content, dots taken off.
    pub content: String,
    /// It came over TLS.
    pub secured: bool,
}

/// The server; it stops when it is dropped.
pub struct OrdinaryServer {
    /// Its domain.
    pub domain: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    number: u8,
    world: World,
    inbox: Inbox,
    tasks: Vec<AbortHandle>,
}

type Inbox = Arc<Mutex<Vec<Received>>>;

impl OrdinaryServer {
    /// Publishes `domain` with one host and starts its server there.
    ///
    /// # Errors
    /// The zone cannot be published, or the port is taken.
    pub async fn start(testbed: &mut Testbed, domain: &'static str) -> Outcome<OrdinaryServer> {
        let (host, number) = (format!("mail.{domain}"), testbed.take_host());
        testbed.authority.publish(zone(testbed, domain, number)?)?;
        let (world, tls) = (testbed.world.clone(), tls(testbed, &host)?);
        let listener = world
            .net
            .listen(testbed.network.port(number, MX_PORT))
            .await;
        let listener = listener.step(format!("server of {domain}"))?;
        let (address, inbox) = (listener.local_addr(), Inbox::default());
        let kept = Arc::clone(&inbox);
        let task = tokio::spawn(async move {
            while let Ok(client) = listener.accept().await {
                let (tls, kept) = (tls.clone(), Arc::clone(&kept));
                tokio::spawn(async move {
                    if let Err(error) = serve(client, &tls, &kept).await {
                        tracing::debug!(%error, "an ordinary server's dialogue ended");
                    }
                });
            }
        });
        Ok(OrdinaryServer {
            domain,
            address,
            number,
            world,
            inbox,
            tasks: vec![task.abort_handle()],
        })
    }

    /// Publishes a certificate in the domain's Web Key Directory, for whoever is asked for.
    ///
    /// # Errors
    /// The zone cannot be published, or the port is taken.
    pub async fn publish_key(&mut self, testbed: &mut Testbed, key: Vec<u8>) -> Outcome<()> {
        let host = format!("openpgpkey.{}", self.domain);
        let ip = testbed.network.host(self.number);
        let zone = zone(testbed, self.domain, self.number)?.address(&host, ip);
        testbed.authority.publish(zone)?;
        let tls = tls(testbed, &host)?;
        let at = testbed.network.port(self.number, HTTPS_PORT);
        let listener = self.world.net.listen(at).await.step("directory")?;
        let key = Arc::new(key);
        let task = tokio::spawn(async move {
            while let Ok(client) = listener.accept().await {
                let (tls, key) = (tls.clone(), Arc::clone(&key));
                tokio::spawn(async move {
                    if let Err(error) = give(client, &tls, &key).await {
                        tracing::debug!(%error, "a directory's dialogue ended");
                    }
                });
            }
        });
        self.tasks.push(task.abort_handle());
        Ok(())
    }

    /// Everything that came since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut *lock(&self.inbox))
    }

    fn first(&self) -> Option<Received> {
        let mut inbox = lock(&self.inbox);
        (!inbox.is_empty()).then(|| inbox.remove(0))
    }

    /// The next message that comes, if one does soon.
    ///
    /// # Errors
    /// None came.
    pub async fn next(&self) -> Outcome<Received> {
        for _ in 0..LOOKS {
            if let Some(first) = self.first() {
                return Ok(first);
            }
            self.world.clock.sleep(PAUSE).await;
        }
        None.step(format!("mail at {}", self.domain))
    }
}

impl Drop for OrdinaryServer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

fn lock(inbox: &Inbox) -> MutexGuard<'_, Vec<Received>> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What DNS says of the domain.
fn zone(testbed: &Testbed, domain: &str, number: u8) -> Outcome<Zone> {
    let (host, ip) = (format!("mail.{domain}"), testbed.network.host(number));
    let zone = Zone::new(domain).mx(domain, 10, &host)?;
    let spf = format!("v=spf1 ip4:{ip} -all");
    Ok(zone.address(&host, ip).text(domain, &spf))
}

/// A certificate for the host's own name.
fn tls(testbed: &Testbed, host: &str) -> Outcome<ServerTls> {
    let files = testbed.certification.issue(host, &[host])?;
    let files = CertificateFiles {
        certificate: files.certificate,
        key: files.key,
    };
    ServerTls::new(&[files], testbed.world.clock.clone()).step("TLS")
}

/// Answers one request of HTTP: the key under whatever hash, nothing elsewhere.
async fn give(client: Connection, tls: &ServerTls, key: &[u8]) -> io::Result<()> {
    let accepted = tls.accept(client.stream, &[]).await;
    let mut stream = BufReader::new(accepted.map_err(io::Error::other)?.stream);
    let mut request = String::new();
    (&mut stream).take(LINE).read_line(&mut request).await?;
    let mut line = request.clone();
    while !line.trim().is_empty() {
        line.clear();
        (&mut stream).take(LINE).read_line(&mut line).await?;
    }
    let (status, body) = match request.contains("/hu/") {
        true => ("200 OK", key),
        false => ("404 Not Found", &[][..]),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await?;
    stream.flush().await?;
    stream.shutdown().await
}

async fn serve(client: Connection, tls: &ServerTls, inbox: &Inbox) -> io::Result<()> {
    let mut plain = Dialogue::new(client.stream, false);
    plain.say("220 an ordinary server").await?;
    if !plain.run(inbox).await? {
        return Ok(());
    }
    let accepted = tls.accept(plain.stream.into_inner(), &[]).await;
    let stream = accepted.map_err(io::Error::other)?.stream;
    Dialogue::new(stream, true).run(inbox).await.map(drop)
}

/// One dialogue of SMTP (RFC 5321), as simple as it can be.
struct Dialogue {
    stream: BufReader<Stream>,
    message: Received,
}

impl Dialogue {
    fn new(stream: Stream, secured: bool) -> Dialogue {
        Dialogue {
            stream: BufReader::new(stream),
            message: Received {
                secured,
                ..Received::default()
            },
        }
    }

    /// Until the other side goes (false), or TLS is to start (true).
    async fn run(&mut self, inbox: &Inbox) -> io::Result<bool> {
        loop {
            let line = self.line().await?;
            let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "" => return Ok(false),
                "EHLO" => self.greet().await?,
                "STAR" => {
                    self.say("220 go ahead").await?;
                    return Ok(true);
                }
                "MAIL" => {
                    self.message.from = behind(&line);
                    self.say("250 ok").await?;
                }
                "RCPT" => {
                    self.message.to.push(behind(&line));
                    self.say("250 ok").await?;
                }
                "DATA" => self.take_data(inbox).await?,
                "QUIT" => {
                    self.say("221 bye").await?;
                    return Ok(false);
                }
                _ => self.say("250 ok").await?,
            }
        }
    }

    async fn greet(&mut self) -> io::Result<()> {
        let secured = self.message.secured;
        let tls = if secured { "" } else { "250-STARTTLS\r\n" };
        let lines = format!("250-an ordinary server\r\n{tls}250-8BITMIME\r\n250 SMTPUTF8");
        self.say(&lines).await
    }

    async fn take_data(&mut self, inbox: &Inbox) -> io::Result<()> {
        self.say("354 go ahead").await?;
        let mut content = String::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line == ".\r\n" {
                break;
            }
            content.push_str(line.strip_prefix('.').unwrap_or(&line));
        }
        let next = Received {
            secured: self.message.secured,
            ..Received::default()
        };
        let message = std::mem::replace(&mut self.message, next);
        lock(inbox).push(Received { content, ..message });
        self.say("250 kept").await
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.stream
            .write_all(format!("{text}\r\n").as_bytes())
            .await?;
        self.stream.flush().await
    }

    /// A line with its end; nothing when the other side is gone.
    async fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.stream).take(LINE);
        bounded.read_until(b'\n', &mut line).await?;
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}

/// What stands behind the colon, up to the end of the line.
fn behind(line: &str) -> String {
    let (_, value) = line.split_once(':').unwrap_or_default();
    value.trim().to_owned()
}
