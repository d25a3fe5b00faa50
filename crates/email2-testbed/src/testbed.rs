//! The whole world: DNS, certification, domains.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use email2::address::Address;
use email2_io::tls::ClientTls;
use email2_io::world::{NetworkConfig, World};
use email2_store::{NewAccount, Opening, Purpose, Scope, Secret, Store};

use crate::authority::Authority;
use crate::certification::Certification;
use crate::device::Device;
use crate::domain::{Domain, Place, Plan};
use crate::failure::{Outcome, Step};
use crate::forger::session::Exchanger;
use crate::knot::{Denial, Knot};
use crate::loopback::{HTTPS_PORT, Loopback, MX_PORT, SUBMISSIONS_PORT};
use crate::zone::Zone;

/// The host number of the DNS server.
const DNS_HOST: u8 = 53;
/// The host number of Knot, where it is the DNS of the world.
const KNOT_HOST: u8 = 54;
/// Host numbers of one domain.
const HOSTS_OF_A_DOMAIN: u8 = 4;

/// A world in a folder.
pub struct Testbed {
    /// Everything that the world keeps.
    pub folder: PathBuf,
    /// Its network on loopback.
    pub network: Loopback,
    /// Its DNS.
    pub authority: Authority,
    /// The DNS that everybody asks in its place.
    pub knot: Option<Knot>,
    /// Its certification authority.
    pub certification: Certification,
    /// The domains whose servers run in this process.
    pub domains: BTreeMap<&'static str, Domain>,
    /// The outside as a program in this world sees it.
    pub world: World,
    next_host: u8,
}

impl Testbed {
    /// Starts DNS and certification in `folder`; there are no domains yet.
    ///
    /// # Errors
    /// The folder cannot be written, or no network is free.
    pub fn start(folder: &Path) -> Outcome<Testbed> {
        Testbed::make(folder, None)
    }

    /// The same with Debian's Knot as DNS.
    ///
    /// # Errors
    /// The same, or Knot does not start.
    pub fn by_knot(folder: &Path, denial: Denial) -> Outcome<Testbed> {
        Testbed::make(folder, Some(denial))
    }

    fn make(folder: &Path, by_knot: Option<Denial>) -> Outcome<Testbed> {
        let network = Loopback::take()?;
        let authority = Authority::start(network.host(DNS_HOST))?;
        let knot = by_knot.map(|denial| {
            let host = network.host(KNOT_HOST);
            Knot::start(host, &folder.join("knot"), denial)
        });
        let knot = knot.transpose()?;
        let anchor = match &knot {
            Some(knot) => knot.anchor()?,
            None => authority.anchor().to_owned(),
        };
        let certification = Certification::start(&folder.join("certificates"))?;
        std::fs::write(folder.join("dnssec-anchor"), anchor).step("anchor")?;
        let config = NetworkConfig {
            dns: vec![name_server(&authority, knot.as_ref())],
            dnssec_anchor: Some(folder.join("dnssec-anchor")),
            ca_file: Some(certification.file()),
            allow_addresses: vec!["127.0.0.0/8".parse().step("network")?],
            mx_port: MX_PORT,
            https_port: HTTPS_PORT,
        };
        Ok(Testbed {
            folder: folder.to_owned(),
            network,
            authority,
            knot,
            certification,
            domains: BTreeMap::new(),
            world: World::real(&config).step("world")?,
            next_host: 10,
        })
    }

    /// Serves a zone, new or in place of the one of that name.
    ///
    /// # Errors
    /// A record is not usable.
    pub fn publish(&mut self, zone: Zone) -> Outcome<()> {
        match &mut self.knot {
            Some(knot) => knot.publish(vec![zone]),
            None => self.authority.publish(zone),
        }
    }

    /// A zone as it was last published.
    #[must_use]
    pub fn zone(&self, origin: &str) -> Option<&Zone> {
        match &self.knot {
            Some(knot) => knot.zone(origin),
            None => self.authority.zone(origin),
        }
    }

    /// `[network]` as every program of this world has it in its configuration.
    #[must_use]
    pub fn network_section(&self) -> String {
        format!(
            "[network]\ndns = [\"{dns}\"]\ndnssec_anchor = \"{anchor}\"\nca_file = \"{ca}\"\n\
             allow_addresses = [\"127.0.0.0/8\"]\nmx_port = {MX_PORT}\n\
             https_port = {HTTPS_PORT}\n",
            dns = name_server(&self.authority, self.knot.as_ref()),
            anchor = self.folder.join("dnssec-anchor").display(),
            ca = self.certification.file().display(),
        )
    }

    /// Publishes a domain and writes its server's configuration, without starting it.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn prepare(&mut self, plan: &Plan) -> Outcome<Place> {
        let place = self.place(plan)?;
        self.publish(place.zone(&self.network)?)?;
        Ok(place)
    }

    /// The number of a host that nobody has yet.
    pub fn take_host(&mut self) -> u8 {
        let number = self.next_host;
        self.next_host += HOSTS_OF_A_DOMAIN;
        number
    }

    fn place(&mut self, plan: &Plan) -> Outcome<Place> {
        let number = self.take_host();
        let place = Place::make(plan, number, &self.folder, &self.certification)?;
        place.configure(&self.network, &self.network_section())?;
        Ok(place)
    }

    /// Starts a server that says it serves the domain of `plan`, at a host elsewhere, with a
    /// certificate of that host's own; DNS knows nothing of it but the host's address.
    ///
    /// # Errors
    /// The server does not start.
    pub async fn impostor(&mut self, plan: &Plan) -> Outcome<Domain> {
        let place = self.place(plan)?;
        let (_, parent) = plan.host.split_once('.').step("host's zone")?;
        let address = self.network.host(place.number);
        let zone = Zone::new(parent).address(&plan.host, address);
        self.publish(zone)?;
        Domain::start(place, &self.network, &self.world).await
    }

    /// Publishes a domain and starts its server.
    ///
    /// # Errors
    /// The server does not start.
    pub async fn add_domain(&mut self, plan: &Plan) -> Outcome<&Domain> {
        let place = self.prepare(plan)?;
        let domain = Domain::start(place, &self.network, &self.world).await?;
        self.domains.insert(plan.name, domain);
        self.domain(plan.name)
    }

    /// A running domain.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn domain(&self, name: &str) -> Outcome<&Domain> {
        self.domains.get(name).step(format!("domain {name}"))
    }

    /// The mail exchanger of a running domain, as a forger meets it.
    ///
    /// # Errors
    /// There is no such domain.
    pub fn exchanger(&self, domain: &str) -> Outcome<Exchanger> {
        self.door(domain, MX_PORT)
    }

    /// A port of a running domain's host.
    ///
    /// # Errors
    /// There is no such domain.
    pub fn door(&self, domain: &str, port: u16) -> Outcome<Exchanger> {
        self.door_of(self.domain(domain)?, port)
    }

    /// A port of this domain's host.
    ///
    /// # Errors
    /// The certification authority's file cannot be read.
    pub fn door_of(&self, domain: &Domain, port: u16) -> Outcome<Exchanger> {
        self.door_at(&domain.place, port)
    }

    /// A port of the host at this place, whoever serves there.
    ///
    /// # Errors
    /// The certification authority's file cannot be read.
    pub fn door_at(&self, place: &Place, port: u16) -> Outcome<Exchanger> {
        let ca = self.certification.file();
        Ok(Exchanger {
            address: self.network.port(place.number, port),
            host: place.plan.host.clone(),
            tls: ClientTls::new(Some(&ca), self.world.clock.clone()).step("TLS")?,
        })
    }

    /// Makes an account and gives its one-time code, as `email2d user add` does.
    ///
    /// # Errors
    /// The account exists, or its domain does not.
    pub async fn add_account(&self, address: &Address) -> Outcome<String> {
        let domain = self.domain(address.domain().as_str())?;
        self.add_account_at(domain, address).await
    }

    async fn add_account_at(&self, domain: &Domain, address: &Address) -> Outcome<String> {
        let now = self.world.now();
        let store = self.store(domain)?;
        let account = NewAccount {
            address: address.clone(),
            quota: None,
            strict: false,
            unlisted: false,
        };
        let account = store.add_account(&account, now).await.step("account")?;
        let code = Secret::code(&mut self.world.rng());
        let issued = store.issue_code(account.id, Purpose::Add, &code, now).await;
        issued.step("one-time code")?;
        Ok(code.reveal().to_owned())
    }

    /// Sets a setting of an account, as METADATA does.
    ///
    /// # Errors
    /// There is no such account.
    pub async fn set(&self, who: &Address, name: &str, value: &str) -> Outcome<()> {
        let store = self.store(self.domain(who.domain().as_str())?)?;
        let account = store.account(who).await.step("account")?;
        let scope = Scope::Account(account.step("account")?.id);
        let values = vec![(name.to_owned(), Some(value.as_bytes().to_vec()))];
        store.set(scope, values).await.step("setting")
    }

    /// Makes an account and enrols a device with a new key, by hand.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn add_device(&self, address: &Address) -> Outcome<Device> {
        let domain = self.domain(address.domain().as_str())?;
        self.add_device_at(domain, address).await
    }

    /// The same at a domain that this world's DNS does not lead to.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn add_device_at(&self, domain: &Domain, address: &Address) -> Outcome<Device> {
        let code = self.add_account_at(domain, address).await?;
        let at = self.door_of(domain, SUBMISSIONS_PORT)?;
        Device::enrol(&self.world, &at, address, &code).await
    }

    /// The store of a domain's server, visited beside it.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn store(&self, domain: &Domain) -> Outcome<Store> {
        let data = domain.place.folder.join("data");
        let step = format!("store of {}", domain.place.plan.host);
        Store::open(&data, Opening::Visit, self.world.now()).step(step)
    }

    /// Stops every server.
    pub async fn stop(self) {
        for domain in self.domains.into_values() {
            domain.stop().await;
        }
        self.authority.stop().await;
    }
}

/// Which of them is asked.
fn name_server(authority: &Authority, knot: Option<&Knot>) -> SocketAddr {
    knot.map_or_else(|| authority.address(), Knot::address)
}
