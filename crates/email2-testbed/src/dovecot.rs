//! Debian's Dovecot in a folder of its own on loopback: LMTP to deliver to, IMAP to read by.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::failure::{Failure, Outcome, Step};

/// How long Dovecot may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take to end by itself.
const ENDING: Duration = Duration::from_secs(10);
/// How often something is looked for.
const PAUSE: Duration = Duration::from_millis(50);
/// The user that owns the mail: Debian's `nobody`.
const OWNER: u32 = 65_534;

/// The password of everybody.
pub const PASSWORD: &str = "secret";

/// How a Dovecot is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its users' addresses.
    pub users: Vec<String>,
    /// Where it takes mail by LMTP.
    pub lmtp: SocketAddr,
    /// Where it shows mail by IMAP, in plaintext.
    pub imap: SocketAddr,
    /// A Sieve script that everybody's mail goes through first.
    pub sieve: Option<String>,
}

/// A Dovecot that runs; stopped when dropped.
pub struct Dovecot {
    /// Its configuration file.
    pub configuration: PathBuf,
    /// Where it takes mail by LMTP, as a socket of Unix.
    pub socket: PathBuf,
    master: Child,
    folder: PathBuf,
}

/// Can it run Sieve scripts here? Debian has that in a package of its own.
#[must_use]
pub fn has_sieve() -> bool {
    Path::new("/usr/lib/dovecot/modules/lib90_sieve_plugin.so").exists()
}

/// Can it be run here? It needs root, and Debian's packages.
#[must_use]
pub fn is_available() -> bool {
    let id = Command::new("id").arg("-u").output();
    let root = id.is_ok_and(|id| id.stdout == b"0\n");
    let lmtp = Path::new("/usr/lib/dovecot/lmtp").exists();
    root && lmtp && Path::new("/usr/lib/dovecot/imap").exists()
}

impl Dovecot {
    /// Starts one in `folder`, which it gets for itself.
    ///
    /// # Errors
    /// Dovecot refuses its configuration, or does not listen in time.
    pub fn start(folder: &Path, plan: &Plan) -> Outcome<Dovecot> {
        prepare(folder)?;
        let line = |user: &String| {
            let home = folder.join("mail").join(user);
            format!(
                "{user}:{{PLAIN}}{PASSWORD}:{OWNER}:{OWNER}::{}\n",
                home.display()
            )
        };
        let users: String = plan.users.iter().map(line).collect();
        std::fs::write(folder.join("users"), users).step("users")?;
        let configuration = folder.join("dovecot.conf");
        let mut configured = text(folder, plan);
        if let Some(script) = &plan.sieve {
            let file = folder.join("before.sieve");
            std::fs::write(&file, script).step("Sieve script")?;
            configured += &format!(
                "protocol lmtp {{\n  mail_plugins = sieve\n}}\nplugin {{\n  sieve_before = {}\n}}\n",
                file.display()
            );
        }
        std::fs::write(&configuration, configured).step("dovecot.conf")?;
        let master = Command::new("dovecot")
            .arg("-F")
            .arg("-c")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .step("dovecot")?;
        let dovecot = Dovecot {
            configuration,
            socket: folder.join("run/lmtp"),
            master,
            folder: folder.to_owned(),
        };
        dovecot.wait("dovecot listens", |_| {
            let listens = |at| TcpStream::connect(at).is_ok();
            listens(plan.lmtp) && listens(plan.imap)
        })?;
        Ok(dovecot)
    }

    /// Waits until something is so.
    ///
    /// # Errors
    /// It does not become so in time; the log is in the failure.
    pub fn wait(&self, what: &str, is_so: impl Fn(&Dovecot) -> bool) -> Outcome<()> {
        for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
            if is_so(self) {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        Err(Failure {
            step: what.to_owned(),
            why: self.logged(),
        })
    }

    /// All that it noted.
    #[must_use]
    pub fn logged(&self) -> String {
        let noted = std::fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&noted).into_owned()
    }

    /// The messages in the Inbox of a user, as the files hold them, in the order of delivery.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn delivered(&self, user: &str) -> Outcome<Vec<String>> {
        self.delivered_into(user, "")
    }

    /// The same in a mailbox: its folder in the Maildir, `.Junk` for Junk.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn delivered_into(&self, user: &str, mailbox: &str) -> Outcome<Vec<String>> {
        let mut files = Vec::new();
        for part in ["new", "cur"] {
            let maildir = self.folder.join("mail").join(user).join(mailbox);
            let folder = maildir.join(part);
            if let Ok(entries) = std::fs::read_dir(folder) {
                files.extend(entries.filter_map(Result::ok).map(|entry| entry.path()));
            }
        }
        files.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
        let read = |path: PathBuf| {
            let octets = std::fs::read(path).step("message")?;
            Ok(String::from_utf8_lossy(&octets).into_owned())
        };
        files.into_iter().map(read).collect()
    }
}

impl Dovecot {
    /// The keywords that messages of a user's Inbox have had.
    #[must_use]
    pub fn keywords(&self, user: &str) -> String {
        let file = self.folder.join("mail").join(user).join("dovecot-keywords");
        std::fs::read_to_string(file).unwrap_or_default()
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        let _ = Command::new("doveadm")
            .arg("-c")
            .arg(&self.configuration)
            .arg("stop")
            .stderr(Stdio::null())
            .status();
        // It ends its services first, which hold its sockets.
        for _ in 0..ENDING.as_millis() / PAUSE.as_millis() {
            if !matches!(self.master.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        let _ = self.master.kill();
        let _ = self.master.wait();
    }
}

fn prepare(folder: &Path) -> Outcome<()> {
    for part in ["", "run", "state", "mail"] {
        let part = folder.join(part);
        std::fs::create_dir_all(&part).step("folder")?;
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&part, open).step("folder")?;
    }
    let mail = folder.join("mail");
    let owned = Command::new("chown")
        .arg(OWNER.to_string())
        .arg(mail)
        .status();
    owned.step("chown").map(|_| ())
}

fn text(folder: &Path, plan: &Plan) -> String {
    let folder = folder.display();
    let users = format!("driver = passwd-file\n  args = username_format=%u {folder}/users");
    format!(
        "base_dir = {folder}/run\nstate_dir = {folder}/state\nlog_path = {folder}/log\n\
         protocols = imap lmtp\nlisten = 127.0.0.1\nssl = no\ndisable_plaintext_auth = no\n\
         auth_mechanisms = plain\nfirst_valid_uid = 1\nmail_location = maildir:{folder}/mail/%u\n\
         passdb {{\n  {users}\n}}\nuserdb {{\n  {users}\n}}\n\
         service imap-login {{\n  inet_listener imap {{\n    address = {imap}\n    port = {imap_port}\n  }}\n  \
         inet_listener imaps {{\n    port = 0\n  }}\n}}\n\
         service lmtp {{\n  unix_listener lmtp {{\n    mode = 0666\n  }}\n  \
         inet_listener lmtp {{\n    address = {lmtp}\n    port = {lmtp_port}\n  }}\n}}\n",
        imap = plan.imap.ip(),
        imap_port = plan.imap.port(),
        lmtp = plan.lmtp.ip(),
        lmtp_port = plan.lmtp.port(),
    )
}
