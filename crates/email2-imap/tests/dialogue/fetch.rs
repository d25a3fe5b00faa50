//! FETCH and SEARCH: sections, structure, envelope.

use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder as _;

use crate::office::{Client, Office};

const NESTED: &[u8] = b"From: Bob <bob@example.org>\r\n\
MIME-Version: 1.0\r\n\
Content-Type: multipart/mixed; boundary=out\r\n\
\r\n\
preamble\r\n\
--out\r\n\
Content-Type: text/plain; charset=utf-8\r\n\
\r\n\
one\r\n\
two\r\n\
--out\r\n\
Content-Type: message/rfc822\r\n\
\r\n\
Subject: inner\r\n\
Content-Type: multipart/alternative; boundary=\"out-in\"\r\n\
\r\n\
--out-in\r\n\
\r\n\
plain\r\n\
--out-in\r\n\
Content-Type: text/html\r\n\
Content-Disposition: attachment; filename=\"a.html\"\r\n\
\r\n\
<p>\r\n\
--out-in--\r\n\
--out--\r\n\
epilogue\r\n";

fn ask(octets: &[u8], items: &str) -> Vec<u8> {
    let mut office = Office::new();
    office.deliver("INBOX", octets, false);
    let mut client = Client::in_inbox(&mut office);
    client.octets(&mut office, format!("a FETCH 1 {items}\r\n").as_bytes())
}

/// What is heard, once another's parser has read it too.
fn fetch(octets: &[u8], items: &str) -> Vec<u8> {
    let heard = ask(octets, items);
    let parsed = ResponseCodec::default().decode(&heard);
    let (rest, _) = parsed.unwrap_or_else(|error| {
        panic!("{error:?}: {}", String::from_utf8_lossy(&heard));
    });
    assert_eq!(rest, b"a OK done\r\n");
    heard
}

fn section(octets: &[u8], section: &str) -> String {
    let heard = fetch(octets, &format!("BODY.PEEK[{section}]"));
    let heard = String::from_utf8(heard).unwrap();
    let (_, value) = heard.split_once("] ").unwrap();
    match value.split_once("}\r\n") {
        Some((_, text)) => text.strip_suffix(")\r\na OK done\r\n").unwrap().to_owned(),
        None => value.split(')').next().unwrap().to_owned(),
    }
}

#[test]
fn sections_are_found() {
    assert_eq!(section(NESTED, "1"), "one\r\ntwo");
    assert_eq!(
        section(NESTED, "1.MIME"),
        "Content-Type: text/plain; charset=utf-8\r\n\r\n"
    );
    assert!(section(NESTED, "2").starts_with("Subject: inner\r\n"));
    assert!(section(NESTED, "2").ends_with("--out-in--"));
    assert!(section(NESTED, "2.HEADER").ends_with("boundary=\"out-in\"\r\n\r\n"));
    assert!(section(NESTED, "2.TEXT").starts_with("--out-in\r\n"));
    assert_eq!(
        section(NESTED, "2.HEADER.FIELDS (Subject)"),
        "Subject: inner\r\n\r\n"
    );
    assert_eq!(section(NESTED, "2.1"), "plain");
    assert_eq!(section(NESTED, "2.2"), "<p>");
    for missing in ["3", "1.1", "2.3", "1.HEADER", "2.1.TEXT"] {
        assert_eq!(section(NESTED, missing), "NIL", "{missing}");
    }
    assert_eq!(section(b"A: b\r\n\r\nbody", "1"), "body");
    assert_eq!(section(b"A: b\r\n\r\nbody", "TEXT"), "body");
    assert_eq!(section(b"A: b\r\n\r\nbody", "2"), "NIL");
}

#[test]
fn structure_is_told() {
    let heard = String::from_utf8(fetch(NESTED, "BODYSTRUCTURE")).unwrap();
    let wanted = "* 1 FETCH (BODYSTRUCTURE (\
        (\"TEXT\" \"PLAIN\" (\"charset\" \"utf-8\") NIL NIL \"7BIT\" 8 2 NIL NIL NIL NIL)\
        (\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 197 \
        (NIL \"inner\" NIL NIL NIL NIL NIL NIL NIL NIL) (\
        (\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 5 1 NIL NIL NIL NIL)\
        (\"TEXT\" \"HTML\" NIL NIL NIL \"7BIT\" 3 1 NIL \
        (\"attachment\" (\"filename\" \"a.html\")) NIL NIL) \
        \"ALTERNATIVE\" (\"boundary\" \"out-in\") NIL NIL NIL) 12 NIL NIL NIL NIL) \
        \"MIXED\" (\"boundary\" \"out\") NIL NIL NIL))\r\na OK done\r\n";
    assert_eq!(heard, wanted);
}

/// I06, M08: quotes and 8-bit break nothing.
#[test]
fn an_envelope_survives_quotes_and_octets() {
    let message = b"From: =?utf-8?Q?B=22ob?= <bob@example.org>\r\n\
        To: \"A \\\"quoted\\\" one\" <alice@example.com>, no-at-sign, <@broken>\r\n\
        Subject: a \"quoted\" \\ subject {5}\r\n\
        Date: Mon, 02 Mar 2026 10:00:00 +0000\r\n\
        Message-ID: <a\"b\\c@example.org>\r\n\
        In-Reply-To: \xff\"x\r\n\r\ntext\r\n";
    let heard = fetch(message, "(ENVELOPE BODYSTRUCTURE)");
    let heard = String::from_utf8_lossy(&heard);
    let wanted = "* 1 FETCH (ENVELOPE (\"Mon, 02 Mar 2026 10:00:00 +0000\" \
        \"a \\\"quoted\\\" \\\\ subject {5}\" \
        ((\"=?utf-8?Q?B=22ob?=\" NIL \"bob\" \"example.org\")) \
        ((\"=?utf-8?Q?B=22ob?=\" NIL \"bob\" \"example.org\")) \
        ((\"=?utf-8?Q?B=22ob?=\" NIL \"bob\" \"example.org\")) \
        ((\"A \\\"quoted\\\" one\" NIL \"alice\" \"example.com\")\
        (NIL NIL \"no-at-sign\" \"\")(NIL NIL \"\" \"broken\")) NIL NIL \
        {3}\r\n\u{fffd}\"x \"<a\\\"b\\\\c@example.org>\") ";
    assert!(heard.starts_with(wanted), "{heard}");
}

/// M01, M02: boundaries are whole lines; what is not closed ends with the message.
#[test]
fn boundaries_are_whole_lines() {
    let message = b"Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n\
        --b\r\nContent-Type: multipart/mixed; boundary=\"b-inner\"\r\n\r\n\
        --b-inner \r\n\r\nfirst\r\n--b-innermost\r\n--b-inner--\r\n--b\r\n\r\nlast";
    assert_eq!(section(message, "1.1"), "first\r\n--b-innermost");
    assert_eq!(section(message, "2"), "last");
    assert_eq!(section(message, "3"), "NIL");
}

/// M03: depth is bounded, what lies below is opaque, the answer is short.
#[test]
fn depth_is_bounded() {
    let level = b"Content-Type: message/rfc822\r\n\r\n";
    let deep = [level.repeat(22_000), b"Subject: x\r\n\r\ny\r\n".to_vec()].concat();
    let heard = ask(&deep, "BODYSTRUCTURE");
    assert!(heard.len() < 8_000, "{}", heard.len());
    let mut deep = Vec::new();
    for level in 0..2_000 {
        let text =
            format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n");
        deep.extend_from_slice(text.as_bytes());
    }
    let heard = ask(&deep, "BODYSTRUCTURE");
    assert!(heard.len() < 8_000, "{}", heard.len());
}

/// M04: a second Content-Disposition, an encoded word in it.
#[test]
fn broken_fields_do_no_harm() {
    let message = b"Content-Disposition: =?utf-8?Q?attachment?=\r\n\
        Content-Disposition: inline\r\nContent-Type: text/html; =; charset\r\n\r\nx";
    let heard = String::from_utf8(fetch(message, "BODYSTRUCTURE")).unwrap();
    assert!(
        heard.contains("\"TEXT\" \"HTML\" NIL NIL NIL \"7BIT\" 1 1 "),
        "{heard}"
    );
}

#[test]
fn a_large_message_streams() {
    let body = b"0123456789abcdef\r\n".repeat(300_000);
    let message = [b"Subject: large\r\n\r\n".as_slice(), &body].concat();
    let mut office = Office::new();
    office.deliver("INBOX", &message, false);
    let mut client = Client::in_inbox(&mut office);
    let heard = client.octets(&mut office, b"a FETCH 1 (BODYSTRUCTURE BODY[])\r\n");
    assert!(heard.len() > message.len());
    assert!(heard.ends_with(b"FLAGS (\\Seen))\r\na OK done\r\n"));
    assert_eq!(office.largest_read, 32 * 1024);
    assert!(
        client.largest_transmit <= 66 * 1024,
        "{}",
        client.largest_transmit
    );
}

#[test]
fn a_gone_message_costs_no_other() {
    let mut office = Office::new();
    office.deliver("INBOX", b"A: 1\r\n\r\n", false);
    office.deliver("INBOX", b"A: 2\r\n\r\n", false);
    let mut client = Client::in_inbox(&mut office);
    office.remove("INBOX", |info| info.uid == 11);
    let heard = client.say(&mut office, b"a FETCH 1:2 (UID RFC822.HEADER)\r\n");
    assert!(
        heard.starts_with("* 2 FETCH (UID 12 RFC822.HEADER {30}\r\n"),
        "{heard}"
    );
    assert!(
        heard.ends_with("a NO [EXPUNGEISSUED] some of the messages are gone\r\n"),
        "{heard}"
    );
}

#[test]
fn messages_are_searched() {
    let mut office = Office::new();
    office.deliver(
        "INBOX",
        b"From: Bob <bob@example.org>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\
          Date: Mon, 02 Mar 2026 23:00:00 -0800\r\n\r\nNeedle in the hay\r\n",
        true,
    );
    office.deliver("INBOX", b"From: eve@example.net\r\n\r\nhay\r\n", false);
    let mut client = Client::in_inbox(&mut office);
    for (keys, found) in [
        ("ALL", " 1 2"),
        ("FROM bob", " 1"),
        ("CHARSET UTF-8 SUBJECT {7+}\r\ngrüsse", ""),
        ("CHARSET UTF-8 SUBJECT {7+}\r\ngrüße", " 1"),
        ("BODY needle", " 1"),
        ("TEXT hay", " 1 2"),
        ("TEXT eve@", " 2"),
        ("BODY eve@", ""),
        ("NOT FROM bob", " 2"),
        ("OR FROM bob FROM eve UNSEEN", " 1 2"),
        ("SENTON 2-Mar-2026", " 1"),
        ("SENTSINCE 3-Mar-2026", ""),
        ("2:*", " 2"),
        ("UID 11", " 1"),
        ("SEEN", ""),
        ("LARGER 100", " 1"),
        ("HEADER Subject \"\"", " 1"),
    ] {
        let heard = client.say(&mut office, format!("a SEARCH {keys}\r\n").as_bytes());
        assert_eq!(heard, format!("* SEARCH{found}\r\na OK done\r\n"), "{keys}");
    }
    let heard = client.say(&mut office, b"b UID SEARCH RETURN (MIN COUNT ALL) ALL\r\n");
    let esearch = "* ESEARCH (TAG \"b\") UID MIN 11 ALL 11:12 COUNT 2\r\nb OK done\r\n";
    assert_eq!(heard, esearch);
    let heard = client.say(&mut office, b"c SEARCH CHARSET KOI8-R ALL\r\n");
    assert_eq!(
        heard,
        "c NO [BADCHARSET (US-ASCII UTF-8)] that charset is not known\r\n"
    );
}
