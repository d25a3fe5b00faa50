//! Debian's Knot as the DNS of a world: the zones of a test served and signed, from the root down,
//! by a server that proves what is absent with code of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use hickory_proto::rr::RData;

use crate::authority::parent_of;
use crate::failure::{Failure, Outcome, Step};
use crate::zone::{self, Zone};

/// Where it answers: a port that needs no root.
const PORT: u16 = 10_053;
/// How long it may take to load and sign its zones.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often that is looked for.
const PAUSE: Duration = Duration::from_millis(50);
/// What it writes before it is asked anything.
const STARTED: &str = "server started";

/// How a signed zone proves that a name is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// By its neighbours (RFC 4034 §4).
    Nsec,
    /// By the neighbours of its hash (RFC 5155).
    Nsec3,
}

/// A Knot that runs; stopped when dropped.
pub struct Knot {
    address: SocketAddr,
    folder: PathBuf,
    denial: Denial,
    zones: BTreeMap<String, Zone>,
    keyed: BTreeSet<String>,
    spoiled: BTreeSet<String>,
    process: Option<Child>,
}

/// Can it be run here? It needs Debian's packages `knot` and `knot-dnsutils`.
#[must_use]
pub fn is_available() -> bool {
    let programs = ["knotd", "knotc", "keymgr"];
    let there = |program: &&str| Path::new("/usr/sbin").join(program).exists();
    programs.iter().all(there)
}

impl Knot {
    /// Takes `folder` for itself, and serves a signed root at `ip` that has nothing in it.
    ///
    /// # Errors
    /// It is not installed, or refuses its configuration.
    pub fn start(ip: IpAddr, folder: &Path, denial: Denial) -> Outcome<Knot> {
        std::fs::create_dir_all(folder).step("Knot's folder")?;
        let mut knot = Knot {
            address: SocketAddr::new(ip, PORT),
            folder: folder.to_owned(),
            denial,
            zones: BTreeMap::new(),
            keyed: BTreeSet::new(),
            spoiled: BTreeSet::new(),
            process: None,
        };
        knot.publish(vec![Zone::new("").signed()])?;
        Ok(knot)
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The root's DNSKEY as a line of a zone file.
    ///
    /// # Errors
    /// `keymgr` fails.
    pub fn anchor(&self) -> Outcome<String> {
        let key = self.keys("", &["dnskey"])?;
        Ok(key.replacen(". DNSKEY", ". 86400 IN DNSKEY", 1))
    }

    /// The zone as it was last published.
    #[must_use]
    pub fn zone(&self, origin: &str) -> Option<&Zone> {
        self.zones.get(origin)
    }

    /// Serves the zones, new or in place of those of the same names; parents are made signed where
    /// they are missing, and delegate to them. Nothing that was spoiled stays so.
    ///
    /// # Errors
    /// A record is not usable, or Knot refuses it.
    pub fn publish(&mut self, zones: Vec<Zone>) -> Outcome<()> {
        for zone in zones {
            let mut parent = parent_of(zone.origin());
            while let Some(origin) = parent {
                let missing = || Zone::new(origin).signed();
                self.zones.entry(origin.to_owned()).or_insert_with(missing);
                parent = parent_of(origin);
            }
            self.zones.insert(zone.origin().to_owned(), zone);
        }
        self.spoiled.clear();
        self.run()
    }

    /// Changes what a signed zone says, and leaves the signatures as they were: `is` becomes
    /// `says`, wherever it stands among the records.
    ///
    /// # Errors
    /// There is no such zone, or `is` does not stand in it.
    pub fn spoil(&mut self, origin: &str, is: &str, says: &str) -> Outcome<()> {
        let outdir = self.folder.display().to_string();
        let zone = dotted(origin);
        let flush = ["-b", "-f", "zone-flush", "+outdir", &outdir, &zone];
        self.call("knotc", &flush)?;
        let file = self.folder.join(format!("{origin}.zone"));
        let signed = std::fs::read_to_string(&file).step("signed zone")?;
        let (records, signatures) = signed.split_once(";; DNSSEC").step("signed zone")?;
        if !records.contains(is) {
            return Err(Failure {
                step: format!("spoiling {origin}"),
                why: format!("{is:?} does not stand in it"),
            });
        }
        let records = records.replace(is, says);
        std::fs::write(&file, records + ";; DNSSEC" + signatures).step("spoiled zone")?;
        self.spoiled.insert(origin.to_owned());
        self.run()
    }

    /// Writes configuration and zones, and starts in place of what ran.
    fn run(&mut self) -> Outcome<()> {
        self.stop();
        std::fs::write(self.configuration(), self.configured()).step("knot.conf")?;
        let signed: Vec<String> = self
            .zones
            .values()
            .filter(|zone| zone.is_signed())
            .map(|zone| zone.origin().to_owned())
            .collect();
        for origin in signed {
            if self.keyed.insert(origin.clone()) {
                let generate = [
                    "generate",
                    "algorithm=ECDSAP256SHA256",
                    "ksk=yes",
                    "zsk=yes",
                ];
                self.keys(&origin, &generate)?;
            }
        }
        for (origin, zone) in &self.zones {
            if !self.spoiled.contains(origin) {
                let file = self.folder.join(file_name(origin));
                std::fs::write(file, self.text(zone)?).step(format!("zone {origin:?}"))?;
            }
        }
        self.spawn()
    }

    fn spawn(&mut self) -> Outcome<()> {
        let log = self.folder.join("log");
        let output = std::fs::File::create(&log).step("Knot's log")?;
        let process = Command::new("/usr/sbin/knotd")
            .arg("--config")
            .arg(self.configuration())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(Stdio::null())
            .spawn()
            .step("knotd")?;
        let process = self.process.insert(process);
        for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
            let said = std::fs::read_to_string(&log).step("Knot's log")?;
            if said.contains(STARTED) {
                return Ok(());
            }
            if process.try_wait().step("knotd")?.is_some() {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        Err(Failure {
            step: "knotd starts".to_owned(),
            why: std::fs::read_to_string(&log).step("Knot's log")?,
        })
    }

    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    fn configuration(&self) -> PathBuf {
        self.folder.join("knot.conf")
    }

    /// One key signs a zone; it is made here, so that parents can vouch for it.
    fn configured(&self) -> String {
        let folder = self.folder.display();
        let (ip, port) = (self.address.ip(), self.address.port());
        let nsec3 = match self.denial {
            Denial::Nsec => "off",
            Denial::Nsec3 => "on",
        };
        let mut text = format!(
            "server:\n    listen: {ip}@{port}\n    rundir: \"{folder}\"\n\
             database:\n    storage: \"{folder}\"\n\
             policy:\n  - id: keys\n    manual: on\n    single-type-signing: on\n    \
             nsec3: {nsec3}\n\
             template:\n  - id: default\n    storage: \"{folder}\"\n    dnssec-policy: keys\n    \
             zonefile-sync: -1\n    zonefile-load: whole\n    journal-content: none\n\
             log:\n  - target: stdout\n    any: info\n\
             zone:\n"
        );
        for (origin, zone) in &self.zones {
            let signs = zone.is_signed() && !self.spoiled.contains(origin);
            let signing = if signs { "on" } else { "off" };
            let _ = write!(
                text,
                "  - domain: \"{}\"\n    file: \"{}\"\n    dnssec-signing: {signing}\n",
                dotted(origin),
                file_name(origin)
            );
        }
        text
    }

    /// The file of a zone, with its delegations.
    fn text(&self, zone: &Zone) -> Outcome<String> {
        let mut text = format!("$TTL {}\n", zone.ttl());
        let mut line = |owner: &str, data: &RData| {
            let (ttl, kind, data) = (zone.ttl(), data.record_type(), written(data));
            let _ = writeln!(text, "{} {ttl} IN {kind} {data}", dotted(owner));
        };
        for (owner, data) in zone::apex(zone, self.address.ip())? {
            line(&owner, &data);
        }
        for (owner, data) in zone.records() {
            line(owner, data);
        }
        let mut vouched = String::new();
        for (child, of) in &self.zones {
            if parent_of(child) != Some(zone.origin()) {
                continue;
            }
            for (owner, data) in zone::delegation(child, None)? {
                line(&owner, &data);
            }
            if of.is_signed() {
                vouched.push_str(&self.keys(child, &["ds"])?);
            }
        }
        Ok(text + &vouched)
    }

    /// `keymgr`; what it prints.
    fn keys(&self, origin: &str, arguments: &[&str]) -> Outcome<String> {
        let zone = dotted(origin);
        let arguments: Vec<&str> = [zone.as_str()].iter().chain(arguments).copied().collect();
        let output = self.call("keymgr", &arguments)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn call(&self, program: &str, arguments: &[&str]) -> Outcome<Output> {
        let output = Command::new(Path::new("/usr/sbin").join(program))
            .arg("-c")
            .arg(self.configuration())
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .step(program)?;
        match output.status.success() {
            true => Ok(output),
            false => Err(Failure {
                step: format!("{program} {}", arguments.join(" ")),
                why: String::from_utf8_lossy(&output.stderr).into_owned(),
            }),
        }
    }
}

impl Drop for Knot {
    fn drop(&mut self) {
        self.stop();
    }
}

fn dotted(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

fn file_name(origin: &str) -> String {
    match origin {
        "" => "root.zone".to_owned(),
        origin => format!("{origin}.zone"),
    }
}

/// The data of a record as a zone file has it (RFC 1035 §5.1).
fn written(data: &RData) -> String {
    match data {
        RData::TXT(text) => {
            let strings = text.txt_data.iter().map(|string| {
                let string = String::from_utf8_lossy(string);
                format!("\"{}\"", string.replace('\\', "\\\\").replace('"', "\\\""))
            });
            strings.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}
