//! `--eml`: a message file is made ready to be sent by this account.
//!
//! Nothing below the top header is touched here; what a seal cannot cover is
//! encoded, or refused with the reason, when the message is protected.

use email2::Rejection;
use email2::address::Address;
use email2::header::parse_from;
use email2::skeleton::Skeleton;

use super::compose::Composed;
use super::protect::OWN_BCC;

/// A message file and what is wanted of it.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// The octets: RFC 5322, lines ended by LF or CRLF; one mbox line may lead.
    pub octets: Vec<u8>,
    /// Put the account in place of another author.
    pub replace_from: bool,
    /// Recipients that were given; when all three are empty, the file's own count.
    pub to: Vec<Address>,
    /// Recipients of a copy.
    pub cc: Vec<Address>,
    /// Recipients of a blind copy.
    pub bcc: Vec<Address>,
}

/// Why a file cannot be sent. Sysexits 65.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Another author.
    #[error("the file is by {found}, not by {account}; --replace-from puts you in place")]
    OtherAuthor {
        /// Who.
        found: String,
        /// Whose account it is.
        account: Address,
    },
    /// A bare CR: is it a line end or not?
    #[error("line {0} has a bare CR, which mail cannot carry")]
    BareCr(usize),
    /// A header line that is no field.
    #[error("line {0} of the header is no field")]
    Header(usize),
    /// It passes a bound.
    #[error("the file cannot be sent: {0}")]
    Refused(Rejection),
    /// Nobody to send to.
    #[error("the file names no recipients: give --to, --cc or --bcc")]
    NoRecipients,
}

/// Makes the file ready: From is the account, Bcc is gone, lines end in CRLF.
///
/// # Errors
/// See [`ImportError`].
pub fn import(file: File, account: &Address) -> Result<Composed, ImportError> {
    let octets = with_crlf(without_mbox_line(&file.octets))?;
    Skeleton::check(&octets).map_err(ImportError::Refused)?;
    let (header, body) = split(&octets);
    let fields = fields(header)?;
    let (visible, bcc) = recipients(&file, &fields)?;
    let mut message = author(&fields, account, file.replace_from)?;
    let (mut has_to, mut has_version) = (false, false);
    for field in &fields {
        has_to |= field.is("To") || field.is("Cc");
        has_version |= field.is("MIME-Version");
        if field.leaves(file.replace_from) {
            message.extend_from_slice(field.whole);
        }
    }
    if !has_to {
        message.extend_from_slice(to_line(&visible).as_bytes());
    }
    if !has_version {
        message.extend_from_slice(b"MIME-Version: 1.0\r\n");
    }
    message.extend_from_slice(b"\r\n");
    message.extend_from_slice(body);
    Ok(Composed {
        message,
        visible,
        bcc,
    })
}

/// RFC 4155: a line `From someone date` in front of the header.
fn without_mbox_line(octets: &[u8]) -> &[u8] {
    if !octets.starts_with(b"From ") {
        return octets;
    }
    let end = octets
        .iter()
        .position(|octet| *octet == b'\n')
        .map_or(octets.len(), |at| at + 1);
    octets.get(end..).unwrap_or_default()
}

/// Lines ended by CRLF, the last one too. A CR elsewhere is an error: it may have been meant as
/// a line end or not.
fn with_crlf(octets: &[u8]) -> Result<Vec<u8>, ImportError> {
    let mut out = Vec::with_capacity(octets.len() + octets.len() / 32 + 2);
    for (number, line) in octets.split_inclusive(|octet| *octet == b'\n').enumerate() {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.contains(&b'\r') {
            return Err(ImportError::BareCr(number + 1));
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    Ok(out)
}

/// A field with its folds and final CRLF.
struct Field<'a> {
    name: &'a str,
    value: &'a [u8],
    whole: &'a [u8],
}

impl Field<'_> {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// From is written anew; Bcc, the list of blind recipients in one's own copy (spec §5.4.1) and
    /// what only a receiving server may say never leaves.
    fn leaves(&self, replaced: bool) -> bool {
        const NEVER: [&str; 7] = [
            "From",
            "Bcc",
            "Resent-Bcc",
            OWN_BCC,
            "Return-Path",
            "Content-Length",
            "Authentication-Results",
        ];
        let ours = self.name.to_ascii_lowercase();
        let ours = ours.starts_with("email2-") || ours.starts_with("x-email2-");
        let former = replaced && self.is("Sender");
        !ours && !former && !NEVER.iter().any(|name| self.is(name))
    }
}

fn split(octets: &[u8]) -> (&[u8], &[u8]) {
    if let Some(body) = octets.strip_prefix(b"\r\n") {
        return (&[], body);
    }
    match octets.windows(4).position(|window| window == b"\r\n\r\n") {
        Some(at) => {
            let (header, rest) = octets.split_at(at + 2);
            (header, rest.strip_prefix(b"\r\n").unwrap_or(rest))
        }
        None => (octets, &[]),
    }
}

fn fields(header: &[u8]) -> Result<Vec<Field<'_>>, ImportError> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (header, 1);
    while !rest.is_empty() {
        let (whole, after) = rest.split_at(field_end(rest));
        let colon = whole.iter().position(|octet| *octet == b':');
        let (name, value) = match colon {
            Some(colon) => (whole.get(..colon), whole.get(colon + 1..)),
            None => (None, None),
        };
        let name = name
            .and_then(|name| std::str::from_utf8(name).ok())
            .map(str::trim_end);
        let name =
            name.filter(|name| !name.is_empty() && name.bytes().all(|c| c.is_ascii_graphic()));
        let (Some(name), Some(value)) = (name, value) else {
            return Err(ImportError::Header(line));
        };
        line += whole.split(|octet| *octet == b'\n').count() - 1;
        found.push(Field { name, value, whole });
        rest = after;
    }
    Ok(found)
}

/// Where the first field ends: behind a CRLF that no white space follows.
fn field_end(rest: &[u8]) -> usize {
    let ends = rest
        .windows(2)
        .enumerate()
        .filter(|(_, window)| *window == b"\r\n");
    for (at, _) in ends {
        if !matches!(rest.get(at + 2), Some(b' ' | b'\t')) {
            return at + 2;
        }
    }
    rest.len()
}

/// The From line: the file's own where it is the account's, else the account.
fn author(fields: &[Field<'_>], account: &Address, replace: bool) -> Result<Vec<u8>, ImportError> {
    let named: Vec<_> = fields.iter().filter(|field| field.is("From")).collect();
    if let [only] = named.as_slice()
        && parse_from(only.value.trim_ascii_end()).is_ok_and(|from| from.address == *account)
    {
        return Ok(only.whole.to_vec());
    }
    if replace || named.is_empty() {
        return Ok(format!("From: {account}\r\n").into_bytes());
    }
    let found: Vec<_> = named
        .iter()
        .map(|field| String::from_utf8_lossy(field.value).trim().to_owned())
        .collect();
    Err(ImportError::OtherAuthor {
        found: found.join(" and "),
        account: account.clone(),
    })
}

fn recipients(
    file: &File,
    fields: &[Field<'_>],
) -> Result<(Vec<Address>, Vec<Address>), ImportError> {
    let given = [file.to.as_slice(), &file.cc].concat();
    let (visible, bcc) = if given.is_empty() && file.bcc.is_empty() {
        (named(fields, &["To", "Cc"]), named(fields, &["Bcc"]))
    } else {
        (given, file.bcc.clone())
    };
    if visible.is_empty() && bcc.is_empty() {
        return Err(ImportError::NoRecipients);
    }
    Ok((visible, bcc))
}

/// The addresses in these fields. The structure was bounded before (no parser sees octets before
/// the guard, ARCHITECTURE.md).
fn named(fields: &[Field<'_>], names: &[&str]) -> Vec<Address> {
    let mut header = Vec::new();
    for field in fields
        .iter()
        .filter(|field| names.iter().any(|name| field.is(name)))
    {
        header.extend_from_slice(b"To:");
        header.extend_from_slice(field.value);
    }
    header.extend_from_slice(b"\r\n");
    let Some(parsed) = mail_parser::MessageParser::new().parse_headers(&header) else {
        return Vec::new();
    };
    let values = parsed.header_values("To");
    let addresses = values.filter_map(|value| value.as_address());
    let mailboxes = addresses.flat_map(|list| list.iter());
    mailboxes
        .filter_map(|one| Address::parse(one.address.as_deref()?).ok())
        .collect()
}

fn to_line(visible: &[Address]) -> String {
    if visible.is_empty() {
        return "To: undisclosed-recipients:;\r\n".to_owned();
    }
    let all: Vec<_> = visible.iter().map(ToString::to_string).collect();
    format!("To: {}\r\n", all.join(",\r\n "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bob() -> Address {
        Address::parse("bob@example.org").unwrap()
    }

    fn file(octets: &[u8], replace_from: bool) -> File {
        File {
            octets: octets.to_vec(),
            replace_from,
            ..File::default()
        }
    }

    #[test]
    fn an_mbox_file_with_bare_line_feeds_is_made_ready() {
        let octets = b"From eve Mon\nFrom: Bob <bob@example.org>\nTo: a@example.com,\n \"C, D\" <c@example.com>\nBcc: d@example.com\nSubject: x\n\nhi\n";
        let composed = import(file(octets, false), &bob()).unwrap();
        let text = String::from_utf8(composed.message).unwrap();
        assert!(
            text.starts_with("From: Bob <bob@example.org>\r\nTo: a@example.com,\r\n"),
            "{text}"
        );
        assert!(
            !text.contains("Bcc") && text.ends_with("\r\n\r\nhi\r\n"),
            "{text}"
        );
        assert_eq!(composed.visible.len(), 2);
        assert_eq!(composed.bcc, [Address::parse("d@example.com").unwrap()]);
    }

    /// spec §5.4.1: a copy that is made again tells nobody of the blind recipients.
    #[test]
    fn the_list_in_ones_own_copy_stays_there() {
        let octets = b"X-Own-Bcc: d@example.com\nFrom: bob@example.org\nTo: a@example.com\n\nhi\n";
        let composed = import(file(octets, false), &bob()).unwrap();
        let text = String::from_utf8(composed.message).unwrap();
        assert!(!text.contains("d@example.com"), "{text}");
    }

    #[test]
    fn another_author_is_an_error_unless_replaced() {
        let octets = b"From: eve@example.net\nSender: x@example.net\nTo: a@example.com\n\nhi\n";
        let error = import(file(octets, false), &bob()).unwrap_err();
        assert!(matches!(error, ImportError::OtherAuthor { .. }));
        let composed = import(file(octets, true), &bob()).unwrap();
        let text = String::from_utf8(composed.message).unwrap();
        assert!(text.starts_with("From: bob@example.org\r\n") && !text.contains("example.net"));
    }

    #[test]
    fn what_is_no_mail_is_refused_with_the_line() {
        let broken = b"From: bob@example.org\nno field\n\n";
        assert!(matches!(
            import(file(broken, false), &bob()),
            Err(ImportError::Header(2))
        ));
        let bare = b"From: bob@example.org\nTo: a@example.com\n\na\rb\n";
        assert!(matches!(
            import(file(bare, false), &bob()),
            Err(ImportError::BareCr(4))
        ));
    }
}
