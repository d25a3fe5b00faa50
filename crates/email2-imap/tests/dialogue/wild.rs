//! Whatever comes, a session neither panics nor hangs, and its stream of
//! answers stays whole.

use proptest::prelude::*;

use crate::office::{Client, Office};

const WORDS: [&str; 40] = [
    "a",
    "FETCH",
    "UID",
    "SEARCH",
    "STORE",
    "APPEND",
    "LIST",
    "1:*",
    "*",
    "(",
    ")",
    "\"",
    "\\",
    "BODY[",
    "]",
    "BODY.PEEK[HEADER.FIELDS (From)]",
    "<0.5>",
    "{3+}\r\nabc",
    "{3}\r\n",
    "INBOX",
    "\r\n",
    " ",
    " ",
    " ",
    "+FLAGS",
    "(\\Seen)",
    "OR",
    "NOT",
    "TEXT",
    "x",
    "IDLE",
    "DONE",
    "\r\n",
    "SELECT",
    "BODYSTRUCTURE",
    "ENVELOPE",
    "~{2+}\r\n\0z",
    "SETMETADATA",
    "\"\"",
    "NIL",
];

fn message() -> impl Strategy<Value = Vec<u8>> {
    let lines = prop::sample::select(vec![
        "Content-Type: multipart/mixed; boundary=b\r\n",
        "Content-Type: message/rfc822\r\n",
        "--b\r\n",
        "--b--\r\n",
        "\r\n",
        "\n",
        "From: a@b, <c\r\n",
        "Email2-Verdict: x\r\n",
        " folded\r\n",
        "text",
        "\r",
        "Content-Type: multipart/digest; boundary=\"b\"\r\n",
        "To: g: a@b;\r\n",
        "\u{fc}\r\n",
    ]);
    prop::collection::vec(lines, 0..40).prop_map(|lines| lines.concat().into_bytes())
}

proptest! {
    #[test]
    fn no_words_break_a_session(words in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..60)) {
        let mut office = Office::new();
        office.deliver("INBOX", b"Subject: x\r\n\r\ny\r\n", true);
        let mut client = Client::in_inbox(&mut office);
        client.say(&mut office, words.concat().as_bytes());
    }

    #[test]
    fn no_octets_break_a_session(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut office = Office::new();
        Client::new().say(&mut office, &octets);
        Client::in_inbox(&mut office).say(&mut office, &octets);
    }

    #[test]
    fn every_message_can_be_fetched(octets in message()) {
        let mut office = Office::new();
        office.deliver("INBOX", &octets, false);
        let mut client = Client::in_inbox(&mut office);
        let heard = client.octets(&mut office, b"a FETCH 1 (RFC822.SIZE BODY.PEEK[])\r\n");
        let size = literal_size(&heard);
        let told = format!("* 1 FETCH (RFC822.SIZE {size} BODY[] {{{size}}}\r\n");
        let end = b")\r\na OK done\r\n";
        prop_assert_eq!(heard.len(), told.len() + size + end.len());
        prop_assert!(heard.starts_with(told.as_bytes()) && heard.ends_with(end));
        let heard = client.octets(&mut office,
            b"b FETCH 1 (ENVELOPE BODYSTRUCTURE BODY BODY.PEEK[1] BODY.PEEK[1.1.TEXT] BODY.PEEK[2.MIME])\r\n");
        prop_assert!(heard.ends_with(b")\r\nb OK done\r\n"));
    }
}

fn literal_size(heard: &[u8]) -> usize {
    let text = String::from_utf8_lossy(heard);
    let (_, rest) = text.split_once('{').unwrap();
    rest.split_once('}').unwrap().0.parse().unwrap()
}
