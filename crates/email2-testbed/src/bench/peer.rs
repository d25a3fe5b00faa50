//! Other mail servers, and our sinks, under the same load.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use email2::address::Address;
use sha2::{Digest as _, Sha256};

use super::dialogue::Target;
use super::letters::{Letter, ended, message, ordinary};
use super::load::{self, Shape};
use super::process::{CpuGroup, Process, beside};
use super::report::{Cell, Row};
use super::stage::{MAILBOXES, RECEIVING, SENDING, Stage, mailbox, wait_until_it_listens};
use crate::certification::HostFiles;
use crate::failure::{Failure, Outcome, Step};
use crate::forger::session::Exchanger;

/// The host number of every peer in the world's network; they run one after the other.
const HOST: u8 = 200;
/// The port that peers listen at.
const PORT: u16 = 12_025;
/// The name of a peer's host.
const NAME: &str = "peer.bench.example";
/// How long mail that was taken may take to be in its mailbox.
const SETTLING: Duration = Duration::from_secs(60);
/// How often it is looked whether a peer still works.
const PAUSE: Duration = Duration::from_millis(500);
/// A peer that uses less CPU than this in that time has delivered everything, seconds.
const STILL: f64 = 0.005;

/// The key that mail for peers is signed with, for DKIM (RFC 6376).
pub struct DkimKey {
    file: PathBuf,
    /// The record's name and text.
    pub record: (String, String),
}

impl DkimKey {
    /// Makes an RSA key of 2048 bits by `openssl`.
    ///
    /// # Errors
    /// There is no `openssl`.
    pub fn make(folder: &Path) -> Outcome<DkimKey> {
        let file = folder.join("dkim.pem");
        let made = Command::new("openssl")
            .args(["genrsa", "-traditional", "-out"])
            .arg(&file)
            .arg("2048")
            .output();
        made.step("openssl genrsa")?;
        let public = Command::new("openssl")
            .args(["rsa", "-pubout", "-outform", "PEM", "-in"])
            .arg(&file)
            .output()
            .step("openssl rsa")?;
        let public = String::from_utf8_lossy(&public.stdout).into_owned();
        let lines = public.lines().filter(|line| !line.starts_with("--"));
        let base64: String = lines.collect();
        Ok(DkimKey {
            file,
            record: (
                format!("bench._domainkey.{SENDING}"),
                format!("v=DKIM1; k=rsa; p={base64}"),
            ),
        })
    }

    /// Signs as it is (`simple/simple`), with RSA and SHA-256, which all verify.
    fn sign(&self, folder: &Path, message: &[u8]) -> Outcome<Vec<u8>> {
        let message = String::from_utf8_lossy(message);
        let (header, body) = message.split_once("\r\n\r\n").step("header")?;
        let digest = STANDARD.encode(Sha256::digest(body));
        let field = format!(
            "DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d={SENDING}; s=bench;\r\n\
             \th={}; bh={digest};\r\n\tb=",
            SIGNED.join(":")
        );
        let fields = SIGNED.iter().filter_map(|name| {
            let prefix = format!("{name}: ");
            header.split("\r\n").find(|line| line.starts_with(&prefix))
        });
        let mut signed: String = fields.map(|line| format!("{line}\r\n")).collect();
        signed.push_str(&field);
        let signature = STANDARD.encode(self.signature(folder, &signed)?);
        Ok(format!("{field}{signature}\r\n{message}").into_bytes())
    }

    fn signature(&self, folder: &Path, signed: &str) -> Outcome<Vec<u8>> {
        let input = folder.join("signed");
        std::fs::write(&input, signed).step("signed")?;
        let made = Command::new("openssl")
            .args(["dgst", "-sha256", "-sign"])
            .arg(&self.file)
            .arg(&input)
            .output()
            .step("openssl dgst")?;
        match made.status.success() {
            true => Ok(made.stdout),
            false => Err(Failure {
                step: "openssl dgst".to_owned(),
                why: String::from_utf8_lossy(&made.stderr).into_owned(),
            }),
        }
    }
}

/// The fields that are signed; a message of a load has each once, unfolded.
const SIGNED: [&str; 5] = ["From", "To", "Subject", "Date", "Message-ID"];

/// Which program is under load.
pub enum Kind<'a> {
    /// A script that runs a mail server until it is told to end (see bench/peers/README.md).
    Script(&'a Path, &'a DkimKey),
    /// Our sink with TLS and SMTP.
    SmtpSink,
    /// Our sink with nothing.
    Nothing,
}

/// A program under load.
pub struct Peer<'a> {
    kind: Kind<'a>,
    name: String,
    folder: PathBuf,
    /// For programs of several processes.
    group: Option<CpuGroup>,
    process: Process,
    target: Target,
}

impl<'a> Peer<'a> {
    /// Starts it.
    ///
    /// # Errors
    /// It does not listen in time.
    pub async fn start(stage: &Stage, kind: Kind<'a>) -> Outcome<Peer<'a>> {
        let name = match &kind {
            Kind::Script(path, _) => file_name(path),
            Kind::SmtpSink => "sink: TLS, SMTP".to_owned(),
            Kind::Nothing => "sink: nothing".to_owned(),
        };
        let folder = stage.testbed.folder.join("peers").join(&name);
        std::fs::create_dir_all(&folder).step("folder")?;
        let address = stage.testbed.network.port(HOST, PORT);
        let files = stage.testbed.certification.issue(NAME, &[NAME])?;
        let (group, process) = match &kind {
            Kind::Script(script, _) => {
                let group = CpuGroup::make(&name)?;
                let process = run_script(stage, script, &group, &folder, &files)?;
                (Some(group), process)
            }
            Kind::SmtpSink => (None, run_sink(address, Some(&files), &folder)?),
            Kind::Nothing => (None, run_sink(address, None, &folder)?),
        };
        let listens = wait_until_it_listens(&stage.testbed, address).await;
        listens.map_err(|failure| Failure {
            why: std::fs::read_to_string(folder.join("log")).unwrap_or_default(),
            ..failure
        })?;
        let tls = !matches!(kind, Kind::Nothing);
        let exchanger = Exchanger {
            address,
            host: NAME.to_owned(),
            ..stage.testbed.door_at(&stage.receiver, PORT)?
        };
        Ok(Peer {
            kind,
            name,
            folder,
            group,
            process,
            target: Target {
                exchanger: Arc::new(exchanger),
                tls,
            },
        })
    }

    /// Measures one cell. CPU counts until all mail lies in its mailboxes.
    ///
    /// # Errors
    /// A message is refused, or was not verified.
    pub async fn measure(&self, stage: &Stage, cell: Cell) -> Outcome<Row> {
        let letters = Arc::new(self.letters(stage, &cell)?);
        let shape = Shape {
            sessions: cell.sessions,
            per_connection: cell.per_connection,
        };
        let world = &stage.testbed.world;
        let before = self.settled(stage).await?;
        let taken = load::deliver(world, &self.target, shape, letters).await?;
        let cpu = self.settled(stage).await? - before;
        self.check(&cell)?;
        Ok(Row::of(&self.name, cell, &taken, cpu))
    }

    /// Ends it.
    ///
    /// # Errors
    /// There is no `kill`.
    pub fn stop(mut self) -> Outcome<()> {
        self.process.stop()?;
        drop(self.group);
        Ok(())
    }

    fn letters(&self, stage: &Stage, cell: &Cell) -> Outcome<Vec<Letter>> {
        let from: Address = format!("alice@{SENDING}").parse().step("address")?;
        let text = message(&from, cell.kibibytes * 1024);
        let text = match &self.kind {
            Kind::Script(_, dkim) => dkim.sign(&stage.testbed.folder, &text)?,
            _ => text,
        };
        let content = ended(text);
        (0..cell.messages)
            .map(|number| Ok(ordinary(&from, &mailbox(number % MAILBOXES)?, &content)))
            .collect()
    }

    fn cpu(&self) -> Outcome<f64> {
        match &self.group {
            Some(group) => group.cpu(),
            None => self.process.cpu(),
        }
    }

    /// The CPU used when nothing is left to be done.
    async fn settled(&self, stage: &Stage) -> Outcome<f64> {
        let mut used = self.cpu()?;
        for _ in 0..SETTLING.as_millis() / PAUSE.as_millis() {
            stage.testbed.world.clock.sleep(PAUSE).await;
            let now = self.cpu()?;
            if now - used < STILL {
                return Ok(now);
            }
            used = now;
        }
        Err(Failure {
            step: self.name.clone(),
            why: "it works on and on".to_owned(),
        })
    }

    /// Mail lies in `DIR/mail`, and what checks signatures found them good.
    fn check(&self, cell: &Cell) -> Outcome<()> {
        if !matches!(self.kind, Kind::Script(..)) {
            return Ok(());
        }
        let folder = self.folder.join("mail");
        let found = Command::new("grep")
            .args(["-rl", "dkim=pass"])
            .arg(&folder)
            .output()
            .step("grep")?;
        let verified = found.stdout.iter().filter(|octet| **octet == b'\n').count();
        std::fs::remove_dir_all(&folder).step("mail")?;
        std::fs::create_dir(&folder).step("mail")?;
        world_writable(&folder)?;
        let unchecked = self.name.ends_with("-unchecked");
        if unchecked || verified == cell.messages {
            return Ok(());
        }
        Err(Failure {
            step: self.name.clone(),
            why: format!("{verified} of {} messages verified", cell.messages),
        })
    }
}

/// Peers give up root for delivery.
fn world_writable(folder: &Path) -> Outcome<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let permissions = std::fs::Permissions::from_mode(0o1777);
    std::fs::set_permissions(folder, permissions).step("mail")
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Runs a script as a member of `group`.
fn run_script(
    stage: &Stage,
    script: &Path,
    group: &CpuGroup,
    folder: &Path,
    files: &HostFiles,
) -> Outcome<Process> {
    std::fs::create_dir_all(folder.join("mail")).step("mail")?;
    world_writable(&folder.join("mail"))?;
    let address = stage.testbed.network.port(HOST, PORT);
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let dns = stage.testbed.authority.address().ip().to_string();
    let variables: [(&str, &OsStr); 8] = [
        ("PEER_DIR", folder.as_os_str()),
        ("PEER_HOST", NAME.as_ref()),
        ("PEER_IP", ip.as_ref()),
        ("PEER_PORT", port.as_ref()),
        ("PEER_DOMAIN", RECEIVING.as_ref()),
        ("PEER_DNS", dns.as_ref()),
        ("PEER_CERTIFICATE", files.certificate.as_os_str()),
        ("PEER_KEY", files.key.as_os_str()),
    ];
    let script = std::path::absolute(script).step("script")?;
    let members = group.members();
    let arguments: [&OsStr; 4] = [
        "-c".as_ref(),
        "echo $$ > \"$0\" && exec \"$1\"".as_ref(),
        members.as_os_str(),
        script.as_os_str(),
    ];
    let variables = variables.map(|(name, value)| (OsStr::new(name), value));
    Process::start_with(Path::new("sh"), &arguments, variables, &folder.join("log"))
}

fn run_sink(address: SocketAddr, files: Option<&HostFiles>, folder: &Path) -> Outcome<Process> {
    let address = address.to_string();
    let mut arguments: Vec<&OsStr> = vec!["sink".as_ref(), "--listen".as_ref(), address.as_ref()];
    if let Some(files) = files {
        arguments.extend([OsStr::new("--certificate"), files.certificate.as_os_str()]);
        arguments.extend([OsStr::new("--key"), files.key.as_os_str()]);
    }
    Process::start(&beside("email2-bench")?, &arguments, &folder.join("log"))
}
