//! A header as SEARCH sees it: fields unfolded, encoded words decoded, in
//! lower case.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key::HeaderTest;
use crate::date;
use crate::verdict;

/// The fields of a stored header section with the verdict in front, as shown
/// (spec §10.3.2); names in lower case.
pub(crate) fn fields(header: &[u8], verdict: &str) -> Vec<(String, String)> {
    let own = verdict::FIELD.to_ascii_lowercase();
    let mut fields = vec![(own.clone(), verdict.to_lowercase())];
    let foreign = |(name, value): (String, String)| match name == own {
        true => (format!("x-{own}"), value),
        false => (name, value),
    };
    fields.extend(fields_below(header).into_iter().map(foreign));
    fields
}

/// The fields of the header section of a part, or of a message within a message.
pub(crate) fn fields_below(header: &[u8]) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in header.split(|octet| matches!(octet, b'\r' | b'\n')) {
        let text = String::from_utf8_lossy(line);
        if text.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push_str(text.trim_end());
            }
        } else if let Some((name, value)) = text.split_once(':') {
            let name = name.trim_end().to_ascii_lowercase();
            fields.push((name, value.trim_end().to_owned()));
        }
    }
    for (_, value) in &mut fields {
        *value = decode(value).to_lowercase();
    }
    fields
}

/// Whether a header is such a one.
pub(crate) fn passes(test: &HeaderTest, fields: &[(String, String)]) -> bool {
    match test {
        HeaderTest::Holds(name, text) => fields
            .iter()
            .any(|(known, value)| known.eq_ignore_ascii_case(name) && value.contains(text)),
        HeaderTest::Sent(from, to) => {
            let date = fields.iter().find(|(name, _)| name == "date");
            let day = date.and_then(|(_, value)| date::day_of_field(value));
            day.is_some_and(|day| (*from..=*to).contains(&day))
        }
    }
}

/// Decodes encoded words (RFC 2047); what cannot be decoded stays.
fn decode(value: &str) -> String {
    let mut text = String::new();
    let mut rest = value;
    let mut after_word = false;
    while let Some((before, word)) = rest.split_once("=?") {
        let decoded = encoded_word(word);
        // Blanks between two encoded words do not count.
        if !(after_word && decoded.is_some() && before.trim().is_empty()) {
            text.push_str(before);
        }
        after_word = decoded.is_some();
        match decoded {
            Some((word, behind)) => {
                text.push_str(&word);
                rest = behind;
            }
            None => {
                text.push_str("=?");
                rest = word;
            }
        }
    }
    text.push_str(rest);
    text
}

/// `charset?encoding?text?=` and what follows.
fn encoded_word(word: &str) -> Option<(String, &str)> {
    let mut parts = word.splitn(3, '?');
    let (charset, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (text, behind) = rest.split_once("?=")?;
    let octets = match encoding {
        "B" | "b" => STANDARD.decode(text).ok()?,
        "Q" | "q" => quoted(text)?,
        _ => return None,
    };
    // RFC 2231 §5: a language may follow the charset.
    let label = charset.split('*').next()?;
    let charset = encoding_rs::Encoding::for_label(label.as_bytes())?;
    let text = charset.decode_without_bom_handling_and_without_replacement(&octets)?;
    Some((text.into_owned(), behind))
}

fn quoted(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'_' => b' ',
            b'=' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => octet,
        });
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_seen_as_shown() {
        let header = b"Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= =?utf-8?B?IQ==?= =?x?\r\n more\r\n\
            Email2-Verdict : verified\r\n\r\n";
        let fields = fields(header, "none");
        assert!(fields.contains(&("subject".into(), " grüße! =?x? more".into())));
        let test = HeaderTest::Holds("Email2-Verdict".into(), "verified".into());
        assert!(!passes(&test, &fields));
    }
}
