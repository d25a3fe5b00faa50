//! A network whose roads lead where a test wants them to.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

use email2_io::net::SystemNet;
use email2_io::{Connection, Listener, Net};
use futures::future::BoxFuture;

/// Where the road to an address leads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Road {
    /// To this host.
    To(IpAddr),
    /// Nowhere: nobody ever answers.
    Nowhere,
    /// There is none.
    Missing,
}

/// The system's network but for some addresses.
#[derive(Debug, Default)]
pub(crate) struct Roads(pub(crate) HashMap<IpAddr, Road>);

impl Net for Roads {
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Connection>> {
        match self.0.get(&address.ip()) {
            None => Box::pin(async move { SystemNet.connect(address).await }),
            Some(&Road::To(host)) => Box::pin(async move {
                let real = SocketAddr::new(host, address.port());
                let connection = SystemNet.connect(real).await?;
                Ok(Connection {
                    peer: address,
                    ..connection
                })
            }),
            Some(Road::Nowhere) => Box::pin(std::future::pending()),
            Some(Road::Missing) => Box::pin(async {
                let missing = io::ErrorKind::NetworkUnreachable;
                Err(io::Error::new(missing, "no route to the address"))
            }),
        }
    }

    fn listen(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        Box::pin(async move { SystemNet.listen(address).await })
    }
}
