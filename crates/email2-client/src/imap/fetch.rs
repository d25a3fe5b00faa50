//! What FETCH says of a message.

use super::response::{Response, Token};

/// One message, as far as it was fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// Its UID.
    pub uid: u32,
    /// Its flags and keywords.
    pub flags: Vec<String>,
    /// When its server took it, as IMAP writes it (RFC 3501 date-time).
    pub internal_date: Option<String>,
    /// Its size, octets.
    pub size: u64,
    /// The octets of the body section that was asked for.
    pub octets: Option<Vec<u8>>,
}

impl Item {
    /// Whether it has `flag`, in any case.
    #[must_use]
    pub fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|own| own.eq_ignore_ascii_case(flag))
    }

    /// Reads a FETCH response; `None` when it is another, or names no UID.
    pub(super) fn read(response: &Response) -> Option<Item> {
        let [
            _,
            Token::Atom(_),
            Token::Atom(verb),
            Token::Open,
            pairs @ ..,
        ] = response.tokens()
        else {
            return None;
        };
        if !verb.eq_ignore_ascii_case("FETCH") {
            return None;
        }
        let mut item = Item::default();
        let mut rest = pairs;
        while let [Token::Atom(name), behind @ ..] = rest {
            rest = item.take(&name.to_ascii_uppercase(), behind)?;
        }
        (item.uid > 0).then_some(item)
    }

    /// Takes the value of `name` off the front; what stands behind it.
    fn take<'a>(&mut self, name: &str, tokens: &'a [Token]) -> Option<&'a [Token]> {
        if name == "FLAGS" {
            return self.take_flags(tokens);
        }
        let (value, behind) = tokens.split_first()?;
        if *value == Token::Open {
            return after_list(behind);
        }
        match name {
            "UID" => self.uid = value.as_text()?.parse().ok()?,
            "RFC822.SIZE" => self.size = value.as_text()?.parse().ok()?,
            "INTERNALDATE" => self.internal_date = value.as_text(),
            _ if name.starts_with("BODY[") => self.octets = value.as_octets().map(<[u8]>::to_vec),
            _ => {}
        }
        Some(behind)
    }

    fn take_flags<'a>(&mut self, tokens: &'a [Token]) -> Option<&'a [Token]> {
        let [Token::Open, inside @ ..] = tokens else {
            return None;
        };
        let end = inside.iter().position(|token| *token == Token::Close)?;
        let (flags, behind) = inside.split_at_checked(end)?;
        self.flags = flags.iter().filter_map(Token::as_text).collect();
        behind.get(1..)
    }
}

/// What stands behind the parenthesis that closes the list just opened.
fn after_list(tokens: &[Token]) -> Option<&[Token]> {
    let mut depth = 1_usize;
    let end = tokens.iter().position(|token| {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth -= 1,
            _ => {}
        }
        depth == 0
    })?;
    tokens.get(end + 1..)
}

#[cfg(test)]
mod tests {
    use super::super::response::Piece;
    use super::*;

    #[test]
    fn a_message_is_read_in_any_order() {
        let pieces = [
            Piece::Line(
                b"* 1 FETCH (FLAGS (\\Seen $Email2Verified) ENVELOPE (\"x\" (NIL)) BODY[HEADER.FIELDS (FROM TO)]<0> {4}"
                    .to_vec(),
            ),
            Piece::Literal(b"a\r\n\r".to_vec()),
            Piece::Line(
                b" INTERNALDATE \" 1-Nov-2026 10:00:00 +0000\" RFC822.SIZE 99 UID 7)".to_vec(),
            ),
        ];
        let item = Item::read(&Response::new(&pieces)).unwrap();
        assert_eq!((item.uid, item.size), (7, 99));
        assert!(item.has("$email2verified") && item.has("\\Seen"));
        assert_eq!(item.octets.as_deref(), Some(&b"a\r\n\r"[..]));
        assert_eq!(
            item.internal_date.as_deref(),
            Some(" 1-Nov-2026 10:00:00 +0000")
        );
    }

    /// Case I07: three answers, the second of which is broken in four ways.
    #[test]
    fn i07_a_broken_answer_takes_no_other_with_it() {
        let said = include_bytes!("../../../email2-testbed/cases/I07-bad-fetch.txt");
        let lines = said.split(|octet| *octet == b'\n');
        let lines = lines.filter(|line| line.starts_with(b"* "));
        let read = lines.map(|line| {
            let response = Response::new(&[Piece::Line(line.trim_ascii_end().to_vec())]);
            Item::read(&response).map(|item| item.uid)
        });
        let uids: Vec<_> = read.collect();
        assert_eq!((uids[0], uids[2]), (Some(11), Some(13)));
        assert!(matches!(uids[1], None | Some(12)), "{uids:?}");
    }

    #[test]
    fn what_is_no_fetch_is_none() {
        for line in [
            "* 1 EXISTS",
            "* 1 FETCH (FLAGS (\\Seen))",
            "* 1 FETCH (UID",
            "* 1 FETCH (UID 1 FLAGS (",
            "* 1 FETCH (ENVELOPE ((",
        ] {
            assert_eq!(Item::read(&Response::of_text(line)), None, "{line}");
        }
    }
}
