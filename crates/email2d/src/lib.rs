//! The Email 2.0 mail server.
//!
//! [`Server::start`] runs a server in a [`World`]; a test starts it as the
//! program does. The modules stand in the order of the paths (ARCHITECTURE.md):
//! connections come in by `listen`, SMTP is spoken by `session`, mail from
//! elsewhere takes the path of `mx`, mail from one's own users that of
//! `submission`.

mod listen;
mod session;

mod content;
mod inbound;
mod mx;

mod authentication;
mod sender_policy;

mod enrolment;
mod handover;
mod harvest;
mod inner;
mod key_service;
mod sign_in;
mod strangers;
mod submission;

mod mediator;
mod outbound;

mod https;
mod imap;
mod settings;

mod housekeeping;
mod memory;
mod ownership;
mod site;
mod tls_book;
mod trace;

pub mod command;
pub mod config;
pub mod dkim_key;
pub mod held_key;
pub mod service_key;
pub mod smarthost;

use std::sync::Arc;
use std::time::Duration;

use email2_io::tls::TlsError;
use email2_io::world::World;
use email2_store::{Opening, Store, StoreError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use config::Config;
pub use listen::Listening;
use site::Site;

/// The server.
#[derive(Debug)]
pub struct Server;

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    site: Arc<Site>,
    listening: Listening,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A domain's service key cannot be used.
    #[error(transparent)]
    ServiceKey(#[from] service_key::ServiceKeyError),
    /// An address cannot be listened at.
    #[error(
        "cannot listen at {0}: is another server running, or is the port below 1024 and the user not root?"
    )]
    Listen(std::io::Error),
}

impl Server {
    /// Opens the store and the listeners, and serves until [`Running::drain`].
    ///
    /// # Errors
    /// The store, a certificate or a listening address cannot be used; nothing runs then.
    pub async fn start(config: Config, world: World) -> Result<Running, StartError> {
        let store = Store::open(&config.data_directory, Opening::Serve, world.now())?;
        Server::start_with(config, world, store).await
    }

    /// The same with a store that is open already: as the one who serves from it
    /// ([`Opening::Serve`]), or beside that one ([`Opening::Visit`]), where it works on the same
    /// queue and touches nothing that the other has begun.
    ///
    /// # Errors
    /// A certificate or a listening address cannot be used; nothing runs then.
    pub async fn start_with(
        config: Config,
        world: World,
        store: Store,
    ) -> Result<Running, StartError> {
        let site = Arc::new(Site::open(config, world, store)?);
        housekeeping::serve_domains(&site).await?;
        site.ownership.recall(&site.store).await?;
        outbound::take_over(&site).await?;
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let listening = listen::open(&site, &stop, &tasks)
            .await
            .map_err(StartError::Listen)?;
        site.remote.keep_away_from(listening.all());
        tasks.spawn(housekeeping::run(Arc::clone(&site), stop.clone()));
        tasks.spawn(ownership::watch(Arc::clone(&site), stop.clone()));
        tasks.spawn(outbound::run(
            Arc::clone(&site),
            stop.clone(),
            tasks.clone(),
        ));
        Ok(Running {
            site,
            listening,
            stop,
            tasks,
        })
    }
}

impl Running {
    /// Where this server listens, with the ports really taken.
    #[must_use]
    pub fn listening(&self) -> &Listening {
        &self.listening
    }

    /// Takes no more connections, lets those that stand end what they are doing, and gives the
    /// rest up after the configured time.
    pub async fn drain(self) {
        self.stop.cancel();
        self.tasks.close();
        let patience = Duration::from_secs(self.site.config.limits.drain_seconds);
        let waiting = self.tasks.wait();
        if email2_io::clock::within(&*self.site.world.clock, patience, waiting)
            .await
            .is_err()
        {
            tracing::warn!(
                connections = self.tasks.len(),
                "connections given up at shutdown"
            );
        }
        self.site.tls_book.write_down(&self.site.store).await;
    }
}
