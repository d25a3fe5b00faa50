//! Settings of accounts and of the server: small named octet strings.

use async_trait::async_trait;

use crate::block::Scope;
use crate::error::StoreError;

/// Settings. Sizes are bounded by who takes them (spec §10.2.1).
#[async_trait]
pub trait Settings: Send + Sync {
    /// The value of a setting.
    async fn setting(&self, scope: Scope, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// All settings of a scope whose name begins with `prefix`, by name.
    async fn settings(
        &self,
        scope: Scope,
        prefix: &str,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError>;

    /// Sets all of these, or none; `None` removes.
    async fn set(
        &self,
        scope: Scope,
        values: Vec<(String, Option<Vec<u8>>)>,
    ) -> Result<(), StoreError>;
}
