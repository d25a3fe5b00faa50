//! Addresses, From, domain records, KEY and KEYPUT.

use email2::header::parse_from;
use email2::key_query::{KeyAnswer, KeyPut, KeyQuery};
use email2::{Address, PolicyRecord};
use serde_json::{Value, json};

use crate::{text, texts};

/// Nothing came out: refused.
fn refused() -> Value {
    json!({ "refused": true })
}

pub(crate) fn address(given: &Value) -> Value {
    match Address::parse(text(given, "address")) {
        Ok(address) => json!({ "normal": address.to_string() }),
        Err(_) => refused(),
    }
}

pub(crate) fn from(given: &Value) -> Value {
    match parse_from(text(given, "from").as_bytes()) {
        Ok(from) => json!({ "normal": from.address.to_string() }),
        Err(_) => refused(),
    }
}

pub(crate) fn record(given: &Value) -> Value {
    match PolicyRecord::parse(text(given, "record")) {
        Ok(record) => json!({
            "p": record.p.as_str(), "sp": record.for_subdomains().as_str(), "ma": record.ma,
        }),
        Err(_) => refused(),
    }
}

pub(crate) fn key_command(given: &Value) -> Value {
    let arguments = text(given, "arguments");
    let canonical = match text(given, "verb") {
        "KEY" => KeyQuery::parse(arguments).map(|query| query.to_string()),
        _ => KeyPut::parse(arguments).map(|put| put.to_string()),
    };
    canonical.map_or(refused(), |canonical| json!({ "canonical": canonical }))
}

pub(crate) fn key_answer(given: &Value) -> Value {
    let lines: Vec<String> = texts(given, "lines")
        .iter()
        .map(ToString::to_string)
        .collect();
    match KeyAnswer::parse(&lines) {
        Ok(KeyAnswer::Unchanged) => json!("unchanged"),
        Ok(KeyAnswer::Certificate {
            etag,
            ttl,
            flags,
            octets,
        }) => json!({
            "etag": etag.to_string(), "ttl": ttl, "flags": flags.to_string(), "octets": octets.len(),
        }),
        Err(_) => refused(),
    }
}
