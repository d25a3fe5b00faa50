//! The Email 2.0 protocol: pure, no I/O.
