//! What every command shares: where things are, how secrets come, how data leaves.

use std::path::PathBuf;
use std::time::Duration;

use email2::secret::SecretKey;
use email2_client::Client;
use email2_client::config::Config;
use email2_client::display::shown;
use email2_client::keyring;
use email2_client::place::Place;
use email2_client::send::{State, queue, report::Unwatched};
use email2_client::watch_own;
use zeroize::Zeroizing;

use crate::args::PassphraseArgs;
use crate::exit::{Code, Failure};
use crate::output::Output;
use crate::passphrase;
use crate::progress::Progress;

/// The options that stand before or behind every command.
pub(crate) struct Context {
    pub(crate) config: Option<PathBuf>,
    pub(crate) passphrase: PassphraseArgs,
    pub(crate) output: Output,
}

impl Context {
    /// The place and the configuration of this user.
    ///
    /// # Errors
    /// No home, or a configuration that cannot be used.
    pub(crate) fn configured(&self) -> Result<(Place, Config), Failure> {
        let place = Place::from_environment()?;
        let (path, demanded) = match &self.config {
            Some(path) => (path.clone(), true),
            None => (place.config_file(), false),
        };
        let config = Config::read(&path, demanded)?;
        Ok((place, config))
    }

    /// The client of this user.
    ///
    /// # Errors
    /// As [`Context::configured`], and what the client says.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let (place, config) = self.configured()?;
        Ok(Client::open(place, &config)?)
    }

    /// Tries once what is due in the outbox; what needs the key waits for a command that has it.
    /// Nothing of it is the business of the command that runs, so it is only noted.
    ///
    /// # Errors
    /// The outbox cannot be read.
    pub(crate) async fn run_due(&self, client: &Client) -> Result<(), Failure> {
        let reports = queue::run(client, None, Duration::ZERO, &Unwatched).await?;
        self.tell_of_own_key(client).await;
        for report in reports
            .iter()
            .filter(|report| report.state != State::Waiting)
        {
            let words = shown(&report.words);
            self.output.note(&format!(
                "outbox: {}: {:?}: {words}",
                report.recipient, report.state
            ));
        }
        Ok(())
    }

    /// Says what a person must know of their own key: its end, or that their server gives others
    /// another one.
    async fn tell_of_own_key(&self, client: &Client) {
        if client.address().is_err() {
            return;
        }
        match watch_own::due(client).await {
            Ok(notes) => notes.iter().for_each(|note| self.output.note(&shown(note))),
            Err(error) => self
                .output
                .note(&format!("your key is not watched: {error}")),
        }
    }

    /// One's own key and the passphrase that opened it.
    ///
    /// # Errors
    /// As [`Context::key`].
    pub(crate) fn key_and_passphrase(
        &self,
        client: &Client,
    ) -> Result<(SecretKey, Zeroizing<String>), Failure> {
        client.address()?;
        let passphrase = passphrase::existing(&self.passphrase)?;
        Ok((keyring::unlock(client.place(), &passphrase)?, passphrase))
    }

    /// The world as configured, without an account.
    ///
    /// # Errors
    /// As [`Context::configured`]; the network configuration cannot be used.
    pub(crate) fn world(&self) -> Result<email2_client::World, Failure> {
        let (_, config) = self.configured()?;
        email2_client::World::real(&config.network)
            .map_err(|error| Failure::new(Code::Config, error))
    }

    /// The time, Unix seconds.
    ///
    /// # Errors
    /// As [`Context::world`].
    pub(crate) fn now(&self) -> Result<u64, Failure> {
        Ok(self.world()?.now())
    }

    /// One's own key, opened by the passphrase.
    ///
    /// # Errors
    /// No key, no passphrase, or the wrong one.
    pub(crate) fn key(&self, client: &Client) -> Result<SecretKey, Failure> {
        Ok(self.key_and_passphrase(client)?.0)
    }

    /// A progress line.
    pub(crate) fn progress(&self) -> Progress {
        Progress::new(self.output.is_json())
    }
}
