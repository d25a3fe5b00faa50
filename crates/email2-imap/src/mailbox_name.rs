//! Names of mailboxes: UTF-8 inside, modified UTF-7 on the wire
//! (RFC 3501 §5.1.3).

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{GeneralPurpose, general_purpose::NO_PAD};

use crate::limits;

const ENGINE: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// Reads a name; names that are UTF-8 already are taken too, as IMAP4rev2's
/// are. `None` when it is neither, holds control characters or is too long.
pub(crate) fn decode(octets: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(octets).ok()?;
    let name = decode_utf7(text).unwrap_or_else(|| text.to_owned());
    let fits = name.len() <= limits::MAILBOX_NAME_OCTETS && !name.chars().any(char::is_control);
    let inbox = name.eq_ignore_ascii_case("INBOX");
    fits.then(|| if inbox { "INBOX".to_owned() } else { name })
}

fn decode_utf7(text: &str) -> Option<String> {
    let mut parts = text.split('&');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (shifted, plain) = part.split_once('-')?;
        if shifted.is_empty() {
            name.push('&');
        } else {
            name.push_str(&decode_shifted(shifted)?);
        }
        name.push_str(plain);
    }
    Some(name)
}

fn decode_shifted(shifted: &str) -> Option<String> {
    let octets = ENGINE.decode(shifted).ok()?;
    if octets.len() % 2 != 0 {
        return None;
    }
    let units = octets.chunks_exact(2).map(|pair| match pair {
        [high, low] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    });
    char::decode_utf16(units)
        .collect::<Result<String, _>>()
        .ok()
}

/// Writes a name.
pub(crate) fn encode(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut shifted = Vec::new();
    for c in name.chars() {
        if c.is_ascii_graphic() || c == ' ' {
            unshift(&mut text, &mut shifted);
            text.push(c);
            if c == '&' {
                text.push('-');
            }
        } else {
            let mut units = [0; 2];
            let units = c.encode_utf16(&mut units).iter();
            shifted.extend(units.flat_map(|unit| unit.to_be_bytes()));
        }
    }
    unshift(&mut text, &mut shifted);
    text
}

fn unshift(text: &mut String, shifted: &mut Vec<u8>) {
    if !shifted.is_empty() {
        text.push('&');
        text.push_str(&ENGINE.encode(&*shifted));
        text.push('-');
        shifted.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for (name, wire) in [
            ("Sent", "Sent"),
            ("A&B", "A&-B"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ] {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire.as_bytes()).as_deref(), Some(name));
        }
    }

    #[test]
    fn inbox_has_one_name_and_utf8_is_taken() {
        assert_eq!(decode(b"inBox").as_deref(), Some("INBOX"));
        assert_eq!(decode("Entwürfe".as_bytes()).as_deref(), Some("Entwürfe"));
        assert_eq!(decode(b"a\x07b"), None);
        assert_eq!(decode(b"\xff"), None);
    }
}
