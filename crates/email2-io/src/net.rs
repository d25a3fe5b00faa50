//! Connections: made to an address, taken at an address.
//!
//! [`Net`] connects to socket addresses only, never to names, so that whoever must judge an
//! address (the outbound fence, spec §2.7.2) judges the very one that is connected to.

mod network;

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixStream, lookup_host};

pub use network::{IpNetwork, IpNetworkError, unwrapped};

/// Addresses of one name that are looked at.
const ADDRESSES: usize = 16;

/// A stream of octets in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// An owned [`Duplex`].
pub type Stream = Box<dyn Duplex>;

/// An established connection and its two ends.
pub struct Connection {
    /// The octets.
    pub stream: Stream,
    /// Our end.
    pub local: SocketAddr,
    /// Their end.
    pub peer: SocketAddr,
}

impl Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({} to {})", self.local, self.peer)
    }
}

/// Makes connections and listens for them.
pub trait Net: Debug + Send + Sync {
    /// Connects to `address`. Takes as long as the system lets it: put a limit around it.
    ///
    /// # Errors
    /// As the system says.
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Connection>>;

    /// Connects to the socket of Unix at `path`, where this network has such sockets.
    ///
    /// # Errors
    /// As the system says.
    fn connect_path<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Stream>> {
        let why = format!("{}: no such sockets here", path.display());
        Box::pin(async move { Err(io::Error::new(io::ErrorKind::Unsupported, why)) })
    }

    /// The addresses of a host of the administrator's own network, as the system knows them (its
    /// `hosts` file, its resolvers): never for a name that came from outside.
    ///
    /// # Errors
    /// As the system says; there is no such name.
    fn look_up<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let why = format!("{host}:{port}: names are not known here");
        Box::pin(async move { Err(io::Error::new(io::ErrorKind::Unsupported, why)) })
    }

    /// Listens at `address` (port 0: any free port).
    ///
    /// # Errors
    /// As the system says; the address is named in the error.
    fn listen(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Listener>>>;
}

/// Takes connections at one address.
pub trait Listener: Debug + Send + Sync {
    /// Waits for the next connection.
    ///
    /// # Errors
    /// As the system says; most are passing (RFC 5321 says nothing: wait a moment, go on).
    fn accept(&self) -> BoxFuture<'_, io::Result<Connection>>;

    /// Where this listens, with the port really taken.
    fn local_addr(&self) -> SocketAddr;
}

/// The system's network.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNet;

impl Net for SystemNet {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the network of the world"
    )]
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Connection>> {
        Box::pin(async move { established(TcpStream::connect(address).await?) })
    }

    fn connect_path<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move { Ok(Box::new(UnixStream::connect(path).await?) as Stream) })
    }

    fn look_up<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(lookup_host((host, port)).await?.take(ADDRESSES).collect()) })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the network of the world"
    )]
    fn listen(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let listener = TcpListener::bind(address)
                .await
                .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
            let local = listener.local_addr()?;
            Ok(Box::new(SystemListener { listener, local }) as Box<dyn Listener>)
        })
    }
}

#[derive(Debug)]
struct SystemListener {
    listener: TcpListener,
    local: SocketAddr,
}

impl Listener for SystemListener {
    fn accept(&self) -> BoxFuture<'_, io::Result<Connection>> {
        Box::pin(async move { established(self.listener.accept().await?.0) })
    }

    fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

/// Dialogue protocols write small pieces and wait: Nagle's algorithm would cost a round trip.
fn established(stream: TcpStream) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    Ok(Connection {
        local: stream.local_addr()?,
        peer: stream.peer_addr()?,
        stream: Box::new(stream),
    })
}
