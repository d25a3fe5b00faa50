//! What is done now and then: the service keys of new domains, new keys of DKIM, and forgetting.

use std::sync::Arc;
use std::time::Duration;

use email2::limits;
use email2_store::{Store, StoreError};
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

/// Seals that are past their memory (spec §4.11.1), and what others said.
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
    let answers = forget_others(&site.store, now).await?;
    site.tls_book.write_down(&site.store).await;
    let day = now / DAY;
    site.store
        .forget_tls_counts(day.saturating_sub(TLS_DAYS))
        .await?;
    let quiet = now.saturating_sub(limits::DOMAIN_TAKES);
    site.store.forget_domains(quiet).await?;
    Ok((seals, answers))
}

/// What other domains said and is in force no longer: their answers, their memory (spec §2.3.7)
/// and their policies (spec §12.2.4).
async fn forget_others(store: &Store, now: u64) -> Result<u64, StoreError> {
    let answers = store.forget_peer_keys(now.saturating_sub(ANSWERS)).await?;
    let domains = store
        .forget_peer_domains(now, now.saturating_sub(DAY))
        .await?;
    let policies = store.forget_peer_policies(now).await?;
    Ok(answers + domains + policies)
}

#[cfg(test)]
mod tests {
    use email2::Domain;
    use email2::known::{KnownDomain, KnownPolicy};
    use email2_store::Opening;

    use super::*;

    /// spec §2.4.1, §12.2.4
    #[tokio::test]
    async fn what_a_domain_said_is_forgotten_when_it_is_over_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Opening::Serve, 1).unwrap();
        let domain = Domain::parse("example.org").unwrap();
        let until = 100 * DAY;
        let known = KnownDomain {
            speaks_until: until,
            learnt: 10 * DAY,
            ..KnownDomain::default()
        };
        store.keep_peer_domain(&domain, known).await.unwrap();
        let policy = KnownPolicy {
            id: "1".to_owned(),
            text: "version: STSv1\nmode: none\nmax_age: 7776000\n".to_owned(),
            fetched: 10 * DAY,
            until,
        };
        store.keep_peer_policy(&domain, policy).await.unwrap();
        assert_eq!(forget_others(&store, until - 1).await.unwrap(), 0);
        assert_eq!(forget_others(&store, until).await.unwrap(), 2);
        assert_eq!(store.peer_domain(&domain).await.unwrap(), None);
        assert_eq!(store.peer_policy(&domain).await.unwrap(), None);
    }
}
