//! The Email 2.0 mail server.
