//! One's own mailboxes, by IMAP.

use crate::Client;

/// Why one's own mailboxes cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImapError {
    /// It is not built yet.
    #[error("IMAP is not built yet")]
    Unbuilt,
}

/// Puts a message into the mailbox Sent.
///
/// # Errors
/// See [`ImapError`].
pub async fn append_sent(client: &Client, octets: &[u8]) -> Result<(), ImapError> {
    let _ = (client, octets);
    Err(ImapError::Unbuilt)
}
