//! Reports of ordinary hops (RFC 3464): which message they say could not be
//! delivered, and to whom (spec §11.5). Nothing in them is proved.

use crate::address::Address;
use crate::limits;

/// Message-IDs of one report that are looked at: of the message it is about, and
/// of what stands around it.
const MESSAGE_IDS: usize = 8;

/// What a report says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounce {
    /// Every `Message-ID` below the report's own header section, as it stands there.
    pub message_ids: Vec<Vec<u8>>,
    /// Every address in `Final-Recipient` and `Original-Recipient`.
    pub recipients: Vec<Address>,
}

/// Reads the body of a report as far as it is given, line by line: a field counts
/// wherever it begins a line. What is encoded for its transfer is not found.
pub fn read(body: &[u8]) -> Bounce {
    let mut found = Bounce::default();
    let mut lines = body.split(|octet| *octet == b'\n').peekable();
    while let Some(line) = lines.next() {
        let Some((name, value)) = field(line) else {
            continue;
        };
        let folded = lines.peek().copied().filter(|next| is_folded(next));
        let value = if value.is_empty() {
            folded.unwrap_or_default().trim_ascii()
        } else {
            value
        };
        found.take(name, value);
    }
    found
}

impl Bounce {
    fn take(&mut self, name: &[u8], value: &[u8]) {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("Message-ID") && !value.is_empty() && self.message_ids.len() < MESSAGE_IDS {
            self.message_ids.push(value.to_vec());
        }
        if is("Final-Recipient") || is("Original-Recipient") {
            self.take_recipient(value);
        }
    }

    fn take_recipient(&mut self, value: &[u8]) {
        let text = String::from_utf8_lossy(value);
        let address = text.split_once(';').map(|(_, address)| address.trim());
        let address = address.map(|text| text.trim_matches(['<', '>']));
        let Some(Ok(address)) = address.map(Address::parse) else {
            return;
        };
        if self.recipients.len() < limits::BOUNCE_RECIPIENTS && !self.recipients.contains(&address)
        {
            self.recipients.push(address);
        }
    }
}

fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|octet| *octet == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    Some((name, value.get(1..)?.trim_ascii()))
}

fn is_folded(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_message_and_recipients() {
        let report = b"--b\r\nContent-Type: message/delivery-status\r\n\r\n\
            Reporting-MTA: dns; mx.example.net\r\n\r\n\
            Final-Recipient: rfc822; carol@example.net\r\n\
            Original-Recipient: RFC822;<Carol@example.net>\r\nAction: failed\r\n\r\n\
            --b\r\nContent-Type: text/rfc822-headers\r\n\r\n\
            message-id:\r\n <1@example.com>\r\nSubject: Message-ID: <2@x>\r\n";
        let found = read(report);
        assert_eq!(found.message_ids, [b"<1@example.com>"]);
        let recipients: Vec<String> = found.recipients.iter().map(ToString::to_string).collect();
        assert_eq!(recipients, ["carol@example.net", "Carol@example.net"]);
        assert_eq!(read(b""), Bounce::default());
    }

    #[test]
    fn it_is_bounded() {
        let many: String = (0..200)
            .map(|n| format!("Final-Recipient: rfc822;a{n}@b.c\nMessage-ID: <{n}@x>\n"))
            .collect();
        let found = read(many.as_bytes());
        assert_eq!(found.recipients.len(), limits::BOUNCE_RECIPIENTS);
        assert_eq!(found.message_ids.len(), MESSAGE_IDS);
    }
}
