//! The trace fields that this server puts in front of a message (RFC 5321 §4.4).

use std::net::IpAddr;

use email2::address::Address;
use email2::verdict::Provenance;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::inbound::accept::is_sealed;
use crate::inbound::envelope::Envelope;
use crate::session::Caller;
use crate::site::Site;

/// How a message came here, for all its recipients.
#[derive(Debug)]
pub(crate) struct Hop {
    /// Names this reception, in the reply, the log and the trace field.
    pub(crate) id: String,
    reverse_path: String,
    client: String,
    address: String,
    hostname: String,
    protocol: &'static str,
    date: String,
}

impl Hop {
    /// From the connection and the envelope.
    pub(crate) fn of(caller: &Caller, envelope: &Envelope, now: u64) -> Hop {
        let protocol = match (envelope.mail.smtputf8, caller.login.is_some()) {
            (true, true) => "UTF8SMTPSA",
            (true, false) if caller.secured => "UTF8SMTPS",
            (true, false) => "UTF8SMTP",
            (false, true) => "ESMTPSA",
            (false, false) if caller.secured => "ESMTPS",
            (false, false) => "ESMTP",
        };
        Hop {
            id: caller.site.new_id(),
            reverse_path: envelope.mail.from.to_string(),
            client: caller.name.clone(),
            address: caller.peer.ip().to_string(),
            hostname: caller.site.config.hostname.to_string(),
            protocol,
            date: date(now),
        }
    }
}

/// Return-Path, Delivered-To, our `results` (RFC 8601 §4) and Received for one recipient. Sealed author mail does not name
/// the client's address (spec §4.14.1).
pub(crate) fn fields(hop: &Hop, to: &Address, provenance: &Provenance, results: &str) -> Vec<u8> {
    let from = from(hop, provenance);
    format!(
        "Return-Path: <{}>\r\nDelivered-To: {to}\r\n{results}Received: from {from}\r\n by {} with {} id {}\r\n for <{to}>; {}\r\n",
        hop.reverse_path, hop.hostname, hop.protocol, hop.id, hop.date
    )
    .into_bytes()
}

/// What Received says of the client.
fn from(hop: &Hop, provenance: &Provenance) -> String {
    match is_sealed(provenance) {
        true => named(&hop.client).to_owned(),
        false => format!("{} ([{}])", hop.client, hop.address),
    }
}

/// What a client calls itself, unless that is its address: who has no name gives that in EHLO
/// (RFC 5321 §4.1.4).
fn named(client: &str) -> &str {
    let is_address = client.contains(['[', ']']) || client.parse::<IpAddr>().is_ok();
    if is_address { UNNAMED } else { client }
}

/// What stands there then.
const UNNAMED: &str = "unnamed";

/// Received for a message that is handed to the system behind. Sealed mail does not name the
/// client's address (spec §4.14.1).
pub(crate) fn handed_on(hop: &Hop, provenance: &Provenance, id: &str) -> Vec<u8> {
    let from = from(hop, provenance);
    format!(
        "Received: from {from}\r\n by {} with {} id {id};\r\n {}\r\n",
        hop.hostname, hop.protocol, hop.date
    )
    .into_bytes()
}

/// Received for a message that the mail system behind hands over: where that stands is nobody's
/// business.
pub(crate) fn relayed(caller: &Caller, id: &str) -> Vec<u8> {
    let protocol = if caller.secured { "ESMTPS" } else { "ESMTP" };
    let (name, hostname) = (named(&caller.name), &caller.site.config.hostname);
    let date = date(caller.site.world.now());
    format!("Received: from {name}\r\n by {hostname} with {protocol} id {id};\r\n {date}\r\n")
        .into_bytes()
}

/// Received for a message of one of our users that is carried on: neither the client's address
/// (spec §4.14.1) nor a recipient, for one copy serves several.
pub(crate) fn carried(caller: &Caller, envelope: &Envelope, id: &str) -> Vec<u8> {
    let hop = Hop::of(caller, envelope, caller.site.world.now());
    format!(
        "Received: from {}\r\n by {} with {} id {id};\r\n {}\r\n",
        named(&hop.client),
        hop.hostname,
        hop.protocol,
        hop.date
    )
    .into_bytes()
}

/// Received for what a user's ordinary program sent: neither the client's address nor its name,
/// which often is one (spec §13.4.5, case C17).
pub(crate) fn submitted(site: &Site, id: &str, utf8: bool, at: u64) -> Vec<u8> {
    let (host, date) = (&site.config.hostname, date(at));
    let protocol = if utf8 { "UTF8SMTPSA" } else { "ESMTPSA" };
    format!("Received: from {host}\r\n by {host} with {protocol} id {id};\r\n {date}\r\n")
        .into_bytes()
}

/// A date as RFC 5322 §3.3 writes it, in UTC; the epoch for what no calendar holds.
pub(crate) fn date(now: u64) -> String {
    let seconds = i64::try_from(now).unwrap_or_default();
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc2822).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// spec §4.14.1
    #[test]
    fn a_client_that_calls_itself_by_its_address_has_no_name() {
        for address in [
            "[192.0.2.1]",
            "[IPv6:2001:db8::1]",
            "192.0.2.1",
            "2001:db8::1",
            "x[1",
        ] {
            assert_eq!(named(address), UNNAMED, "{address}");
        }
        for name in ["mx.example.org", "laptop", "10-0-0-1.example.org"] {
            assert_eq!(named(name), name);
        }
    }
}
