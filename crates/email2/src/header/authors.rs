//! The authors of ordinary mail, read leniently: for policy only, where every
//! address that some program may take for the author counts (spec §10.4).

use crate::address::Address;
use crate::limits;

/// Every address in the value of a From field: comments dropped, groups opened,
/// names ignored. `None` when something in it is no address, or when there is
/// none.
pub fn parse_authors(value: &[u8]) -> Option<Vec<Address>> {
    let text = without_comments(&String::from_utf8_lossy(value))?;
    let mut authors = Vec::new();
    for piece in pieces(&text) {
        if !piece.trim().is_empty() {
            authors.push(Address::parse(&address_in(&piece)).ok()?);
        }
    }
    let count = authors.len();
    (1..=limits::HEADER_ADDRESSES)
        .contains(&count)
        .then_some(authors)
}

/// Puts a blank in the place of every comment (RFC 5322 §3.2.2), so that nothing
/// is glued together, and of every fold.
fn without_comments(text: &str) -> Option<String> {
    let mut kept = String::new();
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for character in text.chars() {
        let special = !std::mem::take(&mut escaped);
        match character {
            '\\' if special && (quoted || depth > 0) => escaped = true,
            '"' if special && depth == 0 => quoted = !quoted,
            '(' if special && !quoted => depth += 1,
            ')' if special && !quoted => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth > limits::COMMENT_DEPTH {
            return None;
        }
        let blank =
            depth > 0 || matches!(character, '\r' | '\n' | '\t') || !quoted && character == ')';
        kept.push(if blank { ' ' } else { character });
    }
    (depth == 0 && !quoted).then_some(kept)
}

/// Splits at commas and at the ends of groups, outside quotes; the name of a
/// group, and a route, goes with its colon.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for character in text.chars() {
        let special = !std::mem::take(&mut escaped);
        let piece = pieces.last_mut();
        match (character, piece) {
            (',' | ';', _) if !quoted => pieces.push(String::new()),
            (':', Some(piece)) if !quoted => {
                let bracket = piece.contains('<');
                piece.clear();
                if bracket {
                    piece.push('<');
                }
            }
            (_, Some(piece)) => {
                quoted ^= character == '"' && special;
                escaped = character == '\\' && special && quoted;
                piece.push(character);
            }
            (_, None) => {}
        }
    }
    pieces
}

/// The addr-spec in one mailbox: what stands in the last brackets, or all of it;
/// blanks beside `@` and `.` are dropped (RFC 5322 §4.4).
fn address_in(piece: &str) -> String {
    let spec = match piece.rsplit_once('<') {
        Some((_, behind)) => behind.split_once('>').map_or(behind, |(inside, _)| inside),
        None => piece,
    };
    let mut address = String::new();
    for word in spec.split(' ').filter(|word| !word.is_empty()) {
        let joins = |c: Option<char>| matches!(c, None | Some('@' | '.'));
        if !joins(address.chars().last()) && !joins(word.chars().next()) {
            address.push(' ');
        }
        address.push_str(word);
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authors(value: &str) -> Option<Vec<String>> {
        let authors = parse_authors(value.as_bytes())?;
        Some(authors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_author_is_found() {
        for (value, expected) in [
            (" bob@example.org", &["bob@example.org"][..]),
            (" Bob (x) <bob(y)@(z)example.org>", &["bob@example.org"]),
            (" bob @ example . org", &["bob@example.org"]),
            (
                " \"a, b\" <bob@example.org>,\r\n\teve@example.net",
                &["bob@example.org", "eve@example.net"],
            ),
            (
                " friends: bob@example.org, eve@example.net;",
                &["bob@example.org", "eve@example.net"],
            ),
            (" <@a.example,@b.example:bob@example.org>", &[]),
            (" <@a.example:bob@example.org>", &["bob@example.org"]),
            (" =?utf-8?q?a=2Cb?= <bob@example.org>", &["bob@example.org"]),
        ] {
            let expected: Vec<String> = expected.iter().map(|e| (*e).to_owned()).collect();
            let found = authors(value);
            assert_eq!(
                found,
                (!expected.is_empty()).then_some(expected),
                "{value:?}"
            );
        }
    }

    #[test]
    fn what_does_not_parse_is_nobody() {
        for value in [
            "",
            " Bob",
            " friends:;",
            " user@good(x)evil.example",
            " bob@example.org (",
            " \"bob@example.org",
            " bob@example.org, eve",
            " ((((((((((((((((((x)))))))))))))))))) bob@example.org",
        ] {
            assert_eq!(authors(value), None, "{value:?}");
        }
    }
}
