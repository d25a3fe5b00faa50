//! The envelope: arguments of MAIL and RCPT (RFC 5321 §4.1.1.2, §4.1.1.3, spec §3.2, §3.3).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use email2::address::{Address, Identity, ReversePath};
use email2::capability::{MAIL_PARAMETER, RCPT_PARAMETER};
use email2::evidence::Announced;
use email2::key_query::Etag;
use email2::rejection::Rejection;
use email2::seal::Role;

use crate::command::expected;

/// Everything that was said before the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What MAIL said.
    pub mail: Mail,
    /// The recipients accepted.
    pub recipients: Vec<Recipient>,
}

/// What MAIL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The reverse-path.
    pub from: ReversePath,
    /// The message is sealed, by this signer in this role (spec §3.2).
    pub announced: Option<Announced>,
    /// `BODY=8BITMIME` (RFC 6152).
    pub eight_bit: bool,
    /// `SMTPUTF8` (RFC 6531).
    pub smtputf8: bool,
    /// `SIZE=` in octets (RFC 1870), as the client estimates it.
    pub size: Option<u64>,
}

/// What RCPT says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The forward-path.
    pub address: Address,
    /// The certificate that the message was encrypted to (spec §3.3).
    pub etag: Option<Etag>,
}

impl Envelope {
    /// SMTPUTF8 was demanded, or an address needs it (RFC 6531 §3.4).
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        let mut recipients = self.recipients.iter();
        self.mail.smtputf8
            || self.mail.needs_smtputf8()
            || recipients.any(|to| to.address.needs_smtputf8())
    }
}

impl Mail {
    /// A reverse-path without parameters.
    #[must_use]
    pub fn new(from: ReversePath) -> Self {
        Mail {
            from,
            announced: None,
            eight_bit: false,
            smtputf8: false,
            size: None,
        }
    }

    /// Reads what stands behind `MAIL`.
    pub(crate) fn parse(arguments: &str) -> Result<Self, Rejection> {
        let (path, parameters) = path_and_parameters(arguments, "FROM:")?;
        let from = ReversePath::parse(path).map_err(|_| Rejection::BadAddress)?;
        let mut mail = Mail::new(from);
        let mut seen = Vec::new();
        for parameter in parameters.split_ascii_whitespace() {
            let (name, value) = split_parameter(parameter, &mut seen)?;
            mail.set(&name, value)?;
        }
        if mail.needs_smtputf8() && !mail.smtputf8 {
            return Err(Rejection::SmtpUtf8Required);
        }
        Ok(mail)
    }

    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), Rejection> {
        match (name, value) {
            ("SIZE", Some(size)) => self.size = Some(number(size)?),
            ("SMTPUTF8", None) => self.smtputf8 = true,
            ("BODY", Some(body)) if body.eq_ignore_ascii_case("8BITMIME") => self.eight_bit = true,
            ("BODY", Some(body)) if body.eq_ignore_ascii_case("7BIT") => {}
            // RFC 4954 §5: accepted; a client's word about who submitted is not used.
            ("AUTH", Some(_)) => {}
            (MAIL_PARAMETER, Some(value)) => self.announced = Some(announced(value)?),
            _ => return Err(Rejection::UnknownParameter),
        }
        Ok(())
    }

    fn needs_smtputf8(&self) -> bool {
        self.from.address().is_some_and(Address::needs_smtputf8)
    }
}

impl Recipient {
    /// A forward-path without parameters.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Recipient {
            address,
            etag: None,
        }
    }

    /// Reads what stands behind `RCPT`. `<postmaster>` without a domain (RFC 5321 §4.5.1) is
    /// `postmaster`.
    pub(crate) fn parse(arguments: &str, postmaster: Option<&Address>) -> Result<Self, Rejection> {
        let (path, parameters) = path_and_parameters(arguments, "TO:")?;
        let mut recipient = Recipient::new(forward_path(path, postmaster)?);
        let mut seen = Vec::new();
        for parameter in parameters.split_ascii_whitespace() {
            let (name, value) = split_parameter(parameter, &mut seen)?;
            let (RCPT_PARAMETER, Some(value)) = (name.as_str(), value) else {
                return Err(Rejection::UnknownParameter);
            };
            let etag = value.parse().map_err(|_| expected(RCPT_FORM))?;
            recipient.etag = Some(etag);
        }
        Ok(recipient)
    }
}

impl fmt::Display for Mail {
    /// The command without CRLF.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MAIL FROM:<{}>", self.from)?;
        if let Some(size) = self.size {
            write!(f, " SIZE={size}")?;
        }
        if self.eight_bit {
            f.write_str(" BODY=8BITMIME")?;
        }
        if self.smtputf8 {
            f.write_str(" SMTPUTF8")?;
        }
        if let Some(Announced { role, signer }) = &self.announced {
            let signer = URL_SAFE_NO_PAD.encode(signer.to_string());
            write!(f, " {MAIL_PARAMETER}={},{signer}", word_of(*role))?;
        }
        Ok(())
    }
}

impl fmt::Display for Recipient {
    /// The command without CRLF.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RCPT TO:<{}>", self.address)?;
        match &self.etag {
            Some(etag) => write!(f, " {RCPT_PARAMETER}={etag}"),
            None => Ok(()),
        }
    }
}

/// The forms that refusals name.
const PATH_FORM: &str = "FROM:<address> or TO:<address>, then parameters";
const ANNOUNCED_FORM: &str = "EMAIL2=role,base64url";
const RCPT_FORM: &str = "EMAIL2KEY=etag";

fn announced(value: &str) -> Result<Announced, Rejection> {
    let (role, signer) = value.split_once(',').ok_or(expected(ANNOUNCED_FORM))?;
    let role = role_of(role).ok_or(expected(ANNOUNCED_FORM))?;
    let octets = URL_SAFE_NO_PAD.decode(signer);
    let text = octets
        .ok()
        .and_then(|octets| String::from_utf8(octets).ok());
    let signer = text.ok_or(expected(ANNOUNCED_FORM))?;
    let signer = Identity::parse(&signer).map_err(|_| expected(ANNOUNCED_FORM))?;
    Ok(Announced { role, signer })
}

/// The words of spec §3.2.
const ROLES: [(&str, Role); 3] = [
    ("author", Role::Author),
    ("forward", Role::Forward),
    ("service", Role::Service),
];

fn role_of(word: &str) -> Option<Role> {
    let found = ROLES.iter().find(|(name, _)| *name == word);
    found.map(|(_, role)| *role)
}

fn word_of(role: Role) -> &'static str {
    let found = ROLES.iter().find(|(_, named)| *named == role);
    found.map_or("", |(word, _)| word)
}

fn forward_path(path: &str, postmaster: Option<&Address>) -> Result<Address, Rejection> {
    match postmaster {
        Some(postmaster) if path.eq_ignore_ascii_case("postmaster") => Ok(postmaster.clone()),
        _ => Address::parse(path).map_err(|_| Rejection::BadAddress),
    }
}

/// Splits `FROM:<path> parameters`; a source route in the path is dropped (RFC 5321 §4.1.1.3).
fn path_and_parameters<'a>(
    arguments: &'a str,
    keyword: &str,
) -> Result<(&'a str, &'a str), Rejection> {
    let head = arguments.get(..keyword.len());
    if !head.is_some_and(|head| head.eq_ignore_ascii_case(keyword)) {
        return Err(expected(PATH_FORM));
    }
    let rest = arguments.get(keyword.len()..).unwrap_or_default();
    // RFC 5321 §3.3 allows no space here, but many clients put one.
    let rest = rest.trim_start_matches(' ');
    let rest = rest.strip_prefix('<').ok_or(expected(PATH_FORM))?;
    let (path, parameters) = split_at_bracket(rest).ok_or(expected(PATH_FORM))?;
    if !parameters.is_empty() && !parameters.starts_with(' ') {
        return Err(expected(PATH_FORM));
    }
    Ok((without_route(path), parameters))
}

/// Splits at the first `>` that stands outside a quoted local part.
fn split_at_bracket(text: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    let end = text.bytes().position(|octet| {
        let ends = octet == b'>' && !quoted;
        quoted ^= octet == b'"' && !escaped;
        escaped = quoted && !escaped && octet == b'\\';
        ends
    })?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

fn without_route(path: &str) -> &str {
    match path.split_once(':') {
        Some((route, address)) if route.starts_with('@') => address,
        _ => path,
    }
}

/// Splits `NAME=value`; a name that came before is refused.
fn split_parameter<'a>(
    parameter: &'a str,
    seen: &mut Vec<String>,
) -> Result<(String, Option<&'a str>), Rejection> {
    let (name, value) = match parameter.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (parameter, None),
    };
    let name = name.to_ascii_uppercase();
    if seen.contains(&name) {
        return Err(expected("each parameter once"));
    }
    seen.push(name.clone());
    Ok((name, value))
}

/// At most 20 digits (RFC 1870 §6.1).
fn number(text: &str) -> Result<u64, Rejection> {
    let digits = text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| digits)
        .ok_or(expected("SIZE=octets"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut mail = Mail::new(ReversePath::parse("bob@example.org").unwrap());
        mail.size = Some(12);
        mail.eight_bit = true;
        mail.smtputf8 = true;
        mail.announced = Some(Announced {
            role: Role::Author,
            signer: Identity::parse("bob@example.org").unwrap(),
        });
        let line = mail.to_string();
        assert!(
            line.contains(" EMAIL2=author,Ym9iQGV4YW1wbGUub3Jn"),
            "{line}"
        );
        assert_eq!(Mail::parse(line.strip_prefix("MAIL ").unwrap()), Ok(mail));
        let mut to = Recipient::new(Address::parse("\"a> b\"@example.com").unwrap());
        to.etag = Some("0f".parse().unwrap());
        let line = to.to_string();
        assert_eq!(
            Recipient::parse(line.strip_prefix("RCPT ").unwrap(), None),
            Ok(to)
        );
    }

    #[test]
    fn odd_but_legal_forms_are_read() {
        let null = Mail::parse("from:<>").unwrap();
        assert_eq!(null.from, ReversePath::Null);
        let routed = Mail::parse("FROM: <@a.example,@b.example:bob@example.org> BODY=7bit");
        assert_eq!(routed.unwrap().from.to_string(), "bob@example.org");
        let postmaster = Address::parse("postmaster@example.org").unwrap();
        let to = Recipient::parse("TO:<PostMaster>", Some(&postmaster)).unwrap();
        assert_eq!(to.address, postmaster);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for arguments in [
            "FROM:bob@example.org",
            "FROM:<bob@example.org>X",
            "FROM:<bob@example.org> BODY=BINARYMIME",
            "FROM:<bob@example.org> SIZE=1 SIZE=1",
            "FROM:<bob@example.org> SIZE=-1",
            "FROM:<bob@example.org> SIZE",
            "FROM:<bob@example.org> EMAIL2=author",
            "FROM:<bob@example.org> EMAIL2=author,Ym9i",
            "FROM:<bob@example.org> EMAIL2=reader,Ym9iQGV4YW1wbGUub3Jn",
            "FROM:<bob@example.org> X=1",
            "FROM:<b\u{f6}b@example.org>",
            "",
        ] {
            assert!(Mail::parse(arguments).is_err(), "{arguments}");
        }
        assert!(Recipient::parse("TO:<postmaster>", None).is_err());
        assert!(Recipient::parse("TO:<a@example.com> EMAIL2KEY=XYZ", None).is_err());
    }
}
