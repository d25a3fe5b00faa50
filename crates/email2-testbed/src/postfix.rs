//! Debian's Postfix in a folder of its own on loopback, with its real programs and their real
//! configuration files: the ordinary mail system that others have.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::failure::{Failure, Outcome, Step};

/// Where Debian keeps the programs.
const PROGRAMS: &str = "/usr/lib/postfix/sbin";
/// How long Postfix may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often something is looked for.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a reply to a message given by hand may take.
const REPLY: Duration = Duration::from_secs(20);

/// How a Postfix is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The name of its host.
    pub host: String,
    /// Where it listens.
    pub at: SocketAddr,
    /// The domain whose mail it delivers into files, one for each of its users.
    pub domain: String,
    /// The local parts of its users.
    pub users: Vec<String>,
    /// Further parameters of `main.cf`; the last of a name counts.
    pub main: Vec<(String, String)>,
    /// Further lines of `master.cf`.
    pub master: String,
}

impl Plan {
    /// One for `domain` with these users, at `at`.
    #[must_use]
    pub fn new(domain: &str, users: &[&str], at: SocketAddr) -> Plan {
        Plan {
            host: format!("mx.{domain}"),
            at,
            domain: domain.to_owned(),
            users: users.iter().map(|&user| user.to_owned()).collect(),
            main: Vec::new(),
            master: String::new(),
        }
    }

    /// The same with this parameter in `main.cf`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Plan {
        self.main.push((name.to_owned(), value.into()));
        self
    }

    /// `main.cf`, without what is only there because this Postfix lives in a folder.
    fn parameters(&self, folder: &Path) -> Vec<(String, String)> {
        let Plan { domain, .. } = self;
        let mapped = |user: &String| format!("{{ {user}@{domain} = {user} }}");
        let users: Vec<String> = self.users.iter().map(mapped).collect();
        let own = [
            ("myhostname", self.host.clone()),
            ("mydestination", String::new()),
            // Only what the machine's interfaces name is taken; it listens where it is told.
            ("inet_interfaces", "127.0.0.1".to_owned()),
            ("inet_protocols", "ipv4".to_owned()),
            ("alias_maps", String::new()),
            ("local_recipient_maps", String::new()),
            ("virtual_mailbox_domains", domain.clone()),
            (
                "virtual_mailbox_base",
                folder.join("mail").display().to_string(),
            ),
            (
                "virtual_mailbox_maps",
                format!("inline:{{ {} }}", users.join(", ")),
            ),
            ("virtual_uid_maps", "static:65534".to_owned()),
            ("virtual_gid_maps", "static:65534".to_owned()),
            ("virtual_minimum_uid", "100".to_owned()),
            ("mynetworks", "127.0.0.0/8".to_owned()),
            ("smtp_tls_security_level", "may".to_owned()),
            (
                "smtpd_relay_restrictions",
                "permit_mynetworks, reject_unauth_destination".to_owned(),
            ),
            ("smtp_host_lookup", "native".to_owned()),
            ("minimal_backoff_time", "1s".to_owned()),
            ("queue_run_delay", "1s".to_owned()),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        own.into_iter().chain(self.main.clone()).collect()
    }
}

/// A Postfix that runs; stopped when dropped.
pub struct Postfix {
    /// Its `main.cf` and `master.cf`.
    pub etc: PathBuf,
    /// Where it listens.
    pub at: SocketAddr,
    master: Child,
    mail: PathBuf,
    log: PathBuf,
}

/// Can it be run here? It needs root, as Postfix does, and Debian's package.
#[must_use]
pub fn is_available() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout == b"0\n") && Path::new(PROGRAMS).join("master").exists()
}

impl Postfix {
    /// Starts one in `folder`, which it gets for itself.
    ///
    /// # Errors
    /// Postfix refuses its configuration, or does not listen in time.
    pub fn start(folder: &Path, plan: &Plan) -> Outcome<Postfix> {
        let etc = folder.join("etc");
        prepare(folder)?;
        let main = main_cf(folder, &folder.join("log"), plan);
        std::fs::write(etc.join("main.cf"), main).step("main.cf")?;
        std::fs::write(etc.join("master.cf"), master_cf(plan)).step("master.cf")?;
        Postfix::start_as_it_is(folder, plan.at)
    }

    /// Starts what lies in `folder` already, with whatever was changed in its files; it listens at
    /// `at`.
    ///
    /// # Errors
    /// As [`Postfix::start`].
    pub fn start_as_it_is(folder: &Path, at: SocketAddr) -> Outcome<Postfix> {
        let etc = folder.join("etc");
        let log = folder.join("log");
        let checked = Command::new("postfix")
            .arg("-c")
            .arg(&etc)
            .arg("check")
            .stderr(Stdio::null())
            .status();
        if !checked.step("postfix check")?.success() {
            return Err(failed("postfix check", "it refuses its configuration"));
        }
        let master = Command::new(Path::new(PROGRAMS).join("master"))
            .arg("-c")
            .arg(&etc)
            .arg("-d")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .step("postfix's master")?;
        let postfix = Postfix {
            etc,
            at,
            master,
            mail: folder.join("mail"),
            log,
        };
        postfix.wait("postfix listens", |postfix| {
            TcpStream::connect(postfix.at).is_ok()
        })?;
        Ok(postfix)
    }

    /// Waits until something is so.
    ///
    /// # Errors
    /// It does not become so in time; the log is in the failure.
    pub fn wait(&self, what: &str, is_so: impl Fn(&Postfix) -> bool) -> Outcome<()> {
        for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
            if is_so(self) {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        Err(failed(what, &self.logged()))
    }

    /// All that it noted.
    #[must_use]
    pub fn logged(&self) -> String {
        let noted = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&noted).into_owned()
    }

    /// The lines that say what became of mail to this address (`status=`).
    #[must_use]
    pub fn outcomes(&self, to: &str) -> Vec<String> {
        let (logged, to) = (self.logged(), format!("to=<{to}>"));
        let lines = logged.lines().filter(|line| line.contains(&to));
        lines
            .filter(|line| line.contains("status="))
            .map(str::to_owned)
            .collect()
    }

    /// The messages that it delivered to a user of its domain, in the form of `mbox`: each begins
    /// with `From `, and lines that do so inside with `>From `.
    #[must_use]
    pub fn delivered(&self, user: &str) -> Vec<String> {
        let kept = std::fs::read(self.mail.join(user)).unwrap_or_default();
        let text = String::from_utf8_lossy(&kept).into_owned();
        let mut messages: Vec<String> = Vec::new();
        for line in text.split_inclusive('\n') {
            if line.starts_with("From ") {
                messages.push(String::new());
            } else if let Some(message) = messages.last_mut() {
                message.push_str(line);
            }
        }
        messages
    }

    /// Gives it one message by SMTP, as somebody inside its network; what it says to its end.
    /// Lines of `content` end in CRLF; dots are put in here.
    ///
    /// # Errors
    /// The connection breaks, or a command is refused: its reply.
    pub fn give(&self, from: &str, to: &[&str], content: &str) -> Outcome<String> {
        let stuffed = content.replace("\r\n.", "\r\n..");
        self.give_octets(from, to, format!("{stuffed}.\r\n").as_bytes())
    }

    /// The same with octets that are sent behind DATA as they are, an end of data among them.
    ///
    /// # Errors
    /// As [`Postfix::give`].
    pub fn give_octets(&self, from: &str, to: &[&str], octets: &[u8]) -> Outcome<String> {
        let mut stream = TcpStream::connect(self.at).step("postfix")?;
        stream.set_read_timeout(Some(REPLY)).step("postfix")?;
        let mut replies = BufReader::new(stream.try_clone().step("postfix")?);
        last_line(&mut replies)?;
        let mail = format!("MAIL FROM:<{from}>");
        let recipients = to.iter().map(|to| format!("RCPT TO:<{to}>"));
        let before = ["EHLO client.example".to_owned(), mail].into_iter();
        for command in before.chain(recipients).chain(["DATA".to_owned()]) {
            let line = format!("{command}\r\n");
            stream.write_all(line.as_bytes()).step(command.clone())?;
            let reply = last_line(&mut replies)?;
            if !reply.starts_with(['2', '3']) {
                return Err(failed(&command, &reply));
            }
        }
        stream.write_all(octets).step("content")?;
        let _ = stream.write_all(b"QUIT\r\n");
        let mut said = Vec::new();
        let _ = replies.read_to_end(&mut said);
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = Command::new("postfix")
            .arg("-c")
            .arg(&self.etc)
            .arg("stop")
            .stderr(Stdio::null())
            .status();
        let _ = self.master.kill();
        let _ = self.master.wait();
    }
}

fn failed(step: &str, why: &str) -> Failure {
    Failure {
        step: step.to_owned(),
        why: why.to_owned(),
    }
}

/// The last line of a reply.
fn last_line(replies: &mut impl std::io::BufRead) -> Outcome<String> {
    loop {
        let mut line = String::new();
        replies.read_line(&mut line).step("reply")?;
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(line);
        }
    }
}

/// Its folders, with the owners that Postfix demands.
fn prepare(folder: &Path) -> Outcome<()> {
    let mode = |path: &Path, mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(path, permissions).step(path.display().to_string())
    };
    std::fs::create_dir_all(folder).step("folder")?;
    mode(folder, 0o755)?;
    for part in ["etc", "spool", "data", "mail"] {
        let part = folder.join(part);
        std::fs::create_dir_all(&part).step("folder")?;
        mode(&part, 0o755)?;
    }
    // Its delivery agent is nobody.
    mode(&folder.join("mail"), 0o777)?;
    let owned = Command::new("chown")
        .arg("postfix")
        .arg(folder.join("data"))
        .status();
    owned.step("chown").map(|_| ())
}

fn main_cf(folder: &Path, log: &Path, plan: &Plan) -> String {
    let place = format!(
        "compatibility_level = 3.6\nqueue_directory = {folder}/spool\n\
         data_directory = {folder}/data\ncommand_directory = /usr/sbin\n\
         daemon_directory = {PROGRAMS}\nmaillog_file = {log}\n\
         maillog_file_prefixes = {folder}\n",
        folder = folder.display(),
        log = log.display(),
    );
    let parameters = plan.parameters(folder).into_iter();
    let lines = parameters.map(|(name, value)| format!("{name} = {value}\n"));
    lines.fold(place, |text, line| text + &line)
}

/// Debian's `master.cf` without chroot, without what is not needed.
fn master_cf(plan: &Plan) -> String {
    let smtpd = format!(
        "{}:{} inet n - n - 20 smtpd\n",
        plan.at.ip(),
        plan.at.port()
    );
    let rest = "postlog unix-dgram n - n - 1 postlogd\npickup unix n - n 60 1 pickup\n\
        cleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n\
        tlsmgr unix - - n 1000? 1 tlsmgr\nrewrite unix - - n - - trivial-rewrite\n\
        bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\n\
        verify unix - - n - 1 verify\nflush unix n - n 1000? 0 flush\n\
        proxymap unix - - n - - proxymap\nanvil unix - - n - 1 anvil\nsmtp unix - - n - - smtp\n\
        lmtp unix - - n - - lmtp\nrelay unix - - n - - smtp\nerror unix - - n - - error\n\
        retry unix - - n - - error\ndiscard unix - - n - - discard\nvirtual unix - n n - - virtual\n";
    smtpd + rest + &plan.master
}
