//! `Remote` against hosts on loopback: real sockets, real TLS, the real server machine; DNS says
//! what a test wants.

mod deliver;
mod keys;
mod neighbour;
mod stage;
mod zone;
