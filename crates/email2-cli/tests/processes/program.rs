//! The real programs, run as a person and an administrator run them.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use email2_testbed::domain::{Place, Plan};
use email2_testbed::failure::{Failure, Outcome, Step};
use email2_testbed::loopback::IMAPS_PORT;
use email2_testbed::testbed::Testbed;
use serde_json::Value;

/// How long a server may take to listen.
const STARTING: Duration = Duration::from_secs(30);

/// `email2d`, which lies beside `email2`; `scripts/test` builds both.
fn server_program() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_email2")).with_file_name("email2d")
}

/// A domain whose server is a process of its own.
pub(crate) struct ServerProcess {
    pub(crate) place: Place,
    child: Child,
}

impl ServerProcess {
    /// Publishes the domain and runs `email2d serve`.
    pub(crate) fn start(testbed: &mut Testbed, plan: &Plan) -> Outcome<ServerProcess> {
        let place = testbed.prepare(plan)?;
        ServerProcess::run(testbed, place)
    }

    /// The same, with a line changed in its configuration.
    pub(crate) fn start_changed(
        testbed: &mut Testbed,
        plan: &Plan,
        (from, to): (&str, &str),
    ) -> Outcome<ServerProcess> {
        let place = testbed.prepare(plan)?;
        let file = place.configuration();
        let text = std::fs::read_to_string(&file).step("configuration")?;
        std::fs::write(&file, text.replace(from, to)).step("configuration")?;
        ServerProcess::run(testbed, place)
    }

    fn run(testbed: &Testbed, place: Place) -> Outcome<ServerProcess> {
        let log = std::fs::File::create(place.folder.join("log")).step("log")?;
        let child = Command::new(server_program())
            .arg("--config")
            .arg(place.configuration())
            .arg("serve")
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .step("email2d (scripts/test builds it)")?;
        let mut server = ServerProcess { place, child };
        server.wait_until_it_listens(testbed)?;
        Ok(server)
    }

    fn wait_until_it_listens(&mut self, testbed: &Testbed) -> Outcome<()> {
        let address = testbed.network.port(self.place.number, IMAPS_PORT);
        let pause = Duration::from_millis(50);
        for _ in 0..STARTING.as_millis() / pause.as_millis() {
            if std::net::TcpStream::connect(address).is_ok() {
                return Ok(());
            }
            if self.child.try_wait().step("email2d")?.is_some() {
                break;
            }
            std::thread::sleep(pause);
        }
        let log = std::fs::read_to_string(self.place.folder.join("log")).unwrap_or_default();
        Err(Failure {
            step: format!("email2d of {}", self.place.plan.name),
            why: log,
        })
    }

    /// Runs an administrator's command; its JSON.
    pub(crate) fn administer(&self, arguments: &[&str]) -> Outcome<Value> {
        let output = Command::new(server_program())
            .arg("--config")
            .arg(self.place.configuration())
            .arg("--json")
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .step("email2d")?;
        json(&output, arguments)
    }

    /// Runs an administrator's command; what it prints for people.
    pub(crate) fn page(&self, arguments: &[&str]) -> Outcome<String> {
        let output = Command::new(server_program())
            .arg("--config")
            .arg(self.place.configuration())
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .step("email2d")?;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.success() {
            true => String::from_utf8(output.stdout).step(arguments.join(" ")),
            false => Err(Failure {
                step: arguments.join(" "),
                why: words,
            }),
        }
    }

    /// The most memory it ever had, in octets.
    pub(crate) fn highest_memory(&self) -> Outcome<u64> {
        highest_memory(self.child.id())
    }

    /// SIGTERM; it must drain and end well.
    pub(crate) fn stop(mut self) -> Outcome<()> {
        let pid = self.child.id().to_string();
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .step("kill")?;
        let status = self.child.wait().step("email2d")?;
        match status.success() {
            true => Ok(()),
            false => Err(Failure {
                step: "SIGTERM".to_owned(),
                why: status.to_string(),
            }),
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Nothing is left to be done where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A person's home, and `email2` run in it.
pub(crate) struct Home {
    folder: PathBuf,
    /// The system's authorities, where they are not this machine's.
    authorities: Option<PathBuf>,
}

impl Home {
    /// A home with nothing but the world's `[network]` and a passphrase in a file.
    pub(crate) fn make(testbed: &Testbed, address: &str) -> Outcome<Home> {
        let folder = testbed.folder.join("homes").join(address);
        std::fs::create_dir_all(&folder).step("home")?;
        let network = testbed.network_section();
        std::fs::write(folder.join("config.toml"), network).step("configuration")?;
        std::fs::write(folder.join("passphrase"), "a passphrase\n").step("passphrase")?;
        Ok(Home {
            folder,
            authorities: None,
        })
    }

    /// The same where the world's authority is one of the system's: it is not given for a domain.
    pub(crate) fn with_system_authority(testbed: &Testbed, address: &str) -> Outcome<Home> {
        let home = Home::make(testbed, address)?;
        let network = testbed.network_section();
        let lines = network.lines().filter(|line| !line.starts_with("ca_file"));
        let network: String = lines.map(|line| format!("{line}\n")).collect();
        home.file("config.toml", network.as_bytes())?;
        Ok(Home {
            authorities: Some(testbed.certification.file()),
            ..home
        })
    }

    /// Where it is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file of this home.
    pub(crate) fn file(&self, name: &str, octets: &[u8]) -> Outcome<String> {
        let path = self.folder.join(name);
        std::fs::write(&path, octets).step(name)?;
        Ok(path.to_string_lossy().into_owned())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_email2"));
        command
            .env("EMAIL2_HOME", &self.folder)
            .envs(self.authorities.iter().map(|file| ("SSL_CERT_FILE", file)))
            .arg("--json")
            .arg("--passphrase-file")
            .arg(self.folder.join("passphrase"))
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Runs `email2 --json …`; the data that it prints.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome<Value> {
        let output = self.command(arguments).output().step("email2")?;
        data(&json(&output, arguments)?)
    }

    /// Runs `email2` where it must fail: its exit code and what it said.
    pub(crate) fn refused(&self, arguments: &[&str]) -> Outcome<(Option<i32>, String)> {
        let output = self.command(arguments).output().step("email2")?;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((output.status.code(), words))
    }

    /// What it says on standard error, beside its data.
    pub(crate) fn said(&self, arguments: &[&str]) -> Outcome<String> {
        Ok(self.refused(arguments)?.1)
    }

    /// The octets that it prints.
    pub(crate) fn raw(&self, arguments: &[&str]) -> Outcome<Vec<u8>> {
        let output = self.command(arguments).output().step("email2")?;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(Failure {
                step: arguments.join(" "),
                why: words,
            }),
        }
    }

    /// Runs `email2 --json …` with this editor; the data that it prints.
    pub(crate) fn run_with_editor(&self, editor: &str, arguments: &[&str]) -> Outcome<Value> {
        let mut command = self.command(arguments);
        let output = command.env("VISUAL", editor).output().step("email2")?;
        data(&json(&output, arguments)?)
    }

    /// Runs `email2 …` without `--json`; what it prints for people.
    pub(crate) fn page(&self, arguments: &[&str]) -> Outcome<String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_email2"));
        command
            .env("EMAIL2_HOME", &self.folder)
            .env("EMAIL2_PASSPHRASE_FILE", self.folder.join("passphrase"))
            .args(arguments)
            .stdin(Stdio::null());
        let output = command.output().step("email2")?;
        let (out, told) = (output.stdout, output.stderr);
        String::from_utf8([out, told].concat()).step(arguments.join(" "))
    }

    /// The same, and the most memory that it had, in octets, as far as it was seen.
    pub(crate) fn run_measured(&self, arguments: &[&str]) -> Outcome<(Value, u64)> {
        let mut command = self.command(arguments);
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().step("email2")?;
        let mut highest = 0;
        while child.try_wait().step("email2")?.is_none() {
            highest = highest.max(highest_memory(child.id()).unwrap_or(0));
            std::thread::sleep(Duration::from_millis(20));
        }
        let output = child.wait_with_output().step("email2")?;
        Ok((data(&json(&output, arguments)?)?, highest))
    }
}

/// What `email2 --json` wraps.
fn data(printed: &Value) -> Outcome<Value> {
    printed.get("data").cloned().step("data")
}

/// The JSON of a command that went well.
fn json(output: &Output, arguments: &[&str]) -> Outcome<Value> {
    let command = arguments.join(" ");
    if !output.status.success() {
        return Err(Failure {
            step: command,
            why: format!(
                "{}: {}{}",
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ),
        });
    }
    serde_json::from_slice(&output.stdout).step(command)
}

fn highest_memory(process: u32) -> Outcome<u64> {
    let mut status = String::new();
    let file = std::fs::File::open(format!("/proc/{process}/status"));
    file.step("status")?
        .read_to_string(&mut status)
        .step("status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kilobytes.step("VmHWM")?.parse::<u64>().step("VmHWM")? * 1024)
}
