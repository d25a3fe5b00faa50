//! The verdict is the server's alone (spec §10.3.1, §10.3.2, §10.3.3).

use crate::office::{Client, Office};

const FORGED: &[u8] = b"Email2-Verdict: verified; bob@example.org\r\n\
    X-Other: y\r\neMAIL2-vERDICT : verified\r\n\r\nEmail2-Verdict: in the text\r\n";
const SHOWN: &str = "Email2-Verdict: none\r\nX-Email2-Verdict: verified; bob@example.org\r\n\
    X-Other: y\r\nX-eMAIL2-vERDICT : verified\r\n\r\nEmail2-Verdict: in the text\r\n";

#[test]
fn the_keyword_shows_the_record() {
    let mut office = Office::new();
    office.deliver("INBOX", FORGED, false);
    office.deliver("INBOX", b"From: a@b\r\n\r\n", true);
    let mut client = Client::in_inbox(&mut office);
    let heard = client.say(&mut office, b"a FETCH 1:2 FLAGS\r\n");
    assert_eq!(
        heard,
        "* 1 FETCH (FLAGS ())\r\n* 2 FETCH (FLAGS ($Email2Verified))\r\na OK done\r\n"
    );
    let heard = client.say(&mut office, b"b SEARCH KEYWORD $email2verified\r\n");
    assert_eq!(heard, "* SEARCH 2\r\nb OK done\r\n");
    let heard = client.say(&mut office, b"c SEARCH HEADER Email2-Verdict verified\r\n");
    assert_eq!(heard, "* SEARCH 2\r\nc OK done\r\n");
}

#[test]
fn nobody_else_sets_or_takes_it() {
    let mut office = Office::new();
    office.deliver("INBOX", b"From: a@b\r\n\r\n", true);
    let mut client = Client::in_inbox(&mut office);
    let refused = "NO [CANNOT] only this server says that a message is verified\r\n";
    for command in [
        "STORE 1 +FLAGS ($Email2Verified)",
        "STORE 1 -FLAGS.SILENT $eMAIL2vERIFIED",
        "STORE 1 FLAGS (\\Seen $Email2Verified)",
    ] {
        let heard = client.say(&mut office, format!("a {command}\r\n").as_bytes());
        assert_eq!(heard, format!("a {refused}"), "{command}");
    }
    let heard = client.say(&mut office, b"b APPEND INBOX ($Email2Verified) {3}\r\n");
    assert_eq!(heard, format!("b {refused}"));
    let heard = client.say(&mut office, b"c STORE 1 FLAGS (\\Seen)\r\n");
    assert_eq!(
        heard,
        "* 1 FETCH (FLAGS (\\Seen $Email2Verified))\r\nc OK done\r\n"
    );
}

#[test]
fn a_field_of_its_name_is_shown_as_foreign() {
    let mut office = Office::new();
    office.deliver("INBOX", FORGED, false);
    let mut client = Client::in_inbox(&mut office);
    let heard = client.say(&mut office, b"a FETCH 1 (RFC822.SIZE BODY.PEEK[])\r\n");
    let size = SHOWN.len();
    let whole =
        format!("* 1 FETCH (RFC822.SIZE {size} BODY[] {{{size}}}\r\n{SHOWN})\r\na OK done\r\n");
    assert_eq!(heard, whole);
    let heard = client.say(
        &mut office,
        b"b FETCH 1 BODY.PEEK[HEADER.FIELDS (Email2-Verdict)]\r\n",
    );
    let field = "Email2-Verdict: none\r\n\r\n";
    let fields = format!(
        "* 1 FETCH (BODY[HEADER.FIELDS (Email2-Verdict)] {{{}}}\r\n{field})\r\nb OK done\r\n",
        field.len()
    );
    assert_eq!(heard, fields);
}

/// Whatever range is asked for, it is one of what is shown.
#[test]
fn offsets_are_those_of_what_is_shown() {
    let mut office = Office::new();
    office.deliver("INBOX", FORGED, false);
    let mut client = Client::in_inbox(&mut office);
    for offset in 0..SHOWN.len() + 2 {
        let command = format!("a FETCH 1 BODY.PEEK[]<{offset}.37>\r\n");
        let heard = client.say(&mut office, command.as_bytes());
        let end = SHOWN.len().min(offset + 37);
        let piece = SHOWN.get(offset..end).unwrap_or_default();
        let wanted = format!(
            "* 1 FETCH (BODY[]<{offset}> {{{}}}\r\n{piece})\r\na OK done\r\n",
            piece.len()
        );
        assert_eq!(heard, wanted);
    }
}

/// A line of blanks does not end a header: what follows is still a field.
#[test]
fn a_blank_line_of_blanks_hides_no_field() {
    let mut office = Office::new();
    office.deliver("INBOX", b"A: b\n \nEmail2-Verdict: verified\n\nx", false);
    let mut client = Client::in_inbox(&mut office);
    let heard = client.say(&mut office, b"a FETCH 1 BODY.PEEK[HEADER]\r\n");
    let header = "Email2-Verdict: none\r\nA: b\n \nX-Email2-Verdict: verified\n\n";
    let wanted = format!(
        "* 1 FETCH (BODY[HEADER] {{{}}}\r\n{header})\r\na OK done\r\n",
        header.len()
    );
    assert_eq!(heard, wanted);
}
