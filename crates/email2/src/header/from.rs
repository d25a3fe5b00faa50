//! The one From of sealed mail: `[display-name] <addr-spec>` or an addr-spec,
//! and nothing else (spec §4.8).

use unicode_normalization::is_nfc;

use super::From;
use super::encoded_word::{self, decode_words};
use crate::address::{Address, is_atext};
use crate::rejection::Rejection;

/// Reads the value of one From field by the rules for sealed mail (spec §4.8.1,
/// §4.8.2).
///
/// # Errors
/// [`Rejection::FromMalformed`] when it is anything but one mailbox.
pub fn parse_from(value: &[u8]) -> Result<From, Rejection> {
    let text = std::str::from_utf8(value).map_err(|_| found("octets that are not UTF-8"))?;
    // Only a fold may hold a line end, and a fold is white space.
    let text = text.replace("\r\n ", " ").replace("\r\n\t", "\t");
    let text = text.trim_matches([' ', '\t']);
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err(found("a control character"));
    }
    let (words, rest) = phrase(text)?;
    match rest.strip_prefix('<') {
        Some(bracketed) => {
            let spec = bracketed
                .strip_suffix('>')
                .ok_or(found(what_instead(bracketed)))?;
            let display_name = (!words.is_empty()).then(|| decode_words(&words));
            Ok(From {
                address: addr_spec(spec)?,
                display_name,
            })
        }
        None => Ok(From {
            address: addr_spec(text)?,
            display_name: None,
        }),
    }
}

fn found(found: &'static str) -> Rejection {
    Rejection::FromMalformed { found }
}

/// Reads the words of a display name: atoms and quoted strings (RFC 5322 §3.2.5
/// without its obsolete forms). Gives what stands behind them.
fn phrase(text: &str) -> Result<(Vec<encoded_word::Word<'_>>, &str), Rejection> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        match rest.chars().next() {
            Some('"') => {
                let (word, behind) = quoted_string(rest)?;
                words.push(encoded_word::Word::Quoted(word));
                rest = behind;
            }
            Some(first) if is_atext(first) => {
                let (atom, behind) = rest
                    .split_at_checked(atom_length(rest))
                    .unwrap_or((rest, ""));
                words.push(encoded_word::Word::Atom(atom));
                rest = behind;
            }
            _ => return Ok((words, rest)),
        }
    }
}

fn atom_length(text: &str) -> usize {
    text.find(|c| !is_atext(c)).unwrap_or(text.len())
}

/// Reads a quoted string (RFC 5322 §3.2.4): its content and what follows.
fn quoted_string(text: &str) -> Result<(String, &str), Rejection> {
    let mut content = String::new();
    let mut rest = text.chars();
    rest.next();
    loop {
        match rest.next().ok_or(found("a quoted string without an end"))? {
            '"' => return Ok((content, rest.as_str())),
            '\\' => content.push(rest.next().ok_or(found("a quoted string without an end"))?),
            plain => content.push(plain),
        }
    }
}

/// Reads the address itself: its local part is a Dot-string in NFC (spec §4.8.2).
fn addr_spec(text: &str) -> Result<Address, Rejection> {
    let Some((local, _)) = text.split_once('@') else {
        return Err(found(what_instead(text)));
    };
    if local.contains("=?") {
        return Err(found("an encoded word in the address"));
    }
    if local.starts_with('"') {
        return Err(found("a quoted local part"));
    }
    if !is_nfc(local) {
        return Err(found("a local part that is not composed (NFC)"));
    }
    Address::parse(text).map_err(|_| found(what_instead(text)))
}

/// A word for what is not an address, for the person who has to mend it.
fn what_instead(text: &str) -> &'static str {
    if text.is_empty() {
        return "no address";
    }
    let signs: [(&[char], &'static str); 4] = [
        (&['(', ')'], "a comment"),
        (&[','], "more than one address"),
        (&[':', ';'], "a group or a route"),
        (&['<', '>'], "brackets inside an address"),
    ];
    let what = signs.into_iter().find(|(sign, _)| text.contains(*sign));
    match what {
        Some((_, what)) => what,
        None if text.contains('@') => "not an address",
        None => "no address",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<(String, Option<String>), &'static str> {
        match parse_from(value.as_bytes()) {
            Ok(from) => Ok((from.address.to_string(), from.display_name)),
            Err(Rejection::FromMalformed { found }) => Err(found),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn one_mailbox() {
        for (value, address, name) in [
            (" bob@example.org", "bob@example.org", None),
            (" <Bob@Example.ORG>", "Bob@example.org", None),
            (
                " Bob Smith <bob@example.org>",
                "bob@example.org",
                Some("Bob Smith"),
            ),
            (
                " \"Smith, Bob; \\\"B\\\"\" <bob@example.org>",
                "bob@example.org",
                Some("Smith, Bob; \"B\""),
            ),
            (
                " =?utf-8?q?B=C3=B6b?= =?utf-8?b?IQ==?= X\r\n\t<bob@example.org>",
                "bob@example.org",
                Some("B\u{f6}b! X"),
            ),
            (
                " J\u{f6}rg <j\u{f6}rg@b\u{fc}cher.example>",
                "j\u{f6}rg@xn--bcher-kva.example",
                Some("J\u{f6}rg"),
            ),
            (
                " \"ceo@bank.example\" <bob@example.org>",
                "bob@example.org",
                Some("ceo@bank.example"),
            ),
            (
                " =?utf-8?q?ceo=40bank=00=0D=0ABcc=3A?= <bob@example.org>",
                "bob@example.org",
                Some("ceo@bank\u{fffd}\u{fffd}\u{fffd}Bcc:"),
            ),
        ] {
            assert_eq!(
                read(value),
                Ok((address.to_owned(), name.map(str::to_owned))),
                "{value:?}"
            );
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for (value, expected) in [
            ("", "no address"),
            (" Bob", "no address"),
            (" Bob <>", "no address"),
            (" bob@example.org, eve@example.net", "more than one address"),
            (
                " Bob <bob@example.org>, <eve@example.net>",
                "more than one address",
            ),
            (" friends: bob@example.org;", "a group or a route"),
            (" friends:;", "a group or a route"),
            (" <@a.example:bob@example.org>", "a group or a route"),
            (" bob@example.org (Bob)", "a comment"),
            (" user@good(x)evil.example", "a comment"),
            (" Bob (x) <bob@example.org>", "a comment"),
            (" =?utf-8?q?bob=40example.org?=", "no address"),
            (
                " <=?utf-8?q?bob?=@example.org>",
                "an encoded word in the address",
            ),
            (" <\"bob\"@example.org>", "a quoted local part"),
            (
                " <jose\u{301}@example.org>",
                "a local part that is not composed (NFC)",
            ),
            (" < bob@example.org>", "not an address"),
            (" bob @example.org", "not an address"),
            (" Bob <bob@example.org> x", "brackets inside an address"),
            (" Bob B. <bob@example.org>", "brackets inside an address"),
            (" \"Bob <bob@example.org>", "a quoted string without an end"),
            (" <bob@[192.0.2.1]>", "not an address"),
            (" bob@example.org\0", "a control character"),
            (" bob@example.org\r\nx", "a control character"),
        ] {
            assert_eq!(read(value), Err(expected), "{value:?}");
        }
        assert!(parse_from(b" b\xffb@example.org").is_err());
    }
}
