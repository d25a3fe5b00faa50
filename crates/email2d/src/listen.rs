//! Doors: where connections come in, and what is spoken behind each.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use email2::capability::ALPN;
use email2_io::accept::{self, Reception, Taken};
use email2_io::limit::ConnectionLimits;
use email2_io::net::{Connection, Stream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::site::Site;
use crate::{https, session};

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// Mail from elsewhere, STARTTLS.
    Mx,
    /// Mail from elsewhere, TLS from the first octet with ALPN `email2`; and HTTPS.
    Direct,
    /// HTTPS alone.
    Https,
    /// Mail from one's own users, TLS from the first octet.
    Submissions,
    /// Mail from one's own users, STARTTLS.
    Submission,
    /// IMAP, TLS from the first octet.
    Imaps,
    /// Mail of the people of a mail system behind, STARTTLS; the number of its table.
    Smarthost(usize),
}

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoken {
    Smtp,
    Imap,
    Http,
}

/// Where a server listens.
#[derive(Clone, Debug, Default)]
pub struct Listening {
    /// Mail from elsewhere, STARTTLS.
    pub mx: Vec<SocketAddr>,
    /// Mail from elsewhere, TLS from the first octet; HTTPS besides.
    pub direct: Vec<SocketAddr>,
    /// HTTPS alone.
    pub https: Vec<SocketAddr>,
    /// Submission, TLS from the first octet.
    pub submissions: Vec<SocketAddr>,
    /// Submission, STARTTLS.
    pub submission: Vec<SocketAddr>,
    /// IMAP, TLS from the first octet.
    pub imaps: Vec<SocketAddr>,
    /// For the people of mail systems behind, STARTTLS.
    pub smarthosts: Vec<SocketAddr>,
}

impl Listening {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<SocketAddr> {
        let Listening {
            mx,
            direct,
            https,
            submissions,
            submission,
            imaps,
            smarthosts,
        } = self;
        [
            mx,
            direct,
            https,
            submissions,
            submission,
            imaps,
            smarthosts,
        ]
        .into_iter()
        .flatten()
        .copied()
        .collect()
    }
}

impl Door {
    /// Does TLS stand before the first octet?
    pub(crate) fn tls_first(self) -> bool {
        matches!(
            self,
            Door::Direct | Door::Https | Door::Submissions | Door::Imaps
        )
    }

    /// Is mail taken here from users after AUTH?
    pub(crate) fn is_submission(self) -> bool {
        matches!(self, Door::Submissions | Door::Submission)
    }

    /// May somebody from there speak at all (spec §15.2.1)? Whoever may sign in must be heard.
    fn listens_to(self, site: &Site, peer: SocketAddr) -> bool {
        let Door::Smarthost(index) = self else {
            return true;
        };
        let smarthost = site.config.smarthosts.get(index);
        smarthost.is_some_and(|smarthost| {
            !smarthost.names.is_empty() || smarthost.vouches_for(peer.ip())
        })
    }

    /// Do names sign in there that are no accounts?
    pub(crate) fn has_names(self, site: &Site) -> bool {
        let Door::Smarthost(index) = self else {
            return false;
        };
        let smarthost = site.config.smarthosts.get(index);
        smarthost.is_some_and(|smarthost| !smarthost.names.is_empty())
    }

    fn alpn(self) -> &'static [&'static [u8]] {
        match self {
            Door::Direct => &[ALPN, https::ALPN],
            Door::Https => &[https::ALPN],
            _ => &[],
        }
    }

    /// What is spoken there once TLS selected `alpn`. On the direct door nothing is said to a
    /// client that did not select `email2` (spec §2.1.1): whoever speaks HTTP speaks first.
    fn spoken(self, alpn: Option<&[u8]>) -> Spoken {
        match self {
            Door::Imaps => Spoken::Imap,
            Door::Https => Spoken::Http,
            Door::Direct if alpn != Some(ALPN) => Spoken::Http,
            _ => Spoken::Smtp,
        }
    }
}

/// Opens every configured listener and takes connections until `stop`.
///
/// # Errors
/// An address cannot be listened at.
pub(crate) async fn open(
    site: &Arc<Site>,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> io::Result<Listening> {
    let wanted = &site.config.listen;
    let per_source = site.config.limits.connections_per_source;
    let limits = Arc::new(ConnectionLimits::new(per_source, Vec::new()));
    let reception = Reception {
        clock: Arc::clone(&site.world.clock),
        limits,
        stop: stop.clone(),
        tasks: tasks.clone(),
    };
    let mut smarthosts = Vec::new();
    for (index, smarthost) in site.config.smarthosts.iter().enumerate() {
        let door = Door::Smarthost(index);
        smarthosts.extend(each(site, &reception, door, &smarthost.listen).await?);
    }
    Ok(Listening {
        smarthosts,
        mx: each(site, &reception, Door::Mx, &wanted.mx).await?,
        direct: each(site, &reception, Door::Direct, &wanted.direct).await?,
        https: each(site, &reception, Door::Https, &wanted.https).await?,
        submissions: each(site, &reception, Door::Submissions, &wanted.submissions).await?,
        submission: each(site, &reception, Door::Submission, &wanted.submission).await?,
        imaps: each(site, &reception, Door::Imaps, &wanted.imaps).await?,
    })
}

async fn each(
    site: &Arc<Site>,
    reception: &Reception,
    door: Door,
    addresses: &[SocketAddr],
) -> io::Result<Vec<SocketAddr>> {
    let mut bound = Vec::with_capacity(addresses.len());
    for &address in addresses {
        let listener = site.world.net.listen(address).await?;
        bound.push(listener.local_addr());
        tracing::info!(?door, address = %listener.local_addr(), "listening");
        let (serving, stop) = (Arc::clone(site), reception.stop.clone());
        let serve = move |taken| serve(Arc::clone(&serving), door, taken, stop.clone());
        let refusing = Arc::clone(site);
        let refuse = move |connection: Connection| {
            tracing::info!(?door, peer = %connection.peer, "refused: too many connections");
            session::refuse(Arc::clone(&refusing), door, connection.stream)
        };
        reception
            .tasks
            .spawn(accept::take(listener, reception.clone(), serve, refuse));
    }
    Ok(bound)
}

/// One connection, from the handshake to its end. The permit is held as long.
async fn serve(site: Arc<Site>, door: Door, taken: Taken, stop: CancellationToken) {
    let Taken { connection, permit } = taken;
    let peer = connection.peer;
    if !door.listens_to(&site, peer) {
        tracing::info!(?door, %peer, "not listened to: no network of this door");
        return;
    }
    // Boxed, so that each holds what it needs and not what the largest does.
    let Some((stream, spoken)) = Box::pin(secured(&site, door, connection)).await else {
        return;
    };
    match spoken {
        Spoken::Imap => Box::pin(crate::imap::serve(site, stream, peer, stop)).await,
        Spoken::Http => Box::pin(https::serve(site, stream, peer, stop)).await,
        Spoken::Smtp => Box::pin(session::serve(site, door, stream, peer, stop)).await,
    }
    drop(permit);
}

/// The handshake of doors with TLS from the first octet.
async fn secured(site: &Site, door: Door, connection: Connection) -> Option<(Stream, Spoken)> {
    if !door.tls_first() {
        return Some((connection.stream, Spoken::Smtp));
    }
    let peer = connection.peer;
    match site.tls.accept(connection.stream, door.alpn()).await {
        Ok(arrived) => Some((arrived.stream, door.spoken(arrived.alpn.as_deref()))),
        Err(error) => {
            tracing::debug!(%peer, %error, "TLS handshake failed");
            None
        }
    }
}
