//! The seal: one header field that binds sender, envelope, time and content (spec §4).
