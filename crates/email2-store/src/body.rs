//! The octets of messages: written once while they arrive, read in ranges,
//! never changed (spec §4.3.3).

use async_trait::async_trait;

use crate::error::StoreError;

/// Up to this many octets a body stands inline in its row, beyond it in a file.
pub const INLINE_LIMIT: usize = 32 * 1024;

/// Takes a body chunk by chunk; memory stays at [`INLINE_LIMIT`] whatever the
/// size. Dropped without [`BodyWriter::finish`], it leaves nothing.
#[async_trait]
pub trait BodyWriter: Send {
    /// Adds octets.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Io`].
    async fn push(&mut self, octets: &[u8]) -> Result<(), StoreError>;

    /// Octets so far.
    fn size(&self) -> u64;

    /// Brings the octets to stable storage (a file and its directory are
    /// fsynced; inline octets are by the commit).
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Io`], [`StoreError::Stopped`].
    async fn finish(self: Box<Self>) -> Result<SpooledBody, StoreError>;
}

/// Reads a body in ranges; memory is what is asked for.
#[async_trait]
pub trait BodyReader: Send + Sync {
    /// Octets in all.
    fn size(&self) -> u64;

    /// At most `length` octets from `offset` on; fewer only at the end.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, StoreError>;
}

/// A body on stable storage (or small enough to be committed with its row),
/// not yet delivered. Clones share it, so that one body serves many
/// recipients. When the last clone is dropped undelivered, nothing stays.
#[derive(Clone, Debug)]
pub struct SpooledBody(pub(crate) std::sync::Arc<Spooled>);

/// What stands behind a [`SpooledBody`].
#[derive(Debug)]
pub(crate) struct Spooled {
    /// Unique among all bodies of the store, for ever.
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) octets: SpooledOctets,
}

/// Where the octets of a [`SpooledBody`] are.
#[derive(Debug)]
pub(crate) enum SpooledOctets {
    /// In memory, for the row.
    Inline(Vec<u8>),
    /// In a file that is removed on drop unless a row names it.
    File(crate::sqlite::body::SpoolFile),
}

impl SpooledBody {
    /// Octets.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.size
    }
}

/// Bodies on their way in and out.
#[async_trait]
pub trait Bodies: Send + Sync {
    /// Begins a body.
    ///
    /// # Errors
    /// [`StoreError::Stopped`].
    async fn write_body(&self) -> Result<Box<dyn BodyWriter>, StoreError>;

    /// Reads a body that is not delivered yet.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    async fn read_spooled(&self, body: &SpooledBody) -> Result<Box<dyn BodyReader>, StoreError>;
}
