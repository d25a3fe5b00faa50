//! A person with a home: everything that `email2` does for them, done by its library.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use email2::address::Address;
use email2::secret::SecretKey;
use email2_client::Client;
use email2_client::config::Config;
use email2_client::enrol::{self, Enrolled};
use email2_client::inbox;
use email2_client::place::Place;
use email2_client::read::{self, Shown};
use email2_client::send::compose::{Letter, Source};
use email2_client::send::{self, Author, Encryption, Options, Report, Way, report::Unwatched};
use email2_io::World;
use email2_io::clock::ShiftedClock;

use crate::failure::{Outcome, Step};
use crate::loopback::MX_PORT;
use crate::testbed::Testbed;

/// The passphrase of every person of the world.
pub const PASSPHRASE: &str = "correct horse battery staple";

/// How long `send` tries again.
const WAIT: Duration = Duration::from_secs(5);

/// Somebody who was set up.
pub struct Person {
    /// Their address.
    pub address: Address,
    /// Their `EMAIL2_HOME`.
    pub home: PathBuf,
    /// Their program.
    pub client: Client,
    /// What setting up told.
    pub enrolled: Enrolled,
}

impl Person {
    /// Makes an account, and sets a home up with its one-time code.
    ///
    /// # Errors
    /// The server or the home refuses.
    pub async fn set_up(testbed: &Testbed, address: &Address) -> Outcome<Person> {
        let code = testbed.add_account(address).await?;
        Person::enrol(testbed, address, &code).await
    }

    /// Sets a home up with a one-time code for an account that there is.
    ///
    /// # Errors
    /// The server or the home refuses.
    pub async fn enrol(testbed: &Testbed, address: &Address, code: &str) -> Outcome<Person> {
        let home = testbed.folder.join("homes").join(address.to_string());
        std::fs::create_dir_all(&home).step("home")?;
        let place = Place::at(&home);
        std::fs::write(place.config_file(), testbed.network_section()).step("configuration")?;
        std::fs::write(home.join("passphrase"), PASSPHRASE).step("passphrase")?;
        let client = open(&place)?;
        let enrolled = enrol::enrol(&client, address, code, PASSPHRASE, None).await;
        let enrolled = enrolled.step(format!("setting up {address}"))?;
        Ok(Person {
            address: address.clone(),
            client: open(&place)?,
            home,
            enrolled,
        })
    }

    /// From now on their network lets nobody out to port 25: no exchanger can be reached.
    ///
    /// # Errors
    /// The home cannot be written.
    pub fn wall_off(&mut self, testbed: &Testbed) -> Outcome<()> {
        let place = Place::at(&self.home);
        let (open_port, closed) = (format!("mx_port = {MX_PORT}"), "mx_port = 12026");
        let section = testbed.network_section().replace(&open_port, closed);
        std::fs::write(place.config_file(), section).step("configuration")?;
        self.client = open(&place)?;
        Ok(())
    }

    /// From now on the time of their program can be moved.
    ///
    /// # Errors
    /// The home cannot be read.
    pub fn take_clock(&mut self) -> Outcome<Arc<ShiftedClock>> {
        let place = Place::at(&self.home);
        let config = Config::read(&place.config_file(), true).step("configuration")?;
        let world = World::real(&config.network).step("world")?;
        let clock = Arc::new(ShiftedClock::new(Arc::clone(&world.clock)));
        let world = World {
            clock: Arc::<ShiftedClock>::clone(&clock),
            ..world
        };
        let account = place.account().step("account")?;
        let client = Client::in_world(place, account, world, &config.network, None);
        self.client = client.step("client")?;
        Ok(clock)
    }

    /// Their key, open.
    #[must_use]
    pub fn key(&self) -> &SecretKey {
        &self.enrolled.key
    }

    /// Their device's password.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn token(&self) -> Outcome<String> {
        let token = email2_client::keyring::token(self.client.place()).step("token")?;
        Ok(token.to_string())
    }

    /// Sends a letter, encrypted when it can be.
    ///
    /// # Errors
    /// Nothing was sent to anybody.
    pub async fn send(&self, to: &Address, subject: &str, body: &str) -> Outcome<Vec<Report>> {
        let letter = Letter {
            to: vec![to.to_string()],
            subject: subject.to_owned(),
            body: body.to_owned(),
            ..Letter::default()
        };
        self.give(Source::Letter(letter), Encryption::Default).await
    }

    /// The newest message of the inbox, as the server gives it.
    ///
    /// # Errors
    /// There is none.
    pub async fn newest(&self) -> Outcome<Vec<u8>> {
        let newest = inbox::list(&self.client, "INBOX", 1).await.step("inbox")?;
        let newest = newest.first().step("newest message")?;
        let whole = inbox::fetch(&self.client, "INBOX", &newest.id).await;
        Ok(whole.step("fetch")?.octets)
    }

    /// Opens the newest message of the inbox.
    ///
    /// # Errors
    /// There is none, or it cannot be opened.
    pub async fn read_newest(&self) -> Outcome<Shown> {
        let raw = self.newest().await?;
        let shown = read::open(&self.client, &raw, Some(self.key())).await;
        shown.step("reading")
    }

    /// Sends whatever there is.
    ///
    /// # Errors
    /// Nothing was sent to anybody.
    pub async fn give(&self, source: Source, encryption: Encryption) -> Outcome<Vec<Report>> {
        self.give_by(Way::Direct, source, encryption).await
    }

    /// Sends a letter one way, encrypted when it can be.
    ///
    /// # Errors
    /// Nothing was sent to anybody.
    pub async fn give_by(
        &self,
        way: Way,
        source: Source,
        encryption: Encryption,
    ) -> Outcome<Vec<Report>> {
        let author = Author {
            key: self.key(),
            address: &self.address,
        };
        let options = Options {
            encryption,
            wait: WAIT,
            way,
            ..Options::default()
        };
        let sent = send::send(&self.client, &author, source, &options, &Unwatched).await;
        sent.step(format!("{} sends", self.address))
    }
}

fn open(place: &Place) -> Outcome<Client> {
    let config = Config::read(&place.config_file(), true).step("configuration")?;
    Client::open(place.clone(), &config).step("client")
}
