//! `email2d` as a process that things happen to.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use email2::Address;
use email2_testbed::domain::Place;
use email2_testbed::failure::{Failure, Outcome, Step};
use email2_testbed::testbed::Testbed;

/// How long it may take to listen.
const STARTING: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);
/// How often the queue is looked at until it is empty.
const LOOKS: u32 = 600;
const BETWEEN: Duration = Duration::from_millis(500);

/// `email2d`, which lies beside `email2`; `scripts/test` builds both.
fn program(place: &Place) -> Command {
    let path = Path::new(env!("CARGO_BIN_EXE_email2")).with_file_name("email2d");
    let mut command = Command::new(path);
    command.arg("--config").arg(place.configuration());
    command.stdin(Stdio::null());
    command
}

/// Waits until `is` holds.
pub(crate) fn until(patience: Duration, mut is: impl FnMut() -> bool) {
    for _ in 0..patience.as_millis() / PAUSE.as_millis() {
        if is() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("it did not happen within {patience:?}");
}

/// What a command of `email2d` prints, beside a server that may run.
pub(crate) fn command(place: &Place, words: &[&str]) -> Outcome<String> {
    let done = program(place).args(words).output().step("email2d")?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => Err(Failure {
            step: words.join(" "),
            why: String::from_utf8_lossy(&done.stderr).into_owned(),
        }),
    }
}

/// `email2d user add`.
pub(crate) fn add_account(place: &Place, address: &Address) -> Outcome<()> {
    command(place, &["user", "add", &address.to_string()]).map(drop)
}

/// How many messages wait, by `email2d queue list`.
pub(crate) fn waiting(place: &Place) -> Outcome<usize> {
    Ok(command(place, &["queue", "list", "--json"])?
        .lines()
        .count())
}

/// Makes everything due until nothing waits, as an administrator would.
pub(crate) async fn drained(place: &Place, testbed: &Testbed) -> Outcome<()> {
    for _ in 0..LOOKS {
        if waiting(place)? == 0 {
            return Ok(());
        }
        command(place, &["queue", "retry"])?;
        testbed.world.clock.sleep(BETWEEN).await;
    }
    None.step("the queue is empty")
}

/// The server holds a key for an account; the password of its ordinary program.
pub(crate) fn hold_key(place: &Place, address: &Address) -> Outcome<String> {
    let address = address.to_string();
    command(place, &["user", "key", &address, "--hold"])?;
    let said = command(place, &["user", "password", &address])?;
    let password = said.trim().rsplit(' ').next().step("password")?;
    Ok(password.to_owned())
}

/// A list that shows no member another, of its first member.
pub(crate) fn make_list(place: &Place, list: &Address, members: &[Address]) -> Outcome<()> {
    let list = list.to_string();
    let members: Vec<String> = members.iter().map(ToString::to_string).collect();
    let owner = members.first().step("owner")?;
    command(
        place,
        &["list", "create", &list, "--owner", owner, "--hidden"],
    )?;
    let words = ["list", "add", &list].into_iter();
    let words: Vec<&str> = words.chain(members.iter().map(String::as_str)).collect();
    command(place, &words).map(drop)
}

fn granted(step: &str, is: bool) -> Outcome<()> {
    match is {
        true => Ok(()),
        false => Err(Failure {
            step: step.to_owned(),
            why: "it failed".to_owned(),
        }),
    }
}

/// What it wrote into its log, all starts together.
pub(crate) fn log(place: &Place) -> String {
    std::fs::read_to_string(place.folder.join("log")).unwrap_or_default()
}

pub(crate) struct Server {
    child: Child,
}

impl Server {
    pub(crate) fn start(place: &Place, at: SocketAddr) -> Outcome<Server> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(place.folder.join("log"))
            .step("log")?;
        let mut command = program(place);
        let child = command.arg("serve").stderr(log).spawn();
        let server = Server {
            child: child.step("email2d (scripts/test builds it)")?,
        };
        until(STARTING, || TcpStream::connect(at).is_ok());
        Ok(server)
    }

    /// SIGKILL: nothing is tidied up.
    pub(crate) fn kill(mut self) -> Outcome<()> {
        self.child.kill().step("kill")?;
        self.child.wait().step("wait")?;
        Ok(())
    }

    /// SIGTERM; it must drain and end well.
    pub(crate) fn stop(mut self) -> Outcome<()> {
        let pid = self.child.id().to_string();
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .step("kill")?;
        granted("SIGTERM", self.child.wait().step("wait")?.success())
    }

    fn handles(&self) -> usize {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        open.map_or(0, Iterator::count)
    }

    fn most_handles(&self) -> usize {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.child.id()));
        let limits = limits.unwrap_or_default();
        let mut lines = limits.lines();
        let line = lines.find(|line| line.starts_with("Max open files"));
        let soft = line.and_then(|line| line.split_whitespace().nth(3));
        soft.and_then(|soft| soft.parse().ok()).unwrap_or(0)
    }

    /// Lets it open so many files more, and none after that (RLIMIT_NOFILE).
    pub(crate) fn leave_handles(&self, free: usize) -> Outcome<()> {
        let limit = self.handles() + free;
        let pid = self.child.id().to_string();
        let limit = format!("--nofile={limit}:{limit}");
        let status = Command::new("prlimit")
            .args(["--pid", &pid, &limit])
            .status();
        granted("prlimit", status.step("prlimit")?.success())
    }

    /// Whether it can open a connection and two files again.
    pub(crate) fn has_free_handles(&self) -> bool {
        self.handles() + 2 <= self.most_handles()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing is left to be done where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A small file system that can be filled.
pub(crate) struct Full {
    folder: PathBuf,
}

impl Full {
    /// Mounts one of so many octets; `None`: it is not permitted here.
    pub(crate) fn mount(folder: &Path, size: usize) -> Option<Full> {
        let size = format!("size={size},mode=0700");
        let mut command = Command::new("mount");
        command
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder);
        let mounted = command.stderr(Stdio::null()).status();
        mounted.is_ok_and(|status| status.success()).then(|| Full {
            folder: folder.to_owned(),
        })
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    /// Leaves no room.
    pub(crate) fn fill(&self) -> Outcome<()> {
        let mut file = std::fs::File::create(self.ballast()).step("ballast")?;
        while file.write_all(&[0; 4096]).is_ok() {}
        Ok(())
    }

    /// There is room again.
    pub(crate) fn free(&self) -> Outcome<()> {
        std::fs::remove_file(self.ballast()).step("ballast")
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open there keeps it until then.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}
