//! Numbers of the client, once, with their units.

/// How long before its end a person is told that their key expires, seconds (spec §6.6.3).
pub(crate) const EXPIRY_NOTICE: u64 = 30 * DAY;
/// How often one's own key is asked of one's own server, seconds (spec §6.13.1).
pub(crate) const OWN_KEY_CHECK: u64 = DAY;
/// How soon it is asked again while an alarm stands, seconds.
pub(crate) const OWN_KEY_AGAIN: u64 = 60;
/// How long that question may take, seconds.
pub(crate) const OWN_KEY_SECONDS: u64 = 5;

const DAY: u64 = 24 * 60 * 60;
