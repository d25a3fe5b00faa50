//! Body files.

/// A file that is removed on drop unless it was kept.
#[derive(Debug)]
pub(crate) struct SpoolFile;
