//! A person's side of Email 2.0: setting up, sending, reading. It prints
//! nothing and asks nothing; a program around it does.
//!
//! The modules stand in the order in which a person meets them: a place on
//! the device, the server found and enrolled at, keys and what is known of
//! others, sending, receiving.

pub mod config;
pub mod place;

pub mod enrol;
pub mod home;

pub mod autocrypt;
pub mod backup;
pub mod keyring;
pub mod learnt;
pub mod memory;
pub mod own_key;
pub mod pin;
pub mod verified;
pub mod watch_own;

mod limits;

pub mod send;

pub mod draft;

pub mod display;
pub mod imap;
pub mod inbox;
pub mod settings;
pub mod sync;
pub mod vacation;
pub mod way;

pub mod contact;

pub mod attachment;
pub mod forward;
pub mod read;
pub mod reply;

pub mod search;
pub mod thread;

pub mod question;

pub mod sysexit;

use std::sync::Arc;

use email2::Address;
pub use email2_io::World;
use email2_io::world::WorldError;
use email2_remote::{Connector, Remote};
pub use email2_remote::{HomeTrust, KeyError};
use email2_store::{Opening, Store, StoreError};

use config::Config;
use place::{Account, Place, PlaceError};

/// What a client calls itself in EHLO: nothing that tells its device apart (spec §5.2.1).
const OWN_NAME: &str = "email2.invalid";

/// One person's program on one device.
#[derive(Debug)]
pub struct Client {
    world: World,
    place: Place,
    store: Store,
    remote: Remote,
    home: Connector,
    account: Option<Account>,
}

/// Why a client cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A file of its place cannot be used.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The network configuration cannot be used.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is trusted cannot be read.
    #[error(transparent)]
    Tls(#[from] email2_io::tls::TlsError),
    /// Nothing was set up here yet.
    #[error("no account is set up here; run: email2 setup ADDRESS")]
    NotSetUp,
}

impl Client {
    /// Opens the client that lives in `place`, in the real world as `config` says.
    ///
    /// # Errors
    /// See [`ClientError`]; an account that is not set up yet is none.
    pub fn open(place: Place, config: &Config) -> Result<Client, ClientError> {
        Client::open_trusting(place, config, None)
    }

    /// The same for setting up: `home` is the authority that the person names, for their own
    /// domain alone (spec §2.6.1). Once set up, the account's own authority counts.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn open_trusting(
        place: Place,
        config: &Config,
        home: Option<HomeTrust>,
    ) -> Result<Client, ClientError> {
        let account = place.account()?;
        let known = account.as_ref().and_then(Account::trust);
        let world = World::real(&config.network)?;
        Client::in_world(place, account, world, &config.network, home.or(known))
    }

    /// The same in a given world: for tests.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn in_world(
        place: Place,
        account: Option<Account>,
        world: World,
        network: &email2_io::NetworkConfig,
        trust: Option<HomeTrust>,
    ) -> Result<Client, ClientError> {
        let store = Store::open(&place.store_directory()?, Opening::Visit, world.now())?;
        Client::with_store(place, account, world, network, store, trust)
    }

    /// The same with a store that is open already.
    ///
    /// # Errors
    /// What is trusted cannot be read.
    pub fn with_store(
        place: Place,
        account: Option<Account>,
        world: World,
        network: &email2_io::NetworkConfig,
        store: Store,
        trust: Option<HomeTrust>,
    ) -> Result<Client, ClientError> {
        let memory = Arc::new(memory::StoreMemory::new(store.clone()));
        let remote = Remote::trusting(world.clone(), memory, network, OWN_NAME, trust.as_ref())?;
        // A person's own server may stand in the same network: there is no fence around it.
        let home = remote.connector();
        Ok(Client {
            world,
            place,
            store,
            remote,
            home,
            account,
        })
    }

    /// Time, randomness, names and connections.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Where this client keeps its files.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What is kept: outbox, pins, what is known of others.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// How one's own server is talked to.
    pub(crate) fn home(&self) -> &Connector {
        &self.home
    }

    /// Other domains' servers.
    #[must_use]
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// The account's address.
    ///
    /// # Errors
    /// [`ClientError::NotSetUp`].
    pub fn address(&self) -> Result<&Address, ClientError> {
        let account = self.account.as_ref().ok_or(ClientError::NotSetUp)?;
        Ok(&account.address)
    }
}
