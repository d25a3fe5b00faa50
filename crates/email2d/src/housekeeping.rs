//! What is done now and then: the service keys of new domains, new keys of DKIM, and forgetting.

use std::sync::Arc;
use std::time::Duration;

use email2::limits;
use email2_store::StoreError;
use tokio_util::sync::CancellationToken;

use crate::outbound::dkim;
use crate::service_key::{self, ServiceKeyError};
use crate::site::Site;

/// How often what has served its time is forgotten.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// How long answers of other servers are kept, seconds: 30 days, so that a correspondent's key
/// is still known when their server is down for the seven days of spec §3.8.
const ANSWERS: u64 = 30 * DAY;

/// How long a domain is known by its ordinary mail after the last of it, seconds.
const DOMAINS: u64 = 90 * DAY;

/// How many days it is kept how TLS went.
const TLS_DAYS: u64 = 30;

const DAY: u64 = 24 * 60 * 60;

/// Makes the service key of every domain that has none, and serves its certificate.
///
/// # Errors
/// See [`ServiceKeyError`].
pub(crate) async fn serve_domains(site: &Site) -> Result<(), ServiceKeyError> {
    let (now, data) = (site.world.now(), &site.config.data_directory);
    for domain in &site.config.domains {
        let mut rng = site.world.rng();
        service_key::ensure(data, &domain.name, &site.store, now, &mut rng).await?;
    }
    Ok(())
}

/// Looks after keys, and forgets, until the server stops.
pub(crate) async fn run(site: Arc<Site>, stop: CancellationToken) {
    while stop
        .run_until_cancelled(site.world.clock.sleep(EVERY))
        .await
        .is_some()
    {
        dkim::activate_published(&site).await;
        match forget(&site).await {
            Ok((seals, answers)) => tracing::debug!(seals, answers, "forgotten"),
            Err(error) => tracing::warn!(%error, "nothing could be forgotten"),
        }
    }
}

/// Seals that are past their memory (spec §4.11.1), and old answers.
async fn forget(site: &Site) -> Result<(u64, u64), StoreError> {
    let now = site.world.now();
    let passed = site
        .store
        .forget_passages(now, now.saturating_sub(limits::ANSWER_DAYS * DAY))
        .await?;
    let domains = now.saturating_sub(DOMAINS);
    site.store.forget_met_domains(domains).await?;
    let undecided = site.store.undecided(now).await?;
    site.store.drop_entries(&undecided, now).await?;
    let seals = site.store.forget_seals(now).await? + passed;
    let sent = site.store.forget_sent(now).await?;
    tracing::debug!(sent, "sent messages forgotten");
    let answers = site
        .store
        .forget_peer_keys(now.saturating_sub(ANSWERS))
        .await?;
    site.tls_book.write_down(&site.store).await;
    let day = now / DAY;
    site.store
        .forget_tls_counts(day.saturating_sub(TLS_DAYS))
        .await?;
    let quiet = now.saturating_sub(limits::DOMAIN_TAKES);
    site.store.forget_domains(quiet).await?;
    Ok((seals, answers))
}
