//! Commands: one line in, one typed command out (RFC 5321 §4.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use email2::capability::{KEY_VERB, KEYPUT_VERB};
use email2::key_query::{KeyPut, KeyQuery};
use email2::limits;
use email2::rejection::Rejection;
use email2::scram::MECHANISM;
use zeroize::Zeroizing;

use crate::envelope::{Mail, Recipient};

/// What a command line begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Ehlo,
    Helo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Bdat,
    Rset,
    Noop,
    Quit,
    Vrfy,
    Expn,
    Help,
    Key,
    KeyPut,
}

const VERBS: [(&str, Verb); 16] = [
    ("EHLO", Verb::Ehlo),
    ("HELO", Verb::Helo),
    ("STARTTLS", Verb::StartTls),
    ("AUTH", Verb::Auth),
    ("MAIL", Verb::Mail),
    ("RCPT", Verb::Rcpt),
    ("DATA", Verb::Data),
    ("BDAT", Verb::Bdat),
    ("RSET", Verb::Rset),
    ("NOOP", Verb::Noop),
    ("QUIT", Verb::Quit),
    ("VRFY", Verb::Vrfy),
    ("EXPN", Verb::Expn),
    ("HELP", Verb::Help),
    (KEY_VERB, Verb::Key),
    (KEYPUT_VERB, Verb::KeyPut),
];

impl Verb {
    /// Reads the first word of a line.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        VERBS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word))
            .map(|(_, verb)| *verb)
    }

    /// The word itself, in capitals.
    pub(crate) fn as_str(self) -> &'static str {
        let row = VERBS.iter().find(|(_, verb)| *verb == self);
        row.map_or("", |(name, _)| name)
    }

    /// The longest line that begins with this verb, octets with CRLF.
    pub(crate) fn line_limit(self) -> usize {
        match self {
            Verb::Mail => limits::COMMAND_OCTETS + MAIL_STANDARD_GROWTH + limits::MAIL_GROWTH,
            Verb::Rcpt => limits::COMMAND_OCTETS + limits::RCPT_GROWTH,
            Verb::Key => limits::KEY_COMMAND_OCTETS,
            Verb::Auth => AUTH_OCTETS,
            _ => limits::COMMAND_OCTETS,
        }
    }
}

/// What SIZE (26, RFC 1870 §3), BODY (17, RFC 6152 §2), SMTPUTF8 (10, RFC 6531 §3.4) and AUTH
/// (500, RFC 4954 §3) add to the longest MAIL command, octets.
const MAIL_STANDARD_GROWTH: usize = 26 + 17 + 10 + 500;

/// The longest line of an authentication exchange, octets with CRLF (RFC 4954 §4).
pub(crate) const AUTH_OCTETS: usize = 12_288;

/// The longest line that may begin with these octets, CRLF included.
pub(crate) fn line_limit(seen: &[u8]) -> usize {
    let word = seen
        .split(|&octet| octet == b' ')
        .next()
        .unwrap_or_default();
    std::str::from_utf8(word)
        .ok()
        .and_then(Verb::parse)
        .map_or(limits::COMMAND_OCTETS, Verb::line_limit)
}

/// A command line, split but not understood yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Raw<'a> {
    /// Its verb.
    pub(crate) verb: Verb,
    /// What stands behind the verb and its space.
    pub(crate) arguments: &'a str,
}

/// Splits a line without CRLF.
pub(crate) fn split(line: &[u8]) -> Result<Raw<'_>, Rejection> {
    let line = std::str::from_utf8(line).map_err(|_| Rejection::CommandOctets)?;
    let (word, arguments) = line.split_once(' ').unwrap_or((line, ""));
    let verb = Verb::parse(word.trim_end()).ok_or(Rejection::UnknownCommand)?;
    Ok(Raw {
        verb,
        arguments: arguments.trim_end_matches([' ', '\t']),
    })
}

/// A command whose arguments are in form.
#[derive(Debug)]
pub(crate) enum Command {
    Ehlo {
        name: String,
    },
    Helo {
        name: String,
    },
    StartTls,
    Auth {
        mechanism: Mechanism,
        initial: Option<Zeroizing<String>>,
    },
    Mail(Mail),
    Rcpt(Recipient),
    Data,
    Bdat {
        size: u64,
        last: bool,
    },
    Rset,
    Noop,
    Quit,
    Vrfy,
    Expn,
    Help,
    Key(KeyQuery),
    KeyPut(KeyPut),
}

impl Raw<'_> {
    /// Understands the arguments; `postmaster` is whom `<postmaster>` means.
    pub(crate) fn understand(
        self,
        postmaster: Option<&email2::address::Address>,
    ) -> Result<Command, Rejection> {
        let arguments = self.arguments;
        Ok(match self.verb {
            Verb::Ehlo => Command::Ehlo {
                name: client_name(arguments)?,
            },
            Verb::Helo => Command::Helo {
                name: client_name(arguments)?,
            },
            Verb::StartTls => none(arguments, Command::StartTls)?,
            Verb::Auth => auth(arguments)?,
            Verb::Mail => Command::Mail(Mail::parse(arguments)?),
            Verb::Rcpt => Command::Rcpt(Recipient::parse(arguments, postmaster)?),
            Verb::Data => none(arguments, Command::Data)?,
            Verb::Bdat => bdat(arguments)?,
            Verb::Rset => none(arguments, Command::Rset)?,
            Verb::Quit => none(arguments, Command::Quit)?,
            Verb::Noop => Command::Noop,
            Verb::Vrfy => Command::Vrfy,
            Verb::Expn => Command::Expn,
            Verb::Help => Command::Help,
            Verb::Key => Command::Key(KeyQuery::parse(arguments).map_err(|_| expected(KEY_FORM))?),
            Verb::KeyPut => {
                Command::KeyPut(KeyPut::parse(arguments).map_err(|_| expected(KEYPUT_FORM))?)
            }
        })
    }
}

/// The forms of the commands that the specification adds, as a refusal names them.
const KEY_FORM: &str = "KEY <address or @domain> [FPR=hex] [ETAG=hex]";
const KEYPUT_FORM: &str = "KEYPUT <address> octets";

/// The refusal of arguments that are not in this form.
pub(crate) fn expected(expected: &'static str) -> Rejection {
    Rejection::BadArguments { expected }
}

fn none(arguments: &str, command: Command) -> Result<Command, Rejection> {
    if arguments.is_empty() {
        Ok(command)
    } else {
        Err(expected("no argument"))
    }
}

/// The name a client gives itself: only kept for the log, so only its form is looked at.
fn client_name(arguments: &str) -> Result<String, Rejection> {
    let graphic = arguments.bytes().all(|octet| octet.is_ascii_graphic());
    if arguments.is_empty() || !graphic {
        return Err(expected("EHLO name"));
    }
    Ok(arguments.to_owned())
}

fn auth(arguments: &str) -> Result<Command, Rejection> {
    let (mechanism, initial) = match arguments.split_once(' ') {
        Some((mechanism, initial)) => (mechanism, Some(Zeroizing::new(initial.to_owned()))),
        None => (arguments, None),
    };
    if mechanism.is_empty() {
        return Err(expected("AUTH mechanism [response]"));
    }
    let mechanism = Mechanism::parse(mechanism).ok_or(Rejection::AuthMechanism)?;
    Ok(Command::Auth { mechanism, initial })
}

fn bdat(arguments: &str) -> Result<Command, Rejection> {
    let (size, last) = chunk_arguments(arguments).ok_or(expected("BDAT size [LAST]"))?;
    Ok(Command::Bdat { size, last })
}

fn chunk_arguments(arguments: &str) -> Option<(u64, bool)> {
    let (size, last) = match arguments.split_once(' ') {
        Some((size, last)) => (size, last.eq_ignore_ascii_case("LAST").then_some(true)?),
        None => (arguments, false),
    };
    let digits = size.bytes().all(|octet| octet.is_ascii_digit());
    Some((size.parse().ok().filter(|_| digits)?, last))
}

/// How a client signs in (RFC 4422).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    /// RFC 4616.
    Plain,
    /// RFC 7677.
    Scram,
}

impl Mechanism {
    fn parse(word: &str) -> Option<Self> {
        let known = [("PLAIN", Mechanism::Plain), (MECHANISM, Mechanism::Scram)];
        let found = known
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word));
        found.map(|(_, mechanism)| *mechanism)
    }
}

/// What AUTH PLAIN says (RFC 4616).
pub struct Credentials {
    /// The identity to act as; empty: the same as `authentication`.
    pub authorization: String,
    /// Who signs in.
    pub authentication: String,
    /// The password or token; wiped when dropped.
    pub password: Zeroizing<String>,
}

/// Never shows the password (spec §9.5.1).
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("authorization", &self.authorization)
            .field("authentication", &self.authentication)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Reads the base64 of `authzid NUL authcid NUL password`.
    pub(crate) fn parse(response: &str) -> Result<Self, Rejection> {
        // RFC 4954 §4: "=" is an empty initial response, which PLAIN never has.
        let octets = STANDARD
            .decode(response)
            .map_err(|_| Rejection::AuthMalformed)?;
        let octets = Zeroizing::new(octets);
        let text = std::str::from_utf8(&octets).map_err(|_| Rejection::AuthMalformed)?;
        let mut parts = text.split('\0');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(authorization), Some(authentication), Some(password), None)
                if !authentication.is_empty() && !password.is_empty() =>
            {
                Ok(Credentials {
                    authorization: authorization.to_owned(),
                    authentication: authentication.to_owned(),
                    password: Zeroizing::new(password.to_owned()),
                })
            }
            _ => Err(Rejection::AuthMalformed),
        }
    }

    /// The base64 that [`Credentials::parse`] reads.
    pub(crate) fn response(&self) -> Zeroizing<String> {
        let text = Zeroizing::new(format!(
            "{}\0{}\0{}",
            self.authorization,
            self.authentication,
            self.password.as_str()
        ));
        Zeroizing::new(STANDARD.encode(text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understand(line: &str) -> Result<Command, Rejection> {
        split(line.as_bytes())?.understand(None)
    }

    #[test]
    fn verbs_are_known_in_any_case() {
        assert!(matches!(understand("quit"), Ok(Command::Quit)));
        assert!(matches!(understand("NoOp anything"), Ok(Command::Noop)));
        assert!(matches!(understand("Ehlo x"), Ok(Command::Ehlo { .. })));
        assert!(understand("EHLO").is_err());
        assert!(understand("QUIT now").is_err());
        assert!(understand("NOSUCH").is_err());
        assert!(understand("").is_err());
    }

    #[test]
    fn chunk_sizes_are_numbers() {
        let taken = understand("BDAT 12 last");
        assert!(matches!(
            taken,
            Ok(Command::Bdat {
                size: 12,
                last: true
            })
        ));
        for line in [
            "BDAT",
            "BDAT -1",
            "BDAT +1",
            "BDAT 1 LAST 1",
            "BDAT 99999999999999999999",
        ] {
            assert!(understand(line).is_err(), "{line}");
        }
    }

    #[test]
    fn only_plain_and_scram_are_known() {
        for (word, known) in [
            ("PLAIN", Mechanism::Plain),
            ("scram-sha-256", Mechanism::Scram),
        ] {
            let understood = understand(&format!("AUTH {word}"));
            assert!(matches!(
                understood,
                Ok(Command::Auth { mechanism, initial: None }) if mechanism == known
            ));
        }
        assert!(understand("AUTH SCRAM-SHA-256-PLUS").is_err());
        assert!(understand("AUTH LOGIN").is_err());
        let credentials = Credentials {
            authorization: String::new(),
            authentication: "bob@example.org".into(),
            password: Zeroizing::new("secret".into()),
        };
        let back = Credentials::parse(&credentials.response()).unwrap();
        assert_eq!(back.authentication, "bob@example.org");
        assert_eq!(back.password.as_str(), "secret");
        assert!(!format!("{back:?}").contains("secret"));
        assert!(Credentials::parse("=").is_err());
        assert!(Credentials::parse("AGEAYgBj").is_err());
    }

    #[test]
    fn lines_are_as_long_as_their_verb_allows() {
        assert_eq!(line_limit(b"KEY <a@b>"), 401);
        assert_eq!(line_limit(b"rcpt TO:"), 587);
        assert_eq!(line_limit(b"NOSUCH"), 512);
        assert!(line_limit(b"MAIL FROM:") >= 512 + 355);
    }
}
