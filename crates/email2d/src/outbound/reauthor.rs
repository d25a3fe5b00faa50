//! What was passed on leaves for an ordinary domain, whose server knows no seals: where the
//! author's domain asks to refuse mail that it did not authenticate itself, the copy becomes the
//! mediator's own message, with the author's in it (spec §14.5).

use email2::address::Address;
use email2::evidence::Demand;
use email2::limits;
use email2::scan::Scan;
use email2::seal::Role;
use email2_store::StoreError;
use email2_store::queue::QueueEntry;

use super::deliver::Queued;
use super::prepare::header_of;
use crate::site::Site;

/// What speaks of the author's From, or is for nobody but Email 2.0.
const LEFT_OUT: [&str; 14] = [
    "From",
    "Sender",
    "Reply-To",
    "Author",
    "Autocrypt",
    "DKIM-Signature",
    "DKIM2-Signature",
    "ARC-Seal",
    "ARC-Message-Signature",
    "ARC-Authentication-Results",
    "Authentication-Results",
    "Email2-Seal",
    "Email2-Key",
    "Email2-Required",
];

/// Makes of what somebody of another domain wrote, and was passed on here, the message of the
/// address that passed it on (spec §14.5.1); leaves everything else as it is (spec §14.5.2).
///
/// # Errors
/// It cannot be read.
pub(super) async fn of_another(
    site: &Site,
    entry: &QueueEntry,
    content: &mut Queued,
) -> Result<(), StoreError> {
    let (Some((Role::Forward, _)), Some(by)) = (&entry.announced, entry.mail_from.address()) else {
        return Ok(());
    };
    let octets = content.body.read(0, 2 * limits::HEADER_OCTETS).await?;
    let header = header_of(&octets);
    let scanned = Scan::whole(false, header).ok();
    let Some(author) = scanned.as_ref().and_then(|it| it.header.from.as_ref().ok()) else {
        return Ok(());
    };
    if author.address.domain() == by.domain()
        || site.authentication.demand_of(&author.address).await == Demand::None
    {
        return Ok(());
    }
    content.front = reauthored(header, by, &author.address);
    content.skip = header.len() as u64;
    Ok(())
}

/// The header section, without its empty line, in the name of `by`.
fn reauthored(header: &[u8], by: &Address, author: &Address) -> Vec<u8> {
    let written = field(header, "From").unwrap_or_default();
    let answers = field(header, "Reply-To");
    let answers = answers.unwrap_or_else(|| format!(" {author}\r\n").into_bytes());
    let name = format!(
        "{} at {} via {}",
        author.local(),
        author.domain(),
        by.local()
    );
    let from = format!("From: \"{}\"\r\n <{by}>\r\n", plain(&name));
    [
        without(header),
        from.into_bytes(),
        b"Author:".to_vec(),
        written,
        b"Reply-To:".to_vec(),
        answers,
    ]
    .concat()
}

/// What may stand between quotes; no `@`, for a name is not to be taken for an address.
fn plain(name: &str) -> String {
    let plain = |c: char| match c {
        '"' | '\\' | '@' => '?',
        ' '..='~' => c,
        _ => '?',
    };
    name.chars().map(plain).collect()
}

/// The fields that stay, octet for octet.
fn without(header: &[u8]) -> Vec<u8> {
    let is_left_out = |field: &&[u8]| LEFT_OUT.iter().any(|name| value(field, name).is_some());
    let fields = fields(header);
    fields
        .filter(|field| !is_left_out(field))
        .flatten()
        .copied()
        .collect()
}

/// The value of the first field of that name, with its CRLF.
fn field(header: &[u8], name: &str) -> Option<Vec<u8>> {
    let found = fields(header).find_map(|field| value(field, name));
    found.map(<[u8]>::to_vec)
}

/// What stands behind the colon of a field of that name (RFC 5322 §4.5: blanks may stand before).
fn value<'a>(field: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (written, rest) = field.split_at_checked(name.len())?;
    let blank = rest
        .iter()
        .take_while(|octet| matches!(octet, b' ' | b'\t'));
    let behind = rest.get(blank.count()..)?.strip_prefix(b":");
    behind.filter(|_| written.eq_ignore_ascii_case(name.as_bytes()))
}

/// The fields of a header section, each with its lines.
fn fields(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = header;
    std::iter::from_fn(move || {
        let mut lines = rest.split_inclusive(|octet| *octet == b'\n');
        let first = lines.next()?.len();
        let folded = lines.take_while(|line| line.starts_with(b" ") || line.starts_with(b"\t"));
        let end = folded.fold(first, |end, line| end + line.len());
        let (field, others) = rest.split_at_checked(end)?;
        rest = others;
        Some(field)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_its_mediators_and_names_its_author() {
        let header = b"Delivered-To: club@example.com\r\nEmail2-Seal: v=1;\r\n f=forward\r\n\
            List-Id: <club.example.com>\r\nEMAIL2-SEAL : v=1\r\nFrom: Bob\r\n <bob@example.org>\r\n\
            To: club@example.com\r\nSubject: a\r\n word\r\nAutocrypt: addr=x\r\nContent-Type: x/y\r\n";
        let by = "club@example.com".parse().unwrap();
        let author = "bob@example.org".parse().unwrap();
        let front = reauthored(header, &by, &author);
        assert_eq!(
            String::from_utf8(front).unwrap(),
            "Delivered-To: club@example.com\r\nList-Id: <club.example.com>\r\n\
             To: club@example.com\r\nSubject: a\r\n word\r\nContent-Type: x/y\r\n\
             From: \"bob at example.org via club\"\r\n <club@example.com>\r\n\
             Author: Bob\r\n <bob@example.org>\r\nReply-To: bob@example.org\r\n"
        );
    }

    #[test]
    fn answers_go_where_the_author_wants_them_and_no_name_is_an_address() {
        let header = b"From: x\r\nReply-To: desk@example.org\r\n";
        let by = "club@example.com".parse().unwrap();
        let author = "\"a@b\\\"\"@example.org".parse().unwrap();
        let front = String::from_utf8(reauthored(header, &by, &author)).unwrap();
        assert!(front.ends_with("Reply-To: desk@example.org\r\n"), "{front}");
        let name = front.split('"').nth(1).unwrap();
        assert!(!name.contains(['@', '\\']), "{front}");
    }
}
