//! The only place where a message is judged (spec §4.12).
