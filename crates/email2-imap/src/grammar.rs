//! The grammar that commands share (RFC 9051 §9), read from left to right
//! without ever going back, over a command that [`crate::framing`] bounded.

use zeroize::Zeroizing;

use crate::limits;
use crate::mailbox_name;
use crate::request::Flags;
use crate::verdict;

/// Why a command is not one: a sentence for the BAD that answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bad(pub(crate) &'static str);

/// What reading gives.
pub(crate) type Parsed<T> = Result<T, Bad>;

/// Reads a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// At the beginning of `octets`.
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// The next octet, which stays.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Whether all is read.
    pub(crate) fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes `octet` if it comes next.
    pub(crate) fn skip(&mut self, octet: u8) -> bool {
        let there = self.peek() == Some(octet);
        if there {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        there
    }

    /// Takes `word` if it comes next, in any case.
    pub(crate) fn skip_word(&mut self, word: &str) -> bool {
        let head = self.rest.get(..word.len());
        let there = head.is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()));
        if there {
            self.rest = self.rest.get(word.len()..).unwrap_or_default();
        }
        there
    }

    /// Demands `octet`.
    pub(crate) fn expect(&mut self, octet: u8, otherwise: &'static str) -> Parsed<()> {
        self.skip(octet).then_some(()).ok_or(Bad(otherwise))
    }

    /// Demands one space.
    pub(crate) fn space(&mut self) -> Parsed<()> {
        self.expect(b' ', "an argument is missing")
    }

    /// Demands the end.
    pub(crate) fn end(&self) -> Parsed<()> {
        self.at_end()
            .then_some(())
            .ok_or(Bad("there is more than the command takes"))
    }

    /// Octets as long as `wanted` says so.
    pub(crate) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self.rest.iter().take_while(|&&octet| wanted(octet)).count();
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or_default();
        self.rest = rest;
        taken
    }

    fn text(&mut self, wanted: impl Fn(u8) -> bool, otherwise: &'static str) -> Parsed<&'a str> {
        let taken = self.take_while(wanted);
        let text = std::str::from_utf8(taken).map_err(|_| Bad(otherwise))?;
        (!text.is_empty()).then_some(text).ok_or(Bad(otherwise))
    }

    /// A tag.
    pub(crate) fn tag(&mut self) -> Parsed<&'a str> {
        self.text(
            |octet| is_astring(octet) && octet != b'+',
            "a command begins with a tag",
        )
    }

    /// An atom.
    pub(crate) fn atom(&mut self) -> Parsed<&'a str> {
        self.text(is_atom, "an atom is missing")
    }

    /// A number of at most 63 bits.
    pub(crate) fn number64(&mut self) -> Parsed<u64> {
        let digits = self.text(|octet| octet.is_ascii_digit(), "a number is missing")?;
        let number = digits
            .parse::<i64>()
            .map_err(|_| Bad("a number is too large"))?;
        Ok(number.unsigned_abs())
    }

    /// A number of at most 32 bits.
    pub(crate) fn number(&mut self) -> Parsed<u32> {
        u32::try_from(self.number64()?).map_err(|_| Bad("a number is too large"))
    }

    /// A quoted string or a literal; wiped, for it may be a password.
    pub(crate) fn string(&mut self) -> Parsed<Zeroizing<Vec<u8>>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{' | b'~') => self.literal(),
            _ => Err(Bad("a string is missing")),
        }
    }

    /// An atom or a string.
    pub(crate) fn astring(&mut self) -> Parsed<Zeroizing<Vec<u8>>> {
        if let Some(b'"' | b'{' | b'~') = self.peek() {
            return self.string();
        }
        let taken = self.take_while(is_astring);
        let there = !taken.is_empty();
        let copy = || Zeroizing::new(taken.to_vec());
        there.then(copy).ok_or(Bad("a string is missing"))
    }

    /// An astring in UTF-8.
    pub(crate) fn astring_text(&mut self) -> Parsed<String> {
        let octets = self.astring()?;
        let text = std::str::from_utf8(&octets).map_err(|_| Bad("a string is not UTF-8"))?;
        Ok(text.to_owned())
    }

    /// A string or NIL.
    pub(crate) fn nstring(&mut self) -> Parsed<Option<Zeroizing<Vec<u8>>>> {
        if self.skip_word("NIL") {
            return Ok(None);
        }
        self.string().map(Some)
    }

    fn quoted(&mut self) -> Parsed<Zeroizing<Vec<u8>>> {
        self.expect(b'"', "a string is missing")?;
        let mut found = Zeroizing::new(Vec::new());
        loop {
            found.extend_from_slice(self.take_while(is_quoted));
            if self.skip(b'"') {
                return Ok(found);
            }
            self.expect(b'\\', "a quoted string does not end")?;
            match self.peek() {
                Some(octet @ (b'"' | b'\\')) => {
                    self.skip(octet);
                    found.push(octet);
                }
                _ => return Err(Bad("a quoted string escapes what needs no escape")),
            }
        }
    }

    fn literal(&mut self) -> Parsed<Zeroizing<Vec<u8>>> {
        self.skip(b'~');
        let size = self.literal_header()?;
        let size = usize::try_from(size).map_err(|_| Bad("a literal is too large"))?;
        let (octets, rest) = self
            .rest
            .split_at_checked(size)
            .ok_or(Bad("a literal is shorter than it says"))?;
        self.rest = rest;
        Ok(Zeroizing::new(octets.to_vec()))
    }

    /// `{5}` and its line end.
    pub(crate) fn literal_header(&mut self) -> Parsed<u64> {
        const BROKEN: &str = "a literal is broken";
        self.expect(b'{', BROKEN)?;
        let size = self.number64()?;
        if !self.skip(b'+') {
            self.skip(b'-');
        }
        self.expect(b'}', BROKEN)?;
        self.expect(b'\r', BROKEN)?;
        self.expect(b'\n', BROKEN)?;
        Ok(size)
    }

    /// The name of a mailbox, in UTF-8 (RFC 3501 §5.1.3).
    pub(crate) fn mailbox(&mut self) -> Parsed<String> {
        let octets = self.astring()?;
        mailbox_name::decode(&octets).ok_or(Bad("that is no name of a mailbox"))
    }

    /// The pattern of LIST, in UTF-8.
    pub(crate) fn pattern(&mut self) -> Parsed<String> {
        if let Some(b'"' | b'{') = self.peek() {
            return self.mailbox();
        }
        let taken = self.take_while(|octet| is_astring(octet) || matches!(octet, b'%' | b'*'));
        let there = !taken.is_empty();
        let name = there.then(|| mailbox_name::decode(taken)).flatten();
        name.ok_or(Bad("a pattern is missing"))
    }

    /// Things in parentheses, at most `most`, read by `one`.
    pub(crate) fn list<T>(
        &mut self,
        most: usize,
        mut one: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        self.expect(b'(', "a parenthesis is missing")?;
        let mut found = Vec::new();
        while !self.skip(b')') {
            if !found.is_empty() {
                self.expect(b' ', "a parenthesis does not close")?;
            }
            if found.len() >= most {
                return Err(Bad("a list is too long"));
            }
            found.push(one(self)?);
        }
        Ok(found)
    }

    /// One flag or keyword, set in `flags`.
    pub(crate) fn flag(&mut self, flags: &mut NamedFlags) -> Parsed<()> {
        if !self.skip(b'\\') {
            let keyword = self.atom()?;
            return flags.name_keyword(keyword);
        }
        match self.atom()?.to_ascii_lowercase().as_str() {
            "seen" => flags.flags.seen = true,
            "answered" => flags.flags.answered = true,
            "flagged" => flags.flags.flagged = true,
            "deleted" => flags.flags.deleted = true,
            "draft" => flags.flags.draft = true,
            _ => return Err(Bad("that flag does not exist or is not yours to set")),
        }
        Ok(())
    }

    /// Flags in parentheses.
    pub(crate) fn flag_list(&mut self) -> Parsed<NamedFlags> {
        let mut flags = NamedFlags::default();
        self.list(limits::KEYWORDS + 5, |cursor| cursor.flag(&mut flags))?;
        Ok(flags)
    }
}

/// Flags as a command names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NamedFlags {
    /// Those that a person may set.
    pub(crate) flags: Flags,
    /// `$Email2Verified` was among them: refused (spec §10.3.1).
    pub(crate) verdict: bool,
}

impl NamedFlags {
    fn name_keyword(&mut self, keyword: &str) -> Parsed<()> {
        if keyword.eq_ignore_ascii_case(verdict::KEYWORD) {
            self.verdict = true;
            return Ok(());
        }
        if keyword.len() > limits::KEYWORD_OCTETS || self.flags.keywords.len() >= limits::KEYWORDS {
            return Err(Bad("a keyword is too long, or there are too many"));
        }
        self.flags.keywords.insert(keyword.to_owned());
        Ok(())
    }
}

/// ATOM-CHAR.
pub(crate) fn is_atom(octet: u8) -> bool {
    octet.is_ascii_graphic()
        && !matches!(
            octet,
            b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']'
        )
}

/// ASTRING-CHAR.
pub(crate) fn is_astring(octet: u8) -> bool {
    is_atom(octet) || octet == b']'
}

/// What stands in a quoted string as it is; 8-bit is UTF-8 there (RFC 9051 §4.3).
fn is_quoted(octet: u8) -> bool {
    !matches!(octet, b'"' | b'\\' | b'\r' | b'\n' | 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_come_in_three_forms() {
        let mut cursor = Cursor::new(b"ab] \"c\\\"\\\\\" {3}\r\nd)\" ~{1+}\r\nx NIL");
        assert_eq!(cursor.astring().unwrap().as_slice(), b"ab]");
        cursor.space().unwrap();
        assert_eq!(cursor.astring().unwrap().as_slice(), b"c\"\\");
        cursor.space().unwrap();
        assert_eq!(cursor.astring().unwrap().as_slice(), b"d)\"");
        cursor.space().unwrap();
        assert_eq!(cursor.nstring().unwrap().unwrap().as_slice(), b"x");
        cursor.space().unwrap();
        assert_eq!(cursor.nstring().unwrap(), None);
        cursor.end().unwrap();
    }

    #[test]
    fn the_verdicts_keyword_is_noticed_in_any_case() {
        let named = Cursor::new(b"(\\Seen $eMAIL2verified a)")
            .flag_list()
            .unwrap();
        assert!(named.verdict && named.flags.seen);
        assert_eq!(named.flags.keywords.len(), 1);
        assert!(Cursor::new(b"(\\Recent)").flag_list().is_err());
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        assert!(Cursor::new(b"\"abc").astring().is_err());
        assert!(Cursor::new(b"{5}\r\nabc").astring().is_err());
        assert!(Cursor::new(b"(a b").flag_list().is_err());
        assert!(Cursor::new(b"99999999999").number().is_err());
    }
}
