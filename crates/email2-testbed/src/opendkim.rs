//! Debian's OpenDKIM as a milter: signs what leaves a Postfix, or verifies what comes to one.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::failure::{Failure, Outcome, Step};

/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often that is looked for.
const PAUSE: Duration = Duration::from_millis(50);

/// What it does.
#[derive(Clone, Debug)]
pub enum Task {
    /// Signs what is from this domain, with a key of this selector.
    Sign {
        /// The domain.
        domain: String,
        /// The selector.
        selector: String,
    },
    /// Verifies, and writes its results in this host's name; keys are asked of this resolver, at
    /// port 53.
    Verify {
        /// The host.
        host: String,
        /// The resolver.
        resolver: IpAddr,
    },
}

/// An OpenDKIM that runs; stopped when dropped.
pub struct OpenDkim {
    /// Where it listens.
    pub at: SocketAddr,
    process: Child,
}

/// Can it be run here? It needs root, as Postfix does, and Debian's packages.
#[must_use]
pub fn is_available() -> bool {
    let there = |program: &str| {
        let paths = ["/usr/sbin", "/usr/bin"];
        paths
            .iter()
            .any(|folder| Path::new(folder).join(program).exists())
    };
    there("opendkim") && there("openssl")
}

impl OpenDkim {
    /// Starts one in `folder`, which it gets for itself, at `at`.
    ///
    /// # Errors
    /// It refuses its configuration, or does not listen in time.
    pub fn start(folder: &Path, at: SocketAddr, task: &Task) -> Outcome<OpenDkim> {
        std::fs::create_dir_all(folder).step("folder")?;
        let file = folder.join("opendkim.conf");
        let (ip, port) = (at.ip(), at.port());
        let own = match task {
            Task::Sign { domain, selector } => format!(
                "Mode s\nDomain {domain}\nSelector {selector}\nKeyFile {}\nRequireSafeKeys no\n\
                 InternalHosts 127.0.0.0/8\nCanonicalization relaxed/simple\n",
                made_key(folder)?.display()
            ),
            Task::Verify { host, resolver } => format!(
                "Mode v\nAuthservID {host}\nAlwaysAddARHeader yes\nNameservers {resolver}\n"
            ),
        };
        let common = format!("UserID root\nSocket inet:{port}@{ip}\nBackground no\nSyslog no\n");
        std::fs::write(&file, own + &common).step("opendkim.conf")?;
        let process = Command::new("opendkim")
            .args(["-f", "-x"])
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .step("opendkim")?;
        let mut opendkim = OpenDkim { at, process };
        opendkim.wait()?;
        Ok(opendkim)
    }

    fn wait(&mut self) -> Outcome<()> {
        for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
            if TcpStream::connect(self.at).is_ok() {
                return Ok(());
            }
            if self.process.try_wait().step("opendkim")?.is_some() {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        Err(Failure {
            step: "opendkim listens".to_owned(),
            why: "it refuses its configuration, or is too slow".to_owned(),
        })
    }

    /// The value of `smtpd_milters` that leads to it.
    #[must_use]
    pub fn milter(&self) -> String {
        format!("inet:{}:{}", self.at.ip(), self.at.port())
    }
}

impl Drop for OpenDkim {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A fresh RSA key in `folder`.
fn made_key(folder: &Path) -> Outcome<std::path::PathBuf> {
    let file = folder.join("key.pem");
    let made = Command::new("openssl")
        .args(["genrsa", "-out"])
        .arg(&file)
        .arg("2048")
        .stderr(Stdio::null())
        .status();
    match made.step("openssl")?.success() {
        true => Ok(file),
        false => Err(Failure {
            step: "openssl genrsa".to_owned(),
            why: "it fails".to_owned(),
        }),
    }
}

/// The record to publish for the key of one that signs in `folder`.
///
/// # Errors
/// The key cannot be read.
pub fn record(folder: &Path) -> Outcome<String> {
    let output = Command::new("openssl")
        .args(["rsa", "-pubout", "-outform", "DER", "-in"])
        .arg(folder.join("key.pem"))
        .stderr(Stdio::null())
        .output()
        .step("openssl")?;
    Ok(format!(
        "v=DKIM1; k=rsa; p={}",
        STANDARD.encode(output.stdout)
    ))
}
