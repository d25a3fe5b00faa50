//! IMAP: a person's mailboxes.

use std::net::SocketAddr;
use std::sync::Arc;

use email2_io::net::Stream;
use tokio_util::sync::CancellationToken;

use crate::site::Site;

/// Speaks IMAP on `stream` until the client goes or `stop`.
pub(crate) async fn serve(
    site: Arc<Site>,
    stream: Stream,
    peer: SocketAddr,
    stop: CancellationToken,
) {
    let _ = (site, stream, peer, stop);
}
