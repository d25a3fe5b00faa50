//! Other mail servers, each run by a script (see bench/peers/README.md).

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::dialogue::{Target, Tls};
use super::process::{CpuGroup, Process};
use super::stage::{Stage, wait_until_it_listens};
use crate::certification::HostFiles;
use crate::failure::{Failure, Outcome, Step};
use crate::forger::session::Exchanger;

/// The port that peers listen at: the one that mail exchangers have.
pub const PORT: u16 = crate::loopback::MX_PORT;
/// How long mail that was taken may take to be in its mailbox.
const SETTLING: Duration = Duration::from_secs(60);
/// How often it is looked whether a peer still works.
const PAUSE: Duration = Duration::from_millis(500);
/// A peer that uses less CPU than this in that time has delivered everything, seconds.
const STILL: f64 = 0.005;

/// What a script is to run.
pub struct Cast<'a> {
    /// The script.
    pub script: &'a Path,
    /// The number of its host in the world's network.
    pub number: u8,
    /// Its host's name.
    pub host: &'a str,
    /// The domain that it takes mail for.
    pub domain: &'a str,
    /// Variables of its own.
    pub more: Vec<(&'a str, &'a OsStr)>,
}

/// A mail server that runs; it ends when this is dropped.
pub struct Script {
    /// Its name.
    pub name: String,
    /// Its folder; mail is below `mail`.
    pub folder: PathBuf,
    address: SocketAddr,
    host: String,
    group: CpuGroup,
    process: Process,
}

impl Script {
    /// Runs it until it listens.
    ///
    /// # Errors
    /// It does not listen in time.
    pub async fn start(stage: &Stage, cast: &Cast<'_>) -> Outcome<Script> {
        let name = file_name(cast.script);
        let folder = stage.testbed.folder.join("peers").join(&name);
        std::fs::create_dir_all(folder.join("mail")).step("mail")?;
        world_writable(&folder.join("mail"))?;
        let address = stage.testbed.network.port(cast.number, PORT);
        let files = stage.testbed.certification.issue(cast.host, &[cast.host])?;
        let group = CpuGroup::make(&name)?;
        let process = run(stage, cast, &group, &folder, &files)?;
        let listens = wait_until_it_listens(&stage.testbed, address).await;
        listens.map_err(|failure| Failure {
            why: std::fs::read_to_string(folder.join("log")).unwrap_or_default(),
            ..failure
        })?;
        Ok(Script {
            name,
            folder,
            address,
            host: cast.host.to_owned(),
            group,
            process,
        })
    }

    /// Whom a load goes to.
    ///
    /// # Errors
    /// The authority's file cannot be read.
    pub fn target(&self, stage: &Stage) -> Outcome<Target> {
        let exchanger = Exchanger {
            address: self.address,
            host: self.host.clone(),
            ..stage.testbed.door_at(&stage.receiver, PORT)?
        };
        Ok(Target {
            exchanger: Arc::new(exchanger),
            tls: Tls::Start,
            login: None,
        })
    }

    /// Seconds of CPU that all its processes used so far.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn cpu(&self) -> Outcome<f64> {
        self.group.cpu()
    }

    /// The same, when nothing is left to be done.
    ///
    /// # Errors
    /// It works on and on.
    pub async fn settled(&self, stage: &Stage) -> Outcome<f64> {
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

    /// So many of the messages that it delivered bear the word that their signature holds.
    ///
    /// # Errors
    /// It is another number, or the folder cannot be read.
    pub fn expect_verified(&self, messages: usize) -> Outcome<()> {
        let found = Command::new("grep")
            .args(["-rl", "dkim=pass"])
            .arg(self.folder.join("mail"))
            .output()
            .step("grep")?;
        let verified = found.stdout.iter().filter(|octet| **octet == b'\n').count();
        if verified == messages {
            return Ok(());
        }
        Err(Failure {
            step: self.name.clone(),
            why: format!("{verified} of {messages} messages verified"),
        })
    }

    /// Throws away the mail that it delivered.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn empty(&self) -> Outcome<()> {
        let folder = self.folder.join("mail");
        std::fs::remove_dir_all(&folder).step("mail")?;
        std::fs::create_dir(&folder).step("mail")?;
        world_writable(&folder)
    }

    /// Ends it.
    ///
    /// # Errors
    /// There is no `kill`.
    pub fn stop(mut self) -> Outcome<()> {
        self.process.stop()
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

/// Runs the script as a member of `group`.
fn run(
    stage: &Stage,
    cast: &Cast<'_>,
    group: &CpuGroup,
    folder: &Path,
    files: &HostFiles,
) -> Outcome<Process> {
    let ip = stage.testbed.network.host(cast.number).to_string();
    let port = PORT.to_string();
    let dns = stage.testbed.authority.address().ip().to_string();
    let mut variables: Vec<(&str, &OsStr)> = vec![
        ("PEER_DIR", folder.as_os_str()),
        ("PEER_HOST", cast.host.as_ref()),
        ("PEER_IP", ip.as_ref()),
        ("PEER_PORT", port.as_ref()),
        ("PEER_DOMAIN", cast.domain.as_ref()),
        ("PEER_DNS", dns.as_ref()),
        ("PEER_CERTIFICATE", files.certificate.as_os_str()),
        ("PEER_KEY", files.key.as_os_str()),
    ];
    variables.extend(cast.more.iter().copied());
    let script = std::path::absolute(cast.script).step("script")?;
    let members = group.members();
    let arguments: [&OsStr; 4] = [
        "-c".as_ref(),
        "echo $$ > \"$0\" && exec \"$1\"".as_ref(),
        members.as_os_str(),
        script.as_os_str(),
    ];
    let variables = variables
        .into_iter()
        .map(|(name, value)| (OsStr::new(name), value));
    Process::start_with(Path::new("sh"), &arguments, variables, &folder.join("log"))
}
