//! How TLS with other domains' hosts went, counted by day for reports (RFC 8460).

use async_trait::async_trait;

use crate::error::StoreError;

/// Sessions of one day that went alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TlsCount {
    /// Days since 1970-01-01, UTC.
    pub day: u64,
    /// The policy domain.
    pub domain: String,
    /// The policy-type: `tlsa`, `sts` or `no-policy-found` (RFC 8460 §4.2).
    pub policy: String,
    /// The MX host.
    pub host: String,
    /// `success`, or the result-type (RFC 8460 §4.3).
    pub result: String,
    /// How many.
    pub count: u64,
}

/// The counters.
#[async_trait]
pub trait TlsCounts: Send + Sync {
    /// Adds these to what was counted.
    async fn count_tls(&self, counts: Vec<TlsCount>) -> Result<(), StoreError>;

    /// What was counted since a day, by day, domain, policy, host and result; at most `limit`
    /// behind `after`.
    async fn tls_counts(
        &self,
        since: u64,
        after: Option<&TlsCount>,
        limit: u32,
    ) -> Result<Vec<TlsCount>, StoreError>;

    /// Forgets what was counted before a day; how many rows.
    async fn forget_tls_counts(&self, before: u64) -> Result<u64, StoreError>;
}
