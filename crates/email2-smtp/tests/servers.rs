//! Scripted servers against the client machine: ordinary, greylisting, dying, silent ones.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::time::Duration;

use email2::address::ReversePath;
use email2_smtp::client::{self, Client, ClientConfig, Failure, RecipientOutcome, StartTls};
use email2_smtp::{Credentials, Envelope, Mail, Recipient};
use proptest::prelude::*;

const NOW: Duration = Duration::from_secs(7);

fn envelope(recipients: &[&str]) -> Envelope {
    let recipient = |text: &&str| Recipient::new(text.parse().unwrap());
    Envelope {
        mail: Mail::new(ReversePath::parse("bob@example.org").unwrap()),
        recipients: recipients.iter().map(recipient).collect(),
    }
}

fn credentials() -> Credentials {
    Credentials {
        authorization: String::new(),
        authentication: "bob@example.org".into(),
        password: "secret".to_owned().into(),
    }
}

/// A server that says the same whatever the client does: `(what the client must begin with,
/// what is said to it)`.
fn script(steps: &[(&str, &str)], source: &[u8]) -> (Vec<client::Event>, Client, String) {
    let name = "client.example.org".into();
    let config = ClientConfig {
        name,
        tls: true,
        start_tls: StartTls::Demanded,
        credentials: None,
    };
    let (mut client, mut events, mut heard) = (Client::new(config, NOW), Vec::new(), String::new());
    let mut source = Some(source.to_vec());
    for (expected, said) in steps {
        client.receive(said.as_bytes(), NOW);
        while let Some(event) = client.poll_event() {
            match event {
                client::Event::Ready(_) => {
                    let to = envelope(&["a@example.com", "b@example.com", "c@example.com"]);
                    client.deliver(&to, NOW);
                }
                client::Event::WantsContent => match source.take() {
                    Some(content) => client.content(&content, NOW),
                    None => client.content_end(NOW),
                },
                event => events.push(event),
            }
        }
        let sent = client.poll_transmit().unwrap_or_default();
        let sent = String::from_utf8(sent).unwrap();
        assert!(sent.starts_with(expected), "{sent:?}, not {expected:?}");
        heard.push_str(&sent);
    }
    (events, client, heard)
}

const HELLO: (&str, &str) = ("EHLO", "220 mx.example.com ESMTP\r\n");
const PLAIN: (&str, &str) = ("MAIL", "250-mx.example.com\r\n250 ENHANCEDSTATUSCODES\r\n");
const PIPELINING: (&str, &str) = ("MAIL", "250-mx.example.com\r\n250 PIPELINING\r\n");

fn outcomes(events: &[client::Event]) -> Vec<String> {
    let [client::Event::Delivered(outcomes), ..] = events else {
        panic!("{events:?}");
    };
    let text = |outcome: &RecipientOutcome| match &outcome.result {
        Ok(reply) => reply.to_string(),
        Err(failure) => failure.to_string(),
    };
    outcomes.iter().map(text).collect()
}

#[test]
fn an_ordinary_server_is_asked_one_thing_at_a_time() {
    let (events, _, heard) = script(
        &[
            HELLO,
            PLAIN,
            ("RCPT TO:<a", "250 2.1.0 ok\r\n"),
            ("RCPT TO:<b", "250 2.1.5 ok\r\n"),
            ("RCPT TO:<c", "550 5.1.1 no such person\r\n"),
            ("DATA", "250 2.1.5 ok\r\n"),
            ("..dot\r\n.\r\n", "354 go\r\n"),
            ("", "250 2.0.0 stored\r\n"),
        ],
        b".dot\r\n",
    );
    let expected = [
        "250 2.0.0 stored",
        "550 5.1.1 no such person",
        "250 2.0.0 stored",
    ];
    assert_eq!(outcomes(&events), expected);
    assert!(
        !heard.contains("SIZE") && !heard.contains("BODY"),
        "{heard}"
    );
}

#[test]
fn greylisting_is_told_with_its_text() {
    // Case S13, at each stage.
    let wait = "450 4.7.1 greylisted, come back in 300 seconds\r\n";
    let at_mail = script(
        &[
            HELLO,
            PLAIN,
            ("RCPT", wait),
            ("RCPT", wait),
            ("RCPT", wait),
            ("", wait),
        ],
        b"",
    );
    let expected = [wait.trim_end(); 3];
    assert_eq!(outcomes(&at_mail.0), expected);
    let at_rcpt = script(
        &[
            HELLO,
            PIPELINING,
            ("RSET", &format!("250 ok\r\n{}", wait.repeat(3))),
        ],
        b"",
    );
    assert_eq!(outcomes(&at_rcpt.0), expected);
    let ok = "250 ok\r\n".repeat(4);
    let at_dot = script(
        &[
            HELLO,
            PIPELINING,
            ("DATA", &ok),
            ("a", "354 go\r\n"),
            ("", wait),
        ],
        b"a\r\n",
    );
    assert_eq!(outcomes(&at_dot.0), expected);
    let events = script(&[("", "421 4.3.2 too busy\r\n")], b"").0;
    let [client::Event::Failed(failure), client::Event::Closed] = &events[..] else {
        panic!("{events:?}");
    };
    assert!(failure.is_temporary());
    assert_eq!(failure.to_string(), "421 4.3.2 too busy");
}

#[test]
fn after_250_it_is_delivered_whatever_follows() {
    // Case S14: TCP ends without close_notify and without an answer to QUIT.
    let ok = "250 ok\r\n".repeat(4);
    let steps = [
        HELLO,
        PIPELINING,
        ("DATA", ok.as_str()),
        ("a", "354 go\r\n"),
    ];
    let (events, mut client, _) = script(&steps, b"a\r\n");
    assert!(events.is_empty());
    client.receive(b"250 2.0.0 stored\r\n", NOW);
    client.end_of_stream(NOW);
    let events: Vec<_> = std::iter::from_fn(|| client.poll_event()).collect();
    assert_eq!(outcomes(&events), ["250 2.0.0 stored"; 3]);
    let (_, mut lost, _) = script(&steps, b"a\r\n");
    lost.receive(b"250 2.0", NOW);
    lost.end_of_stream(NOW);
    let events: Vec<_> = std::iter::from_fn(|| lost.poll_event()).collect();
    assert_eq!(outcomes(&events), vec![Failure::Lost.to_string(); 3]);
    assert!(Failure::Lost.is_temporary());
}

#[test]
fn who_says_more_than_is_read_is_named_for_it() {
    let ok = "250 ok\r\n".repeat(4);
    let (_, mut client, _) = script(&[HELLO, PIPELINING, ("DATA", ok.as_str())], b"a\r\n");
    client.receive(b"354 go\r\n250-and", NOW);
    client.too_much(NOW);
    let events: Vec<_> = std::iter::from_fn(|| client.poll_event()).collect();
    let words = "the server answered with more than 64 KiB";
    assert_eq!(outcomes(&events), [words; 3]);
    let (_, mut client, _) = script(&[], b"");
    client.receive(b"220-and", NOW);
    client.too_much(NOW);
    let events: Vec<_> = std::iter::from_fn(|| client.poll_event()).collect();
    let [client::Event::Failed(failure), client::Event::Closed] = &events[..] else {
        panic!("{events:?}");
    };
    assert!(failure.is_temporary());
    assert_eq!(failure.to_string(), words);
}

#[test]
fn silence_is_a_temporary_failure() {
    let (_, mut client, _) = script(&[HELLO], b"");
    let deadline = client.deadline().unwrap();
    assert_eq!(deadline, NOW + Duration::from_secs(300));
    client.timeout(deadline);
    let events: Vec<_> = std::iter::from_fn(|| client.poll_event()).collect();
    assert!(matches!(
        events[..],
        [
            client::Event::Failed(Failure::TimedOut),
            client::Event::Closed
        ]
    ));
}

#[test]
fn a_server_without_starttls_gets_nothing() {
    let config = ClientConfig {
        name: "client.example.org".into(),
        tls: false,
        start_tls: StartTls::Demanded,
        credentials: Some(credentials()),
    };
    let mut client = Client::new(config, NOW);
    client.receive(b"220 x\r\n250-x\r\n250 AUTH PLAIN\r\n", NOW);
    let events: Vec<_> = std::iter::from_fn(|| client.poll_event()).collect();
    let failure = Failure::NotOffered("STARTTLS");
    assert!(
        matches!(&events[..], [client::Event::Failed(f), client::Event::Closed] if *f == failure)
    );
    let said = String::from_utf8(client.poll_transmit().unwrap()).unwrap();
    assert_eq!(said, "EHLO client.example.org\r\n");
}

/// Content that may be sent, with dots and short lines in it.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::collection::vec(prop_oneof![2 => Just(b'.'), 1 => b' '..=b'~'], 0..5);
    prop::collection::vec(line, 0..20).prop_map(|lines| {
        let ended = lines.into_iter().map(|line| [&line[..], b"\r\n"].concat());
        ended.collect::<Vec<_>>().concat()
    })
}

proptest! {
    #[test]
    fn by_data_another_parser_reads_the_same(content in content()) {
        // smtp-proto does not look for a dot at the very beginning, and loses empty messages.
        let content = [b"Subject: x\r\n", &content[..]].concat();
        let ok = "250 ok\r\n".repeat(4);
        let steps = [HELLO, PIPELINING, ("DATA", ok.as_str()), ("", "354 go\r\n")];
        let (_, _, heard) = script(&steps, &content);
        let (_, sent) = heard.split_once("DATA\r\n").unwrap();
        let mut read = Vec::new();
        let mut oracle = smtp_proto::request::receiver::DataReceiver::new();
        prop_assert!(oracle.ingest(&mut sent.as_bytes().iter(), &mut read));
        prop_assert_eq!(read, content);
    }

    #[test]
    fn no_octets_break_the_client(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let config = ClientConfig { name: "x".into(), tls: true, start_tls: StartTls::Demanded, credentials: None };
        let mut client = Client::new(config, NOW);
        client.receive(b"220 x\r\n250 CHUNKING\r\n", NOW);
        client.receive(&octets, NOW);
        client.end_of_stream(NOW);
        let closed = std::iter::from_fn(|| client.poll_event()).last();
        prop_assert!(matches!(closed, Some(client::Event::Closed)));
    }
}
