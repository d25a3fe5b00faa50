//! Trouble cases that other servers had (I02, I06, I08), and what SEARCH looks into.

use crate::office::{Client, Office};

const MESSAGE: &[u8] = b"From: Bob <bob@example.org>\r\nSubject: case\r\n\r\nText.\r\n";

/// Case I06: its octets, as in the case's file.
const QUOTES: &[u8] = b"From: =?utf-8?Q?B=22ob?= <bob@example.org>\r\n\
    To: \"A \\\"quoted\\\" one\" <alice@example.com>, no-at-sign, <@broken>\r\n\
    Subject: a \"quoted\" \\ subject {5}\r\nMessage-ID: <a\"b\\c@example.org>\r\n\
    In-Reply-To: \xff\xfe\"x\r\n\r\ntext\r\n";

/// Case I08: lines that look like a server's.
const TAGGED: &[u8] = b"X-Spam-Flag: NO\r\na1 OK done: yes\r\n\r\na1 NO it failed\r\n\
    * 99 EXISTS\r\n* BYE\r\n)\r\n{3}\r\nabc\r\n+ go ahead\r\n";

/// Text in base64, in quoted-printable and another charset, and something that is no text.
const PARTS: &[u8] = b"Subject: =?iso-8859-15?Q?100_=A4?=\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n\
    U3RyYcOfZQ==\r\n--b\r\n\
    Content-Type: text/html; charset=windows-1252\r\n\
    Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=DC=DFe und ver=\r\nmutlich\r\n--b\r\n\
    Content-Type: application/octet-stream; name=\"plan.bin\"\r\n\
    Content-Transfer-Encoding: base64\r\n\r\nc2VjcmV0\r\n--b\r\n\
    Content-Type: message/rfc822\r\n\r\nSubject: =?utf-8?B?w4RyZ2Vy?=\r\n\r\ninner\r\n--b--\r\n";

fn exists_then_ok(heard: &str, count: usize, tag: &str) {
    let exists = heard.find(&format!("* {count} EXISTS\r\n"));
    let done = heard.find(&format!("{tag} OK"));
    assert!(exists.is_some() && exists < done, "{heard}");
}

#[test]
fn i02_a_client_is_told_of_each_new_message_before_its_command_is_done() {
    let mut office = Office::new();
    office.deliver("INBOX", MESSAGE, true);
    office.deliver("Sent", MESSAGE, false);
    let mut client = Client::in_inbox(&mut office);
    let mut append = b"a APPEND INBOX (\\Seen) {51+}\r\n".to_vec();
    append.extend_from_slice(&MESSAGE[..51]);
    append.extend_from_slice(b"\r\n");
    exists_then_ok(&client.say(&mut office, &append), 2, "a");
    // A copy into the selected mailbox itself.
    exists_then_ok(&client.say(&mut office, b"b COPY 1 INBOX\r\n"), 3, "b");
    // A delivery, at the next command, whichever it is.
    office.deliver("INBOX", MESSAGE, true);
    exists_then_ok(&client.say(&mut office, b"c FETCH 1 FLAGS\r\n"), 4, "c");
    // What another session appends, copies and moves here.
    let mut other = Client::in_inbox(&mut office);
    other.say(&mut office, &append);
    exists_then_ok(&client.say(&mut office, b"d NOOP\r\n"), 5, "d");
    other.say(&mut office, b"s SELECT Sent\r\nm MOVE 1 INBOX\r\n");
    exists_then_ok(&client.say(&mut office, b"e CHECK\r\n"), 6, "e");
}

#[test]
fn i02_counts_agree_between_select_and_status() {
    let mut office = Office::new();
    office.deliver("INBOX", MESSAGE, true);
    let mut client = Client::in_inbox(&mut office);
    client.say(&mut office, b"a COPY 1 INBOX\r\n");
    let status = client.say(
        &mut office,
        b"b STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY)\r\n",
    );
    let told = "* STATUS \"INBOX\" (MESSAGES 2 UIDNEXT 13 UIDVALIDITY 7)\r\n";
    assert!(status.starts_with(told), "{status}");
    let selected = client.say(&mut office, b"c SELECT INBOX\r\n");
    for line in ["* 2 EXISTS\r\n", "[UIDNEXT 13]", "[UIDVALIDITY 7]"] {
        assert!(selected.contains(line), "{selected}");
    }
    let fetched = client.say(&mut office, b"d UID FETCH 1:* (UID)\r\n");
    let both = "* 1 FETCH (UID 11)\r\n* 2 FETCH (UID 12)\r\nd OK done\r\n";
    assert_eq!(fetched, both);
}

#[test]
fn what_lies_below_a_deleted_mailbox_is_found_level_by_level() {
    let mut office = Office::new();
    for name in ["Lists/rust/2026", "Lists/mail"] {
        office.mailboxes.push((name.to_owned(), None));
    }
    let mut client = Client::in_inbox(&mut office);
    let heard = client.say(&mut office, b"a LIST \"\" L%\r\n");
    let level = "(\\Noselect \\HasChildren) \"/\" \"Lists\"\r\n";
    assert_eq!(heard, format!("* LIST {level}a OK done\r\n"));
    let heard = client.say(&mut office, b"b LSUB \"\" L%\r\n");
    assert_eq!(heard, format!("* LSUB {level}b OK done\r\n"));
    let heard = client.say(&mut office, b"c LIST \"\" Lists/%\r\n");
    let rust = "* LIST (\\Noselect \\HasChildren) \"/\" \"Lists/rust\"\r\n";
    let mail = "* LIST (\\HasNoChildren) \"/\" \"Lists/mail\"\r\n";
    assert_eq!(heard, format!("{rust}{mail}c OK done\r\n"));
    // Whoever asks for all at once is told of real ones alone.
    let heard = client.say(&mut office, b"d LIST \"\" *\r\n");
    assert!(!heard.contains("Noselect"), "{heard}");
}

#[test]
fn i06_quotes_and_octets_break_no_answer() {
    let mut office = Office::new();
    office.deliver("INBOX", QUOTES, false);
    let mut client = Client::in_inbox(&mut office);
    let heard = client.octets(&mut office, b"a FETCH 1 (ENVELOPE)\r\nb NOOP\r\n");
    let quoted = br#""<a\"b\\c@example.org>")"#;
    assert!(heard.windows(quoted.len()).any(|part| part == quoted));
    // Raw octets stand in a literal.
    let literal = b"{4}\r\n\xff\xfe\"x";
    assert!(heard.windows(literal.len()).any(|part| part == literal));
    assert!(heard.ends_with(b"a OK done\r\nb OK done\r\n"));
    let field = b"c FETCH 1 BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]\r\n";
    let heard = client.say(&mut office, field);
    let shown = "Message-ID: <a\"b\\c@example.org>\r\n\r\n";
    let shown = format!("{{{}}}\r\n{shown})\r\nc OK done\r\n", shown.len());
    assert!(heard.ends_with(&shown), "{heard}");
}

#[test]
fn i08_what_looks_like_an_answer_stays_inside_its_literal() {
    let mut office = Office::new();
    office.deliver("INBOX", TAGGED, false);
    let mut client = Client::in_inbox(&mut office);
    let heard = client.say(&mut office, b"a1 FETCH 1 (BODY.PEEK[TEXT] FLAGS)\r\n");
    let text = "a1 NO it failed\r\n* 99 EXISTS\r\n* BYE\r\n)\r\n{3}\r\nabc\r\n+ go ahead\r\n";
    let whole = format!(
        "* 1 FETCH (BODY[TEXT] {{{}}}\r\n{text} FLAGS ())\r\na1 OK done\r\n",
        text.len()
    );
    assert_eq!(heard, whole);
}

#[test]
fn searching_looks_at_what_a_person_reads() {
    let mut office = Office::new();
    office.deliver("INBOX", PARTS, false);
    let mut client = Client::in_inbox(&mut office);
    let mut finds = |key: &str, text: &str| {
        let command = format!(
            "a SEARCH CHARSET UTF-8 {key} {{{}+}}\r\n{text}\r\n",
            text.len()
        );
        let heard = client.say(&mut office, command.as_bytes());
        match heard.as_str() {
            "* SEARCH 1\r\na OK done\r\n" => true,
            "* SEARCH\r\na OK done\r\n" => false,
            other => panic!("{other}"),
        }
    };
    for text in [
        "straße",
        "STRAßE",
        "GRÜßE und vermutlich",
        "plan.bin",
        "ärger",
        "Inner",
    ] {
        assert!(finds("BODY", text), "{text}");
        assert!(finds("TEXT", text), "{text}");
    }
    assert!(finds("TEXT", "100 €") && finds("SUBJECT", "100 €"));
    for text in [
        // The encoding itself, what no person reads, the header, and a text over two parts.
        "U3RyYcOfZQ",
        "gr=DC",
        "secret",
        "c2VjcmV0",
        "100 €",
        "straßegr",
    ] {
        assert!(!finds("BODY", text), "{text}");
    }
}
