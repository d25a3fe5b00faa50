//! KEY and KEYPUT: arguments and answers, both ways (spec §3.4, §3.5, §3.6).

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::address::Identity;
use crate::assurance::Assurance;
use crate::certificate::Fingerprint;
use crate::limits;
use crate::policy_record::{Strictness, seconds};
use crate::rejection::GRANTED_STATUS as STATUS;

/// The text of an answer that has nothing new.
const UNCHANGED: &str = "unchanged";
/// What stands before the token in the answer to KEYPUT.
const TOKEN_WORD: &str = "token=";

/// The name of one version of a served certificate: 1 to 64 lower-case
/// hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Etag(String);

/// The arguments of KEY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyQuery {
    /// Whose certificate.
    pub subject: Identity,
    /// A verifier names the key that signed; a writer names none.
    pub fingerprint: Option<Fingerprint>,
    /// The version that the asker already has.
    pub etag: Option<Etag>,
}

/// What the domain says of a certificate (spec §3.5). Unknown flags are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFlags {
    /// This address always seals.
    pub strict: bool,
    /// The address is not listed: only a verifier is answered.
    pub unlisted: bool,
    /// The key asked for is revoked for good, whatever the time.
    pub hard: bool,
    /// The address has belonged to this key since then, Unix seconds. Shown,
    /// never judged.
    pub since: Option<u64>,
    /// The key counts as softly revoked from then on, Unix seconds.
    pub until: Option<u64>,
    /// The domain's policy (only in answers for `@domain`).
    pub p: Option<Strictness>,
    /// The policy of subdomains without a record (only for `@domain`).
    pub sp: Option<Strictness>,
    /// How long the domain's word is remembered, seconds (only for `@domain`).
    pub ma: Option<u32>,
    /// How the answering server authenticated the domain that it asked (only in the answers of
    /// a person's own server for another domain, spec §3.10.5).
    pub assurance: Option<Assurance>,
}

/// The answer to KEY, when it is one (refusals are
/// [`Rejection`](crate::Rejection)s).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyAnswer {
    /// A certificate.
    Certificate {
        /// Its version.
        etag: Etag,
        /// How long it may be used without asking again, seconds.
        ttl: u32,
        /// What the domain says of it.
        flags: KeyFlags,
        /// The certificate, binary OpenPGP, at most 32 KiB.
        octets: Vec<u8>,
    },
    /// The version that the asker named is the newest.
    Unchanged,
}

/// The arguments of KEYPUT; exactly `size` octets of certificate follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPut {
    /// Whose certificate: one's own address.
    pub address: Identity,
    /// Octets that follow.
    pub size: u32,
}

/// A device's password for submission and IMAP: 43 base64url characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

/// The 250 answer to KEYPUT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPutAnswer {
    /// The device's new password, after the one-time code only (spec §3.7.2).
    pub token: Option<Token>,
}

/// Why a command's arguments or an answer do not parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyQueryError {
    /// The subject is neither an address nor `@domain`.
    #[error("the subject is neither <local@domain> nor <@domain>")]
    Subject,
    /// An argument that is none of FPR and ETAG, or one given twice.
    #[error("an argument is not FPR=hex or ETAG=hex, or stands twice")]
    Argument,
    /// A line or a certificate is too long.
    #[error("too long")]
    TooLong,
    /// The answer's first line is malformed.
    #[error("the first line of the answer is malformed")]
    FirstLine,
    /// The base64 lines are malformed.
    #[error("the base64 of the answer is malformed")]
    Base64,
    /// A line without its status code, or an empty answer.
    #[error("a line of the answer does not begin with 2.0.0")]
    Status,
    /// The token is not 43 characters of base64url.
    #[error("the token is not 43 characters of base64url")]
    Token,
}

impl Etag {
    /// The etag that a digest gives: all its digits.
    pub(crate) fn from_digest(digest: &[u8; 32]) -> Self {
        Self(digest.iter().map(|octet| format!("{octet:02x}")).collect())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Etag {
    type Err = KeyQueryError;
    /// Reads the digits (spec §3.4).
    fn from_str(text: &str) -> Result<Self, KeyQueryError> {
        let digits = text.bytes().all(|o| matches!(o, b'0'..=b'9' | b'a'..=b'f'));
        if digits && (1..=limits::ETAG_DIGITS).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(KeyQueryError::Argument)
        }
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl KeyQuery {
    /// Reads what follows the verb: `<subject> [FPR=hex] [ETAG=hex]`.
    ///
    /// # Errors
    /// See [`KeyQueryError`].
    pub fn parse(args: &str) -> Result<Self, KeyQueryError> {
        if args.len() > limits::KEY_COMMAND_OCTETS {
            return Err(KeyQueryError::TooLong);
        }
        let (subject, words) = split_subject(args)?;
        let mut query = Self {
            subject,
            fingerprint: None,
            etag: None,
        };
        let mut words = words.peekable();
        if let Some(hex) = words.peek().and_then(|word| value_of(word, "FPR=")) {
            let fingerprint = hex.to_ascii_lowercase().parse();
            query.fingerprint = Some(fingerprint.map_err(|_| KeyQueryError::Argument)?);
            words.next();
        }
        if let Some(digits) = words.peek().and_then(|word| value_of(word, "ETAG=")) {
            query.etag = Some(digits.parse()?);
            words.next();
        }
        if words.next().is_some() {
            Err(KeyQueryError::Argument)
        } else {
            Ok(query)
        }
    }
}

/// Splits `<subject>` from the words behind it. A quoted local part may hold a
/// `>`, the words behind may not, so the last one ends the subject.
fn split_subject(args: &str) -> Result<(Identity, impl Iterator<Item = &str>), KeyQueryError> {
    let open = args.strip_prefix('<').ok_or(KeyQueryError::Subject)?;
    let (subject, behind) = open.rsplit_once('>').ok_or(KeyQueryError::Subject)?;
    let subject = Identity::parse(subject).map_err(|_| KeyQueryError::Subject)?;
    let mut words = behind.split(' ');
    match words.next() {
        Some("") => Ok((subject, words)),
        _ => Err(KeyQueryError::Argument),
    }
}

/// The value behind a keyword, which may stand in any case (RFC 5234 §2.3).
fn value_of<'a>(word: &'a str, keyword: &str) -> Option<&'a str> {
    let (name, value) = word.split_at_checked(keyword.len())?;
    name.eq_ignore_ascii_case(keyword).then_some(value)
}

impl fmt::Display for KeyQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.subject)?;
        if let Some(fingerprint) = &self.fingerprint {
            write!(f, " FPR={fingerprint}")?;
        }
        self.etag
            .as_ref()
            .map_or(Ok(()), |etag| write!(f, " ETAG={etag}"))
    }
}

impl FromStr for KeyFlags {
    type Err = KeyQueryError;
    /// Reads the comma list, or `-` for none; unknown flags are ignored, known
    /// ones may stand once and must have a value that is one (spec §3.5.2).
    fn from_str(text: &str) -> Result<Self, KeyQueryError> {
        let mut flags = Self::default();
        if text == "-" {
            return Ok(flags);
        }
        for flag in text.split(',') {
            flags.take(flag).ok_or(KeyQueryError::FirstLine)?;
        }
        Ok(flags)
    }
}

impl KeyFlags {
    /// Takes one flag; `None` when it is malformed or stands twice.
    fn take(&mut self, flag: &str) -> Option<()> {
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (flag, None),
        };
        match name {
            "strict" => raise(&mut self.strict, value),
            "unlisted" => raise(&mut self.unlisted, value),
            "hard" => raise(&mut self.hard, value),
            "since" => fill(&mut self.since, moment(value?)),
            "until" => fill(&mut self.until, moment(value?)),
            "p" => fill(&mut self.p, value?.parse().ok()),
            "sp" => fill(&mut self.sp, value?.parse().ok()),
            "ma" => fill(&mut self.ma, seconds(value?)),
            "assurance" => fill(&mut self.assurance, value?.parse().ok()),
            _ => (is_token(name) && value.is_none_or(is_token)).then_some(()),
        }
    }

    /// The flags in their fixed order.
    fn words(&self) -> Vec<String> {
        let word = |set: bool, name: &str| set.then(|| name.to_owned());
        [
            word(self.strict, "strict"),
            word(self.unlisted, "unlisted"),
            word(self.hard, "hard"),
            self.since.map(|at| format!("since={at}")),
            self.until.map(|at| format!("until={at}")),
            self.p.map(|p| format!("p={p}")),
            self.sp.map(|sp| format!("sp={sp}")),
            self.ma.map(|ma| format!("ma={ma}")),
            self.assurance.map(|how| format!("assurance={how}")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Sets a flag that has no value.
fn raise(flag: &mut bool, value: Option<&str>) -> Option<()> {
    let new = value.is_none() && !*flag;
    *flag = true;
    new.then_some(())
}

/// Fills an empty place with a value that is one.
fn fill<T>(place: &mut Option<T>, value: Option<T>) -> Option<()> {
    if place.is_some() {
        return None;
    }
    *place = Some(value?);
    Some(())
}

/// Unix seconds, 1 to 12 digits.
fn moment(value: &str) -> Option<u64> {
    digits(value, 12).then(|| value.parse().ok())?
}

fn digits(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit())
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|o| o.is_ascii_alphanumeric() || matches!(o, b'-' | b'.' | b'_'))
}

impl fmt::Display for KeyFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.words();
        if words.is_empty() {
            f.write_str("-")
        } else {
            f.write_str(&words.join(","))
        }
    }
}

impl KeyAnswer {
    /// The texts that follow `250-` (the last: `250 `), each beginning with
    /// `2.0.0`; no line is longer than 512 octets with code and CRLF.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Unchanged => vec![format!("{STATUS}{UNCHANGED}")],
            Self::Certificate {
                etag,
                ttl,
                flags,
                octets,
            } => {
                let first = format!("{STATUS}v=1 etag={etag} ttl={ttl} flags={flags}");
                let raw = octets.chunks(limits::KEY_LINE_RAW_OCTETS);
                let base64 = raw.map(|line| format!("{STATUS}{}", STANDARD.encode(line)));
                std::iter::once(first).chain(base64).collect()
            }
        }
    }

    /// Reads those texts. What is longer than 32 KiB is refused before it is
    /// decoded (spec §3.5.1).
    ///
    /// # Errors
    /// See [`KeyQueryError`].
    pub fn parse(lines: &[String]) -> Result<Self, KeyQueryError> {
        let (first, base64) = lines.split_first().ok_or(KeyQueryError::Status)?;
        let first = first.strip_prefix(STATUS).ok_or(KeyQueryError::Status)?;
        if first == UNCHANGED && base64.is_empty() {
            return Ok(Self::Unchanged);
        }
        let (etag, ttl, flags) = parse_first(first)?;
        Ok(Self::Certificate {
            etag,
            ttl,
            flags,
            octets: decode(base64)?,
        })
    }
}

/// Reads `v=1 etag=… ttl=… flags=…`.
fn parse_first(line: &str) -> Result<(Etag, u32, KeyFlags), KeyQueryError> {
    let mut words = line.split(' ');
    let mut value = |keyword| {
        let word = words.next().and_then(|word| word.strip_prefix(keyword));
        word.ok_or(KeyQueryError::FirstLine)
    };
    let version = value("v=")?;
    let etag = value("etag=")?
        .parse()
        .map_err(|_| KeyQueryError::FirstLine)?;
    let ttl = value("ttl=")?;
    let flags = value("flags=")?.parse()?;
    if version != "1" || !digits(ttl, 10) || words.next().is_some() {
        return Err(KeyQueryError::FirstLine);
    }
    // Ten digits can be more than 32 bits: that long is as good as for ever.
    Ok((etag, ttl.parse().unwrap_or(u32::MAX), flags))
}

/// Joins and decodes the base64 lines: each whole groups, padding only at the end.
fn decode(lines: &[String]) -> Result<Vec<u8>, KeyQueryError> {
    let mut octets = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        let base64 = line.strip_prefix(STATUS).ok_or(KeyQueryError::Status)?;
        if base64.len() > limits::KEY_LINE_RAW_OCTETS / 3 * 4 {
            return Err(KeyQueryError::TooLong);
        }
        let padded_early = base64.ends_with('=') && place + 1 < lines.len();
        let raw = STANDARD.decode(base64).map_err(|_| KeyQueryError::Base64)?;
        if padded_early || raw.is_empty() {
            return Err(KeyQueryError::Base64);
        }
        octets.extend(raw);
        if octets.len() > limits::CERTIFICATE_OCTETS {
            return Err(KeyQueryError::TooLong);
        }
    }
    if octets.is_empty() {
        Err(KeyQueryError::Base64)
    } else {
        Ok(octets)
    }
}

impl KeyPut {
    /// Reads what follows the verb: `<subject> size`.
    ///
    /// # Errors
    /// See [`KeyQueryError`].
    pub fn parse(args: &str) -> Result<Self, KeyQueryError> {
        if args.len() > limits::KEY_COMMAND_OCTETS {
            return Err(KeyQueryError::TooLong);
        }
        let (address, mut words) = split_subject(args)?;
        let size = words.next().ok_or(KeyQueryError::Argument)?;
        if !digits(size, 5) || words.next().is_some() {
            return Err(KeyQueryError::Argument);
        }
        let size = size.parse().map_err(|_| KeyQueryError::Argument)?;
        Ok(Self { address, size })
    }
}

impl fmt::Display for KeyPut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}> {}", self.address, self.size)
    }
}

impl Token {
    /// Makes a token from 32 random octets.
    pub fn from_random(octets: &[u8; 32]) -> Self {
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(octets)))
    }

    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Token {
    type Err = KeyQueryError;
    fn from_str(text: &str) -> Result<Self, KeyQueryError> {
        let octets = URL_SAFE_NO_PAD.decode(text).map(Zeroizing::new);
        let octets = octets.map_err(|_| KeyQueryError::Token)?;
        let octets: &[u8; 32] = octets
            .as_slice()
            .try_into()
            .map_err(|_| KeyQueryError::Token)?;
        Ok(Self::from_random(octets))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

impl KeyPutAnswer {
    /// The text that follows `250 `.
    pub fn lines(&self) -> Vec<String> {
        let token = self.token.as_ref();
        let token = token.map(|token| format!(" {TOKEN_WORD}{}", token.reveal()));
        vec![format!("{STATUS}published{}", token.unwrap_or_default())]
    }

    /// Reads that text; words that are no token say nothing to a program.
    ///
    /// # Errors
    /// See [`KeyQueryError`].
    pub fn parse(lines: &[String]) -> Result<Self, KeyQueryError> {
        let last = lines.last().ok_or(KeyQueryError::Status)?;
        let text = last.strip_prefix(STATUS).ok_or(KeyQueryError::Status)?;
        let token = text
            .split(' ')
            .find_map(|word| word.strip_prefix(TOKEN_WORD));
        Ok(Self {
            token: token.map(str::parse).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FPR: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn queries() {
        let query = KeyQuery::parse("<Bob@Example.org>").unwrap();
        assert_eq!(query.to_string(), "<Bob@example.org>");
        let text = format!("<@example.org> FPR={FPR} ETAG=0a");
        assert_eq!(KeyQuery::parse(&text).unwrap().to_string(), text);
        let lower = format!("<@example.org> fpr={} etag=0a", FPR.to_uppercase());
        assert_eq!(KeyQuery::parse(&lower).unwrap().to_string(), text);
        let quoted = "<\"a> FPR=b\"@example.org>";
        assert_eq!(KeyQuery::parse(quoted).unwrap().to_string(), quoted);
    }

    #[test]
    fn queries_that_are_none() {
        for args in [
            "",
            "bob@example.org",
            "<bob@example.org",
            "<>",
            "<bob@example.org> ",
            "<bob@example.org>  ETAG=a",
            "<bob@example.org>ETAG=a",
            "<bob@example.org> ETAG=A",
            "<bob@example.org> ETAG=",
            "<bob@example.org> FPR=ab",
            "<bob@example.org> ETAG=a ETAG=a",
            "<bob@example.org> X=1",
        ] {
            assert!(KeyQuery::parse(args).is_err(), "{args:?}");
        }
        let long = format!("<bob@example.org> ETAG={}", "a".repeat(65));
        assert!(KeyQuery::parse(&long).is_err());
    }

    #[test]
    fn the_longest_command_fits_its_limit() {
        let longest = format!(
            "KEY <{}> FPR={} ETAG={}\r\n",
            "a".repeat(254),
            "f".repeat(64),
            "f".repeat(64)
        );
        assert_eq!(longest.len(), limits::KEY_COMMAND_OCTETS);
    }

    #[test]
    fn the_longest_lines_fit() {
        let answer = KeyAnswer::Certificate {
            etag: "f".repeat(64).parse().unwrap(),
            ttl: u32::MAX,
            flags: KeyFlags {
                strict: true,
                since: Some(999_999_999_999),
                ..KeyFlags::default()
            },
            octets: vec![7; limits::CERTIFICATE_OCTETS],
        };
        let lines = answer.lines();
        assert!(
            lines
                .iter()
                .all(|line| "250-\r\n".len() + line.len() <= limits::KEY_LINE_OCTETS)
        );
        assert_eq!(lines[1].len(), 506);
        assert_eq!(KeyAnswer::parse(&lines), Ok(answer));
    }

    #[test]
    fn answers_that_are_none() {
        let lines = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let first = "2.0.0 v=1 etag=a ttl=60 flags=-";
        for texts in [
            &[] as &[&str],
            &["unchanged"],
            &[first],
            &[first, "2.0.0 "],
            &[first, "2.0.0 AA==", "2.0.0 AAAA"],
            &[first, "AAAA"],
            &[first, "2.0.0 AAA"],
            &["2.0.0 v=2 etag=a ttl=60 flags=-", "2.0.0 AAAA"],
            &["2.0.0 v=1 etag=a ttl=60 flags=", "2.0.0 AAAA"],
            &["2.0.0 v=1 etag=a ttl=60 flags=hard,hard", "2.0.0 AAAA"],
            &["2.0.0 v=1 etag=a ttl=60 flags=hard=no", "2.0.0 AAAA"],
            &["2.0.0 v=1 etag=a ttl=60 flags=until", "2.0.0 AAAA"],
            &["2.0.0 unchanged", "2.0.0 AAAA"],
        ] {
            assert!(KeyAnswer::parse(&lines(texts)).is_err(), "{texts:?}");
        }
        let too_much: Vec<String> = std::iter::once(first.to_owned())
            .chain(std::iter::repeat_n(
                format!("2.0.0 {}", "A".repeat(500)),
                88,
            ))
            .collect();
        assert_eq!(KeyAnswer::parse(&too_much), Err(KeyQueryError::TooLong));
        let later = lines(&[
            "2.0.0 v=1 etag=a ttl=9999999999 flags=strict,new=1.x,other",
            "2.0.0 AAAA",
        ]);
        assert!(matches!(
            KeyAnswer::parse(&later),
            Ok(KeyAnswer::Certificate { ttl: u32::MAX, .. })
        ));
    }

    #[test]
    fn tokens_come_back_and_stay_secret() {
        let token = Token::from_random(&[0xab; 32]);
        assert_eq!(token.reveal().len(), limits::TOKEN_CHARACTERS);
        let answer = KeyPutAnswer { token: Some(token) };
        assert_eq!(KeyPutAnswer::parse(&answer.lines()), Ok(answer.clone()));
        assert!(!format!("{answer:?}").contains("q6ur"));
        assert!("short".parse::<Token>().is_err());
        let put = KeyPut::parse("<bob@example.org> 1800").unwrap();
        assert_eq!(put.to_string(), "<bob@example.org> 1800");
        assert!(KeyPut::parse("<bob@example.org> 100000").is_err());
        assert!(KeyPut::parse("<bob@example.org>").is_err());
    }

    fn flags() -> impl Strategy<Value = KeyFlags> {
        let moment = || proptest::option::of(0..1_000_000_000_000u64);
        let policy = || {
            proptest::option::of(prop_oneof![
                Just(Strictness::Open),
                Just(Strictness::Strict)
            ])
        };
        let bits = (any::<bool>(), any::<bool>(), any::<bool>());
        let ma = proptest::option::of(0..=limits::MEMORY_MAX);
        let assurance = proptest::option::of(prop_oneof![
            Just(Assurance::Dnssec),
            Just(Assurance::DomainCertificate)
        ]);
        (
            bits,
            moment(),
            moment(),
            policy(),
            policy(),
            (ma, assurance),
        )
            .prop_map(
                |((strict, unlisted, hard), since, until, p, sp, (ma, assurance))| KeyFlags {
                    strict,
                    unlisted,
                    hard,
                    since,
                    until,
                    p,
                    sp,
                    ma,
                    assurance,
                },
            )
    }

    proptest! {
        #[test]
        fn answers_come_back(
            etag in "[0-9a-f]{1,64}",
            ttl in any::<u32>(),
            flags in flags(),
            octets in proptest::collection::vec(any::<u8>(), 1..2_000),
        ) {
            let answer = KeyAnswer::Certificate { etag: etag.parse().unwrap(), ttl, flags, octets };
            prop_assert_eq!(KeyAnswer::parse(&answer.lines()), Ok(answer));
        }

        #[test]
        fn queries_come_back(
            local in "[a-zA-Z0-9 .\"<>]{1,20}",
            v6 in any::<bool>(),
            etag in proptest::option::of("[0-9a-f]{1,64}"),
        ) {
            let domain = crate::address::Domain::parse("example.org").unwrap();
            let address = crate::address::Address::from_parts(local, domain).unwrap();
            let query = KeyQuery {
                subject: address.into(),
                fingerprint: v6.then(|| FPR.parse().unwrap()),
                etag: etag.map(|digits| digits.parse().unwrap()),
            };
            prop_assert_eq!(KeyQuery::parse(&query.to_string()), Ok(query));
        }

        #[test]
        fn anything_is_read_without_panic(text in ".{0,100}") {
            let _ = KeyQuery::parse(&text);
            let _ = KeyPut::parse(&text);
            let _ = KeyAnswer::parse(&[format!("2.0.0 {text}")]);
            let _ = KeyPutAnswer::parse(&[format!("2.0.0 {text}")]);
        }
    }
}
