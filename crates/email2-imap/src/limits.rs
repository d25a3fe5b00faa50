//! The numbers of an IMAP session, once, with their units.

use std::time::Duration;

/// Longest command, octets with its literals, without the message of APPEND:
/// SETMETADATA with the largest entry (spec §10.2.1).
pub const COMMAND_OCTETS: usize = email2::limits::SETTING_OCTETS + 4 * 1024;
/// Longest command before somebody has logged in, octets.
pub const COMMAND_OCTETS_UNAUTHENTICATED: usize = 8 * 1024;
/// Octets of a message that are asked for at once, and sent at once.
pub const CHUNK_OCTETS: usize = 32 * 1024;
/// Octets that are made before the driver is given the chance to send them.
pub const TRANSMIT_OCTETS: usize = 32 * 1024;
/// Silence before a login.
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);
/// Silence after a login, and during IDLE (RFC 9051 §5.4).
pub const AUTOLOGOUT: Duration = Duration::from_secs(30 * 60);
/// Longest name of a mailbox, octets of UTF-8.
pub const MAILBOX_NAME_OCTETS: usize = 255;
/// Most keywords on a message.
pub const KEYWORDS: usize = 64;
/// Longest keyword, octets.
pub const KEYWORD_OCTETS: usize = 64;
/// Most keys of one SEARCH.
pub const SEARCH_KEYS: usize = 1_000;
/// Most items of one FETCH.
pub const FETCH_ITEMS: usize = 64;
/// Deepest part that is described; what lies below is opaque.
pub const MIME_DEPTH: usize = email2::limits::MIME_DEPTH;
/// Most parts that are described; what follows belongs to the last one.
pub const MIME_PARTS: usize = email2::limits::MIME_PARTS;
/// Longest field of a header that is looked into for ENVELOPE and
/// BODYSTRUCTURE, octets; a longer one counts as absent.
pub const FIELD_OCTETS: usize = 32 * 1024;
/// Most addresses of one field in ENVELOPE.
pub const ENVELOPE_ADDRESSES: usize = email2::limits::HEADER_ADDRESSES;
