//! Other mail servers, and our sinks, under the same load.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use super::dialogue::{Target, Tls};
use super::dkim::Dkim;
use super::letters::{Letter, ended, message, ordinary};
use super::load;
use super::process::{Process, beside};
use super::report::{Cell, Row};
use super::script::{Cast, PORT, Script};
use super::stage::{LETTERS, MAILBOXES, RECEIVING, Stage, mailbox, wait_until_it_listens};
use crate::certification::HostFiles;
use crate::failure::{Failure, Outcome, Step};
use crate::forger::session::Exchanger;

/// The host number of every peer in the world's network; they run one after the other.
pub const HOST: u8 = 200;
/// The name of a peer's host.
pub const NAME: &str = "peer.bench.example";

/// Which program is under load.
pub enum Kind<'a> {
    /// A script that runs a mail server until it is told to end (see bench/peers/README.md).
    Script(&'a Path, &'a Dkim),
    /// Our sink with TLS and SMTP.
    SmtpSink,
    /// Our sink with nothing.
    Nothing,
}

/// A program under load.
pub struct Peer<'a> {
    kind: Kind<'a>,
    name: String,
    target: Target,
    program: Program,
}

/// What runs.
enum Program {
    Script(Script),
    Sink(Process),
}

impl<'a> Peer<'a> {
    /// Starts it.
    ///
    /// # Errors
    /// It does not listen in time.
    pub async fn start(stage: &Stage, kind: Kind<'a>) -> Outcome<Peer<'a>> {
        let (name, target, program) = match &kind {
            Kind::Script(script, _) => {
                let cast = Cast {
                    script,
                    number: HOST,
                    host: NAME,
                    domain: RECEIVING,
                    more: Vec::new(),
                };
                let script = Script::start(stage, &cast).await?;
                let (name, target) = (script.name.clone(), script.target(stage)?);
                (name, target, Program::Script(script))
            }
            Kind::SmtpSink => start_sink(stage, "sink: TLS, SMTP", true).await?,
            Kind::Nothing => start_sink(stage, "sink: nothing", false).await?,
        };
        Ok(Peer {
            kind,
            name,
            target,
            program,
        })
    }

    /// Measures one cell. CPU counts until all mail lies in its mailboxes.
    ///
    /// # Errors
    /// A message is refused, or was not verified.
    pub async fn measure(&self, stage: &Stage, cell: Cell) -> Outcome<Row> {
        let letters = Arc::new(self.letters(stage, &cell)?);
        let world = &stage.testbed.world;
        let before = self.settled(stage).await?;
        let taken = load::deliver(world, &self.target, cell.shape(), letters).await?;
        let cpu = self.settled(stage).await? - before;
        self.check(&cell)?;
        Ok(Row::of(&self.name, cell, &taken, cpu))
    }

    /// Ends it.
    ///
    /// # Errors
    /// There is no `kill`.
    pub fn stop(self) -> Outcome<()> {
        match self.program {
            Program::Script(script) => script.stop(),
            Program::Sink(mut process) => process.stop(),
        }
    }

    fn letters(&self, stage: &Stage, cell: &Cell) -> Outcome<Vec<Letter>> {
        match &self.kind {
            Kind::Script(_, dkim) => signed(stage, cell, dkim),
            _ => spread(cell, Ok),
        }
    }

    async fn settled(&self, stage: &Stage) -> Outcome<f64> {
        match &self.program {
            Program::Script(script) => script.settled(stage).await,
            Program::Sink(process) => process.cpu(),
        }
    }

    /// Mail lies in `DIR/mail`, and what checks signatures found them good.
    fn check(&self, cell: &Cell) -> Outcome<()> {
        let Program::Script(script) = &self.program else {
            return Ok(());
        };
        if !self.name.ends_with("-unchecked") {
            script.expect_verified(cell.messages)?;
        }
        script.empty()
    }
}

/// Ordinary mail with a signature, the same for other servers and for ours.
///
/// # Errors
/// It cannot be signed.
pub fn signed(stage: &Stage, cell: &Cell, dkim: &Dkim) -> Outcome<Vec<Letter>> {
    spread(cell, |text| dkim.sign(&stage.testbed.folder, &text))
}

/// One text for all mailboxes by turns, changed once.
fn spread(cell: &Cell, change: impl FnOnce(Vec<u8>) -> Outcome<Vec<u8>>) -> Outcome<Vec<Letter>> {
    let from = format!("alice@{LETTERS}").parse().step("address")?;
    let content = ended(change(message(&from, cell.kibibytes * 1024))?);
    (0..cell.messages)
        .map(|number| Ok(ordinary(&from, &mailbox(number % MAILBOXES)?, &content)))
        .collect()
}

async fn start_sink(stage: &Stage, name: &str, tls: bool) -> Outcome<(String, Target, Program)> {
    let folder = stage.testbed.folder.join("peers").join(name);
    std::fs::create_dir_all(&folder).step("folder")?;
    let address = stage.testbed.network.port(HOST, PORT);
    let files = stage.testbed.certification.issue(NAME, &[NAME])?;
    let process = run_sink(address, tls.then_some(&files), &folder)?;
    let listens = wait_until_it_listens(&stage.testbed, address).await;
    listens.map_err(|failure| Failure {
        why: std::fs::read_to_string(folder.join("log")).unwrap_or_default(),
        ..failure
    })?;
    let exchanger = Exchanger {
        address,
        host: NAME.to_owned(),
        ..stage.testbed.door_at(&stage.receiver, PORT)?
    };
    let target = Target {
        exchanger: Arc::new(exchanger),
        tls: if tls { Tls::Start } else { Tls::None },
        login: None,
    };
    Ok((name.to_owned(), target, Program::Sink(process)))
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
