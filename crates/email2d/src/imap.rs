//! IMAP: a person's mailboxes. The session machine of `email2-imap` speaks;
//! its requests are answered from the store.

mod answer;
mod words;

use std::net::SocketAddr;
use std::sync::Arc;

use email2_imap::{Event, Session, SessionConfig};
use email2_io::drive::Driver;
use email2_io::net::Stream;
use tokio_util::sync::CancellationToken;

use crate::site::Site;
use answer::Answerer;

/// Speaks IMAP on `stream`, which is under TLS, until the client goes or `stop`.
pub(crate) async fn serve(
    site: Arc<Site>,
    stream: Stream,
    peer: SocketAddr,
    stop: CancellationToken,
) {
    let clock = Arc::clone(&site.world.clock);
    let config = SessionConfig {
        hostname: site.config.hostname.to_string(),
        append_limit: site.config.limits.message_size,
    };
    let machine = Session::new(config, clock.monotonic());
    let mut connection = Connection {
        driver: Driver::new(machine, stream, Arc::clone(&clock)),
        answerer: Answerer::new(site, peer.ip()),
        stop: Some(stop),
    };
    while let Some(Event::Request(request)) = connection.next().await {
        let answer = connection.answerer.answer(request).await;
        let now = clock.monotonic();
        connection.driver.machine().answer(answer, now);
    }
    connection.driver.close().await;
}

/// One connection: the machine that speaks, and who answers it.
struct Connection {
    driver: Driver<Session>,
    answerer: Answerer,
    /// Until the machine was told.
    stop: Option<CancellationToken>,
}

impl Connection {
    /// The next event; meanwhile the machine hears of changes to the account,
    /// while its client idles, and of the server going down.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let idle = self.driver.machine().is_idle();
            tokio::select! {
                biased;
                () = cancelled(self.stop.as_ref()) => {
                    self.stop = None;
                    self.driver.machine().close("this server goes down; come back later");
                }
                () = self.answerer.changed(), if idle => self.driver.machine().notify(),
                event = self.driver.next() => return event.unwrap_or_else(|error| {
                    tracing::debug!(%error, "connection broke");
                    None
                }),
            }
        }
    }
}

async fn cancelled(stop: Option<&CancellationToken>) {
    match stop {
        Some(stop) => stop.cancelled().await,
        None => std::future::pending().await,
    }
}
