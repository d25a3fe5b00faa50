//! `email2d serve`: runs until it is told to stop, then drains.

use std::io::IsTerminal;
use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::Failure;
use super::config::{check_certificates, world};
use crate::Server;
use crate::config::Config;

/// What is logged when nobody says.
const LOGGED: &str = "info";

/// The environment variable that says what is logged.
const FILTER: &str = "EMAIL2D_LOG";

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(path: &Path) -> Result<(), Failure> {
    let config = Config::read(path)?;
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new(LOGGED));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    say_of_certificates(&config, path);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::input_output(format!("the runtime cannot start: {error}")))?;
    runtime.block_on(serve(config))
}

/// An expired certificate keeps nobody from starting: with a renewed file all is well again.
fn say_of_certificates(config: &Config, path: &Path) {
    match check_certificates(config, path) {
        Ok(warnings) => warnings
            .iter()
            .for_each(|warning| tracing::warn!("{warning}")),
        Err(failure) => tracing::error!("{failure}"),
    }
}

async fn serve(config: Config) -> Result<(), Failure> {
    let world = world(&config)?;
    // Taken before anything listens, so that no signal is lost.
    let wrong = |error| Failure::input_output(format!("signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(wrong)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(wrong)?;
    let running = Server::start(config, world).await?;
    tell(&[sd_notify::NotifyState::Ready]);
    tracing::info!(listening = ?running.listening(), "ready");
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
        _ = interrupt.recv() => tracing::info!("SIGINT: draining"),
    }
    tell(&[sd_notify::NotifyState::Stopping]);
    running.drain().await;
    Ok(())
}

/// Tells systemd, where it listens; elsewhere nothing happens.
fn tell(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
