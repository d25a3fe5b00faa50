//! One mail domain of the world: its zone, its certificate, its configuration file and
//! the server that runs by it.

use std::path::{Path, PathBuf};

use email2d::config::Config;
use email2d::{Running, Server};

use email2_io::tls::{CertificateFiles, ServerTls};
use email2_io::world::World;

use crate::certification::{Certification, HostFiles};
use crate::failure::{Outcome, Step};
use crate::loopback::{
    DIRECT_PORT, IMAPS_PORT, Loopback, MX_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT,
};
use crate::wire::{Tap, TapPlace};
use crate::zone::Zone;

/// How a domain is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its name.
    pub name: &'static str,
    /// The name of its host.
    pub host: String,
    /// Whether its zone is signed: then the MX answer is DNSSEC-secure.
    pub signed: bool,
    /// Whether its host has a certificate for `email2.D`.
    pub certified: bool,
    /// Whether `_email2._tcp.D` leads to TLS from the first octet.
    pub direct: bool,
    /// Whether a tap stands in front of its mail exchanger.
    pub tapped: bool,
    /// The `p` of its record, and what its server says.
    pub policy: &'static str,
}

impl Plan {
    /// A domain with a certificate for `email2.D`, reached by MX, open.
    #[must_use]
    pub fn new(name: &'static str) -> Plan {
        Plan {
            name,
            host: format!("mx.{name}"),
            signed: false,
            certified: true,
            direct: false,
            tapped: false,
            policy: "open",
        }
    }
}

/// Where a domain's hosts are, and its files.
#[derive(Clone, Debug)]
pub struct Place {
    /// The plan it was made from.
    pub plan: Plan,
    /// The number of its host in the world's network; the server behind a tap has the next.
    pub number: u8,
    /// Its folder.
    pub folder: PathBuf,
    /// Its certificate and key.
    pub files: HostFiles,
}

impl Place {
    /// Takes a folder and a certificate for a domain of this plan.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn make(plan: &Plan, number: u8, folder: &Path, ca: &Certification) -> Outcome<Place> {
        let folder = folder.join(&plan.host);
        std::fs::create_dir_all(folder.join("data")).step(format!("folder of {}", plan.name))?;
        let email2 = format!("email2.{}", plan.name);
        let names = match plan.certified {
            true => vec![plan.host.as_str(), email2.as_str()],
            false => vec![plan.host.as_str()],
        };
        Ok(Place {
            plan: plan.clone(),
            number,
            files: ca.issue(&plan.host, &names)?,
            folder,
        })
    }

    /// Its configuration file.
    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.folder.join("email2d.toml")
    }

    /// Its zone, as an administrator would publish it.
    ///
    /// # Errors
    /// The name is none.
    pub fn zone(&self, network: &Loopback) -> Outcome<Zone> {
        let (name, host) = (self.plan.name, &self.plan.host);
        let record = format!("v=EMAIL2; p={}; id=1", self.plan.policy);
        let mut zone = Zone::new(name)
            .mx(name, 10, host)?
            .address(host, network.host(self.number))
            .text(&format!("_email2.{name}"), &record);
        let services = [("_submissions", SUBMISSIONS_PORT), ("_imaps", IMAPS_PORT)];
        for (service, port) in services {
            zone = zone.service(&format!("{service}._tcp.{name}"), port, host)?;
        }
        if self.plan.direct {
            zone = zone.service(&format!("_email2._tcp.{name}"), DIRECT_PORT, host)?;
        }
        Ok(match self.plan.signed {
            true => zone.signed(),
            false => zone,
        })
    }

    /// Behind a tap, only the mail exchanger is at another address.
    fn server_number(&self) -> u8 {
        self.number + u8::from(self.plan.tapped)
    }

    /// Writes the configuration file of its server.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn configure(&self, network: &Loopback, network_section: &str) -> Outcome<()> {
        let at = |port| network.port(self.number, port);
        let text = format!(
            "hostname = \"{host}\"\ndata_directory = \"{data}\"\n\n\
             [[domain]]\nname = \"{name}\"\nlocal = true\npolicy = \"{policy}\"\n\n\
             [listen]\nmx = [\"{mx}\"]\ndirect = [\"{direct}\"]\nsubmissions = [\"{submissions}\"]\n\
             submission = [\"{submission}\"]\nimaps = [\"{imaps}\"]\n\n\
             [[tls]]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n\n{network_section}",
            host = self.plan.host,
            name = self.plan.name,
            policy = self.plan.policy,
            data = self.folder.join("data").display(),
            mx = network.port(self.server_number(), MX_PORT),
            direct = at(DIRECT_PORT),
            submissions = at(SUBMISSIONS_PORT),
            submission = at(SUBMISSION_PORT),
            imaps = at(IMAPS_PORT),
            certificate = self.files.certificate.display(),
            key = self.files.key.display(),
        );
        std::fs::write(self.configuration(), text).step("server configuration")
    }
}

/// A domain whose server runs in this process.
pub struct Domain {
    /// Where it is.
    pub place: Place,
    /// The tap in front of its mail exchanger.
    pub tap: Option<Tap>,
    running: Running,
}

impl Domain {
    /// Starts the server of `place` by its configuration file, and the tap before it.
    ///
    /// # Errors
    /// The configuration is refused, or a port is taken.
    pub async fn start(place: Place, network: &Loopback, world: &World) -> Outcome<Domain> {
        let step = format!("server of {}", place.plan.name);
        let config = Config::read(&place.configuration()).step(step.clone())?;
        let running = Server::start(config, world.clone()).await.step(step)?;
        let tap = match place.plan.tapped {
            true => Some(Tap::start(world, tap_place(&place, network, world)?).await?),
            false => None,
        };
        Ok(Domain {
            place,
            tap,
            running,
        })
    }

    /// Lets connections end and stops.
    pub async fn stop(self) {
        self.running.drain().await;
    }
}

fn tap_place(place: &Place, network: &Loopback, world: &World) -> Outcome<TapPlace> {
    let files = CertificateFiles {
        certificate: place.files.certificate.clone(),
        key: place.files.key.clone(),
    };
    let ca = place.files.certificate.with_file_name("ca.pem");
    Ok(TapPlace {
        listen: network.port(place.number, MX_PORT),
        exchanger: network.port(place.server_number(), MX_PORT),
        host: place.plan.host.clone(),
        server_tls: ServerTls::new(&[files], world.clock.clone()).step("tap")?,
        client_tls: email2_io::tls::ClientTls::new(Some(&ca), world.clock.clone()).step("tap")?,
    })
}
