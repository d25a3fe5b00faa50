//! Who lives in the simulations: two domains with their servers, people with their homes, a list
//! and somebody whose mail is passed on; and a domain of ordinary mail. They are set up once, in
//! calm weather; every simulation begins with a copy.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use email2::address::Address;
use email2::secret::SecretKey;
use email2_client::Client;
use email2_client::enrol;
use email2_client::place::Place;
use email2_io::{NetworkConfig, World};
use email2_store::{
    Account, List, Member, NewAccount, Opening, Purpose, Scope, Secret, Standing, Store, Threads,
};
use email2d::config::Config;
use email2d::{Running, Server};
use tempfile::TempDir;

use super::dns::Records;
use super::stage::{Stage, ip};
use super::time::EPOCH;
use super::weather::Weather;
use crate::certification::{Certification, HostFiles};
use crate::failure::{Outcome, Step};
use crate::person::PASSPHRASE;

/// The town was set up so many seconds before the simulations begin.
const BEFORE: i64 = 30 * 86_400;
/// How long setting up may take.
const LIMIT: Duration = Duration::from_secs(600);
/// The services that a domain publishes, with their ports.
const SERVICES: [(&str, u16); 2] = [("_submissions._tcp", 465), ("_imaps._tcp", 993)];
/// The domains: name, machine, whether its zone is signed.
const DOMAINS: [(&str, u8, bool); 2] = [("example.com", 1, true), ("example.org", 2, false)];
/// The people: address and machine.
const PEOPLE: [(&str, u8); 3] = [
    ("alice@example.com", 11),
    ("bob@example.org", 12),
    ("carol@example.org", 13),
];
/// A list with all people on it.
pub const LIST: &str = "club@example.com";
/// Whose mail is passed on.
const PASSED_ON: &str = "erin@example.com";
/// To whom.
const PASSED_TO: &str = "carol@example.org";
/// The machine of the ordinary domain's host.
pub const ORDINARY: u8 = 3;
/// The ordinary domain.
pub const ORDINARY_DOMAIN: &str = "example.net";

/// Whom people write to besides each other: a list, somebody whose mail is passed on, and
/// somebody whose server knows ordinary mail alone.
pub const OTHERS: [&str; 3] = [LIST, PASSED_ON, "dave@example.net"];

/// Whose inboxes a letter to `to` comes into.
#[must_use]
pub fn readers(to: &Address, people: &[Citizen]) -> Vec<Address> {
    let everybody = people.iter().map(|citizen| &citizen.address);
    let reads = |who: &&Address| match to.to_string().as_str() {
        LIST => true,
        PASSED_ON => who.to_string() == PASSED_TO,
        _ => *who == to,
    };
    everybody.filter(reads).cloned().collect()
}

/// The town.
#[derive(Debug)]
pub struct Town {
    /// What is published about it.
    pub records: Arc<Records>,
    /// Its servers.
    pub servers: Vec<Seat>,
    /// Its people.
    pub people: Vec<Citizen>,
    /// How its people's programs find and trust each other.
    pub network: NetworkConfig,
    folder: TempDir,
}

/// A domain's server.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The domain.
    pub domain: &'static str,
    /// Its machine.
    pub ip: IpAddr,
    /// What its administrator wrote.
    pub config: Config,
}

/// Somebody with a home.
#[derive(Clone, Debug)]
pub struct Citizen {
    /// The address.
    pub address: Address,
    /// Their machine.
    pub ip: IpAddr,
    /// Their home.
    pub home: PathBuf,
    /// Their key, open.
    pub key: Arc<SecretKey>,
}

/// A folder for simulations: in memory where the system has such a place, because what is
/// simulated here is not the disk.
///
/// # Errors
/// It cannot be made.
pub fn folder() -> Outcome<TempDir> {
    let memory = Path::new("/dev/shm");
    let made = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir());
    made.step("folder of the simulation")
}

impl Town {
    /// Sets the town up, with the real programs.
    ///
    /// # Errors
    /// A step of it fails.
    pub fn build() -> Outcome<Town> {
        let folder = folder()?;
        let certification = Certification::of_one_size(&folder.path().join("certificates"))?;
        let network = NetworkConfig {
            ca_file: Some(certification.file()),
            allow_addresses: vec!["10.0.0.0/8".parse().step("network")?],
            ..NetworkConfig::default()
        };
        let mut records = Records::default();
        records.publish_liar();
        records.publish_ordinary(ORDINARY_DOMAIN, ip(ORDINARY));
        let mut servers = Vec::new();
        for (domain, number, signed) in DOMAINS {
            records.publish(domain, ip(number), &SERVICES);
            if signed {
                records.sign(domain);
            }
            let config = configuration(domain, ip(number), folder.path(), &certification)?;
            servers.push(Seat {
                domain,
                ip: ip(number),
                config,
            });
        }
        let mut town = Town {
            records: Arc::new(records),
            servers,
            people: Vec::new(),
            network,
            folder,
        };
        town.settle_people()?;
        Ok(town)
    }

    /// A copy of this town for one simulation, in `folder`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn copy(&self, folder: &Path) -> Outcome<(Vec<Seat>, Vec<Citizen>)> {
        copy_folder(self.folder.path(), folder)?;
        let moved = |path: &Path| match path.strip_prefix(self.folder.path()) {
            Ok(below) => folder.join(below),
            Err(_) => path.to_owned(),
        };
        let mut servers = self.servers.clone();
        for server in &mut servers {
            server.config.data_directory = moved(&server.config.data_directory);
        }
        let mut people = self.people.clone();
        for person in &mut people {
            person.home = moved(&person.home);
        }
        Ok((servers, people))
    }

    fn settle_people(&mut self) -> Outcome<()> {
        let records = Arc::clone(&self.records);
        let mut stage = Stage::new(0, records, Weather::default(), false);
        let mut running = Vec::new();
        for server in &self.servers {
            let (host, world) = stage.put_up(server.ip, -BEFORE)?;
            let task = host.spawn(serve(server.config.clone(), world));
            running.push(stage.wait_for(task, LIMIT)??);
        }
        for (address, number) in PEOPLE {
            let address = Address::parse(address).step("address")?;
            let home = self.folder.path().join(address.to_string());
            std::fs::create_dir_all(&home).step("home")?;
            let server = self
                .servers
                .iter()
                .find(|server| server.domain == address.domain().as_str());
            let data = server.step("server")?.config.data_directory.clone();
            let (host, world) = stage.put_up(ip(number), -BEFORE)?;
            let network = self.network.clone();
            let task = host.spawn(move_in(address.clone(), home.clone(), data, world, network));
            let key = stage.wait_for(task, LIMIT)??;
            stage.take_down(ip(number));
            self.people.push(Citizen {
                address,
                ip: ip(number),
                home,
                key: Arc::new(key),
            });
        }
        for (server, running) in self.servers.iter().zip(running) {
            let host = stage.host(server.ip).step("machine")?;
            let data = server.config.data_directory.clone();
            let people = self.people.iter().map(|citizen| citizen.address.clone());
            let mediation = mediation(server.domain, data, people.collect());
            stage.wait_for(host.spawn(mediation), LIMIT)??;
            stage.wait_for(host.spawn(running.drain()), LIMIT)?;
        }
        for server in &self.servers {
            stage.take_down(server.ip);
        }
        Ok(())
    }
}

/// Starts a server that does its store's work itself.
///
/// # Errors
/// It does not start.
pub async fn serve(config: Config, world: World) -> Outcome<Running> {
    let opening = Opening::Serve;
    let store = Store::open_with(&config.data_directory, opening, Threads::None, world.now());
    let store = store.step("store of a server")?;
    Server::start_with(config, world, store)
        .await
        .step("server")
}

/// Opens somebody's program.
///
/// # Errors
/// Its store cannot be opened.
pub fn open(home: &Path, world: World, network: &NetworkConfig) -> Outcome<Client> {
    let place = Place::at(home);
    let account = place.account().step("account")?;
    let directory = place.store_directory().step("store of a client")?;
    let store = Store::open_with(&directory, Opening::Visit, Threads::None, world.now());
    let store = store.step("store of a client")?;
    Client::with_store(place, account, world, network, store, None).step("client")
}

async fn move_in(
    address: Address,
    home: PathBuf,
    data: PathBuf,
    world: World,
    network: NetworkConfig,
) -> Outcome<SecretKey> {
    let code = account(&address, &data, &world).await?;
    let client = open(&home, world, &network)?;
    let enrolled = enrol::enrol(&client, &address, &code, PASSPHRASE, None).await;
    Ok(enrolled.step(format!("setting up {address}"))?.key)
}

/// What a domain's administrator and its people say about mail that is passed on.
async fn mediation(domain: &'static str, data: PathBuf, people: Vec<Address>) -> Outcome<()> {
    let store = visit(&data, EPOCH)?;
    let list = List {
        address: Address::parse(LIST).step("list")?,
        announcement: false,
        moderated: false,
        open: false,
        hidden: false,
        one_click: false,
        owner: people.first().step("owner")?.clone(),
        created: EPOCH,
    };
    if domain == list.address.domain().as_str() {
        store.add_list(&list).await.step("list")?;
        for address in &people {
            let member = Member {
                address: address.clone(),
                standing: Standing::Member,
                since: EPOCH,
            };
            let set = store.set_member(&list.address, &member).await;
            set.step("member")?;
        }
        let erin = Address::parse(PASSED_ON).step("address")?;
        let erin = add_account(&store, &erin, EPOCH).await?;
        let rule = |name: &str| (name.to_owned(), Some(PASSED_TO.as_bytes().to_vec()));
        let rules = vec![rule("forward"), rule("forward-confirmed")];
        let set = store.set(Scope::Account(erin.id), rules).await;
        set.step("forwarding")?;
    }
    let known = format!("{LIST}\n{PASSED_ON}\n").into_bytes();
    for address in people.iter().filter(|who| who.domain().as_str() == domain) {
        let account = store.account(address).await.step("account")?;
        let scope = Scope::Account(account.step("account")?.id);
        let setting = vec![("forwarders".to_owned(), Some(known.clone()))];
        store.set(scope, setting).await.step("forwarders")?;
    }
    Ok(())
}

fn visit(data: &Path, now: u64) -> Outcome<Store> {
    Store::open_with(data, Opening::Visit, Threads::None, now).step("store")
}

async fn add_account(store: &Store, address: &Address, now: u64) -> Outcome<Account> {
    let account = NewAccount {
        address: address.clone(),
        quota: None,
        strict: false,
        unlisted: false,
    };
    store.add_account(&account, now).await.step("account")
}

/// As `email2d user add` does it.
async fn account(address: &Address, data: &Path, world: &World) -> Outcome<String> {
    let now = world.now();
    let store = visit(data, now)?;
    let account = add_account(&store, address, now).await?;
    let code = Secret::code(&mut world.rng());
    let issued = store.issue_code(account.id, Purpose::Add, &code, now).await;
    issued.step("one-time code")?;
    Ok(code.reveal().to_owned())
}

fn configuration(
    domain: &str,
    ip: IpAddr,
    folder: &Path,
    certification: &Certification,
) -> Outcome<Config> {
    let host = format!("mx.{domain}");
    let email2 = format!("email2.{domain}");
    let HostFiles { certificate, key } = certification.issue(&host, &[&host, &email2])?;
    let text = format!(
        "hostname = \"{host}\"\ndata_directory = \"{data}\"\n\n\
         [[domain]]\nname = \"{domain}\"\nlocal = true\npolicy = \"strict\"\n\n\
         [listen]\nmx = [\"{ip}:25\"]\nsubmissions = [\"{ip}:465\"]\nimaps = [\"{ip}:993\"]\n\n\
         [[tls]]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n\n\
         [network]\nca_file = \"{ca}\"\nallow_addresses = [\"10.0.0.0/8\"]\n",
        data = folder.join(domain).display(),
        certificate = certificate.display(),
        key = key.display(),
        ca = certification.file().display(),
    );
    Config::parse(&text, Path::new("simulation")).step("configuration")
}

/// Copies a folder with everything in it, as it is now.
///
/// # Errors
/// Something cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path) -> Outcome<()> {
    let mut waiting = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = waiting.pop() {
        std::fs::create_dir_all(&to).step("copy")?;
        for entry in std::fs::read_dir(&from).step("copy")? {
            let entry = entry.step("copy")?;
            let (source, target) = (entry.path(), to.join(entry.file_name()));
            if entry.file_type().step("copy")?.is_dir() {
                waiting.push((source, target));
            } else {
                std::fs::copy(&source, &target).step(format!("copy of {}", source.display()))?;
            }
        }
    }
    Ok(())
}
