//! Clock, entropy, DNS, TLS and sockets: all that the pure crates do not do.
