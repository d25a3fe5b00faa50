//! Programs under measurement, as the kernel accounts for them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::failure::{Failure, Outcome, Step};

/// The kernel's unit of CPU time in /proc: 100 to the second wherever Linux runs.
const TICKS: f64 = 100.0;

/// How often the end of a program is looked for.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a program may take to end by itself.
const ENDING: Duration = Duration::from_secs(20);

/// A program that runs; killed when dropped.
pub struct Process {
    child: Child,
}

impl Process {
    /// Runs `program`; what it says on stderr goes to `log`.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn start<A: AsRef<OsStr>>(program: &Path, arguments: &[A], log: &Path) -> Outcome<Process> {
        let none: [(&OsStr, &OsStr); 0] = [];
        Process::start_with(program, arguments, none, log)
    }

    /// The same with these variables in its environment.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn start_with<'a, A: AsRef<OsStr>>(
        program: &Path,
        arguments: &[A],
        variables: impl IntoIterator<Item = (&'a OsStr, &'a OsStr)>,
        log: &Path,
    ) -> Outcome<Process> {
        let file = std::fs::File::create(log).step(format!("log {}", log.display()))?;
        let child = Command::new(program)
            .args(arguments)
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .step(program.display().to_string())?;
        Ok(Process { child })
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Seconds of CPU that it used so far, to a hundredth.
    ///
    /// # Errors
    /// It ended.
    pub fn cpu(&self) -> Outcome<f64> {
        cpu_of(&self.id().to_string())
    }

    /// The most memory that it ever had, octets.
    ///
    /// # Errors
    /// It ended.
    pub fn highest_memory(&self) -> Outcome<u64> {
        memory_of(self.id(), "VmHWM")
    }

    /// The memory that it has, octets.
    ///
    /// # Errors
    /// It ended.
    pub fn memory(&self) -> Outcome<u64> {
        memory_of(self.id(), "VmRSS")
    }

    /// Has it ended?
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGTERM, and its end; killed if it does not end in time.
    ///
    /// # Errors
    /// There is no `kill`.
    pub fn stop(&mut self) -> Outcome<()> {
        signal(self.id(), "-TERM")?;
        for _ in 0..ENDING.as_millis() / PAUSE.as_millis() {
            if self.has_ended() {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        self.child.kill().step("kill")
    }

    /// SIGKILL: nothing is tidied up.
    ///
    /// # Errors
    /// There is no such process.
    pub fn kill(&mut self) -> Outcome<()> {
        self.child.kill().step("kill")?;
        self.child.wait().step("wait").map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Where it has ended, nothing is left to be done.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(process: u32, signal: &str) -> Outcome<()> {
    let process = process.to_string();
    let asked = Command::new("kill").args([signal, &process]).status();
    asked.step("kill").map(|_| ())
}

/// Seconds of CPU that this process used so far.
///
/// # Errors
/// There is no /proc.
pub fn own_cpu() -> Outcome<f64> {
    cpu_of("self")
}

/// `utime` and `stime` (proc(5)).
fn cpu_of(process: &str) -> Outcome<f64> {
    let path = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&path).step(path)?;
    // The name in parentheses may hold anything.
    let (_, fields) = stat.rsplit_once(')').step("stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u32 = ticks.filter_map(|field| field.parse::<u32>().ok()).sum();
    Ok(f64::from(ticks) / TICKS)
}

fn memory_of(process: u32, what: &str) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).step("status")?;
    let line = status.lines().find(|line| line.starts_with(what));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kilobytes.step(what)?.parse::<u64>().step(what)? * 1024)
}

/// Counts the calls of fsync and fdatasync of a process, by the kernel's tracepoints.
pub struct SyncCounter {
    perf: Child,
    output: PathBuf,
}

/// The tracepoints.
const SYNCS: &str = "syscalls:sys_enter_fsync,syscalls:sys_enter_fdatasync";

impl SyncCounter {
    /// Begins to count; `None` where `perf` cannot (Debian's package is linux-perf).
    #[must_use]
    pub fn start(process: u32, folder: &Path) -> Option<SyncCounter> {
        let output = folder.join("syncs");
        let perf = Command::new("perf")
            .args(["stat", "-x", ",", "-e", SYNCS, "-p", &process.to_string()])
            .arg("-o")
            .arg(&output)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        // It attaches to every thread before it counts.
        std::thread::sleep(Duration::from_millis(300));
        Some(SyncCounter { perf, output })
    }

    /// Ends counting; the calls.
    #[must_use]
    pub fn stop(mut self) -> Option<u64> {
        signal(self.perf.id(), "-INT").ok()?;
        self.perf.wait().ok()?;
        let counted = std::fs::read_to_string(&self.output).ok()?;
        let numbers = counted.lines().filter_map(|line| line.split(',').next());
        let numbers: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
        (numbers.len() == 2).then(|| numbers.iter().sum())
    }
}

/// A control group of the kernel's CPU accounting: counts a program with all its children,
/// those that ended as well.
pub struct CpuGroup {
    folder: PathBuf,
}

impl CpuGroup {
    /// Makes one.
    ///
    /// # Errors
    /// There is no `cpuacct` that may be written (one needs root).
    pub fn make(name: &str) -> Outcome<CpuGroup> {
        let name = format!("email2-bench-{}-{name}", std::process::id());
        let folder = Path::new("/sys/fs/cgroup/cpuacct").join(name);
        std::fs::create_dir(&folder).step(format!("control group {}", folder.display()))?;
        Ok(CpuGroup { folder })
    }

    /// The file that takes the number of a process that belongs to it.
    #[must_use]
    pub fn members(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// Seconds of CPU that its members used so far.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn cpu(&self) -> Outcome<f64> {
        let path = self.folder.join("cpuacct.usage");
        let used = std::fs::read_to_string(path).step("cpuacct.usage")?;
        let nanoseconds: f64 = used.trim().parse().step("cpuacct.usage")?;
        Ok(nanoseconds / 1e9)
    }

    /// Ends every member.
    pub fn end(&self) {
        let members = std::fs::read_to_string(self.members()).unwrap_or_default();
        for member in members.lines().filter_map(|line| line.parse().ok()) {
            // It may have ended by itself.
            let _ = signal(member, "-KILL");
        }
    }
}

impl Drop for CpuGroup {
    fn drop(&mut self) {
        self.end();
        std::thread::sleep(PAUSE);
        // A group whose members still end stays behind, empty.
        let _ = std::fs::remove_dir(&self.folder);
    }
}

/// A program that was built beside this one; a test lies one folder deeper.
///
/// # Errors
/// This program's own path is not known.
pub fn beside(name: &str) -> Outcome<PathBuf> {
    let own = std::env::current_exe().step("own path")?;
    let folder = own.parent().step("own folder")?;
    let program = match folder.ends_with("deps") {
        true => folder.with_file_name(name),
        false => folder.join(name),
    };
    match program.is_file() {
        true => Ok(program),
        false => Err(Failure {
            step: program.display().to_string(),
            why: "it is not there; build it with the same profile".to_owned(),
        }),
    }
}
