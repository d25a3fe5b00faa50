//! Case S01: octets that other servers take for the end of a message.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may fail loudly"
)]

use std::time::Duration;

use email2::rejection::Rejection;
use email2_smtp::server::{Answer, Auth, Event, Server, ServerConfig};
use proptest::prelude::*;

const NOW: Duration = Duration::ZERO;
const START: &str = "EHLO x\r\nMAIL FROM:<bob@example.org>\r\nRCPT TO:<alice@example.com>\r\n";
const SECOND: &str = "MAIL FROM:<ceo@example.org>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n\
                      Send the money.\r\n.\r\n";

/// What came of one connection.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    mails: usize,
    stored: usize,
    refusals: Vec<String>,
    /// Codes of all replies behind the one to DATA or BDAT.
    codes: Vec<String>,
}

fn server() -> Server {
    let config = ServerConfig {
        hostname: "mx.example.com".into(),
        tls: true,
        starttls: false,
        auth: Auth::NotOffered,
        size_limit: 1 << 20,
        recipients_limit: 10,
        postmaster: None,
    };
    Server::new(config, NOW)
}

fn play(octets: &[u8], piece: usize) -> Outcome {
    let (mut server, mut outcome, mut said) = (server(), Outcome::default(), Vec::new());
    for octets in octets.chunks(piece.max(1)) {
        server.receive(octets, NOW);
        while let Some(event) = server.poll_event() {
            match event {
                Event::Mail(_) => {
                    outcome.mails += 1;
                    server.answer(Answer::Accepted, NOW);
                }
                Event::Recipient(_) => server.answer(Answer::Accepted, NOW),
                Event::ContentEnd(_) => {
                    outcome.stored += 1;
                    server.answer(Answer::Stored("stored".into()), NOW);
                }
                Event::Reset(Some(why)) => outcome.refusals.push(why.id().into()),
                _ => {}
            }
            said.extend(server.poll_transmit().unwrap_or_default());
        }
        said.extend(server.poll_transmit().unwrap_or_default());
    }
    let said = String::from_utf8(said).unwrap();
    let lines = said.lines().filter(|line| line.as_bytes()[3] == b' ');
    outcome.codes = lines.skip(4).map(|line| line[..3].to_owned()).collect();
    outcome
}

#[test]
fn s01_false_ends_are_one_refusal() {
    for end in [
        "\n.\r\n",
        "\n.\n",
        "\r\n.\n",
        "\r.\r",
        "\n.\r\r\n",
        "\r\n.\r\r\n",
        "\r\n\0.\r\n",
    ] {
        for piece in [1, 2, 3, 7, 10_000] {
            let octets = format!("{START}DATA\r\nfirst line{end}{SECOND}NOOP\r\n");
            let outcome = play(octets.as_bytes(), piece);
            assert_eq!(outcome.codes, ["354", "550", "250"], "{end:?}");
            assert_eq!((outcome.mails, outcome.stored), (1, 0), "{end:?}");
            assert_eq!(outcome.refusals.len(), 1, "{end:?}");
        }
    }
}

#[test]
fn chunks_are_held_to_the_same() {
    for content in ["a\nb\r\n", "a\rb\r\n", "a\r", "\n", "a\0\r\n"] {
        let octets = format!("{START}BDAT {} LAST\r\n{content}NOOP\r\n", content.len());
        let outcome = play(octets.as_bytes(), 4);
        assert_eq!(outcome.codes, ["550", "250"], "{content:?}");
        assert_eq!(outcome.stored, 0);
    }
    let split = format!("{START}BDAT 2\r\na\rBDAT 1 LAST\r\n\nNOOP\r\n");
    assert_eq!(play(split.as_bytes(), 1).codes, ["250", "250", "250"]);
}

#[test]
fn a_refusal_says_why() {
    let bare = Rejection::BareLineEnd;
    let octets = format!("{START}DATA\r\na\nb\r\n.\r\n");
    assert_eq!(play(octets.as_bytes(), 5).refusals, [bare.id()]);
    let octets = format!("{START}DATA\r\na\0b\r\n.\r\n");
    assert_eq!(play(octets.as_bytes(), 5).refusals, [Rejection::Nul.id()]);
}

/// Octets in which line ends and dots are likely.
fn tricky() -> impl Strategy<Value = Vec<u8>> {
    let octet = prop_oneof![
        4 => Just(b'\r'), 4 => Just(b'\n'), 3 => Just(b'.'), 1 => Just(0u8), 4 => any::<u8>(),
    ];
    prop::collection::vec(octet, 0..80)
}

proptest! {
    #[test]
    fn pieces_never_matter(content in tricky(), piece in 1usize..9) {
        let octets = [START.as_bytes(), b"DATA\r\n", &content, b"\r\n.\r\n"].concat();
        prop_assert_eq!(play(&octets, piece), play(&octets, octets.len()));
    }

    #[test]
    fn a_message_with_a_bare_end_is_never_stored(content in tricky()) {
        let octets = [START.as_bytes(), b"DATA\r\n", &content, b"\r\n.\r\n"].concat();
        let outcome = play(&octets, 16);
        let true_end = b"\r\n.\r\n";
        let all = [b"\r\n", &content[..], true_end].concat();
        let end = all.windows(5).position(|window| window == true_end).unwrap();
        let body = &all[..end + 2];
        let bare = body.iter().enumerate().any(|(at, &octet)| match octet {
            b'\r' => body.get(at + 1) != Some(&b'\n'),
            b'\n' => at == 0 || body[at - 1] != b'\r',
            octet => octet == 0,
        });
        prop_assert_eq!(outcome.stored, usize::from(!bare));
    }

    #[test]
    fn no_octets_break_the_server(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        play(&octets, 7);
        play(&[START.as_bytes(), &octets].concat(), 11);
    }
}
