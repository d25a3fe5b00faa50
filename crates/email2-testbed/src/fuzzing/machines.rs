//! The machines: whatever the other side says, they stay in step and send only what is whole.

use std::time::Duration;

use email2::address::ReversePath;
use email2::rejection::Rejection;
use email2_smtp::client::{self, Client, ClientConfig, StartTls};
use email2_smtp::server::{Answer, Auth, Event, Server, ServerConfig, SignIn};
use email2_smtp::{Envelope, Mail, Recipient};

use crate::gauntlet::mailbox;

const NOW: Duration = Duration::from_secs(1);
/// Events that one piece may cause: more is a machine that does not come to rest.
const EVENTS: usize = 100_000;

fn server() -> Server {
    let config = ServerConfig {
        hostname: "mx.example.com".to_owned(),
        tls: true,
        starttls: true,
        auth: Auth::NotOffered,
        size_limit: 1 << 20,
        recipients_limit: 10,
        postmaster: None,
    };
    Server::new(config, NOW)
}

/// What one connection came to.
#[derive(Default)]
struct Served {
    said: Vec<u8>,
    content: Vec<u8>,
    stored: usize,
}

impl Served {
    /// Serves until the machine waits.
    fn settle(&mut self, server: &mut Server) {
        for _ in 0..EVENTS {
            self.said.extend(server.poll_transmit().unwrap_or_default());
            let Some(event) = server.poll_event() else {
                self.said.extend(server.poll_transmit().unwrap_or_default());
                return;
            };
            self.serve(server, event);
        }
        assert!(
            server.poll_event().is_none(),
            "the machine does not come to rest"
        );
    }

    fn serve(&mut self, server: &mut Server, event: Event) {
        match event {
            Event::Mail(_) | Event::Recipient(_) => server.answer(Answer::Accepted, NOW),
            Event::Authenticate(step) => server.answer(sign_in(step), NOW),
            Event::KeyPut { .. } => server.answer(Answer::Rejected(Rejection::KeyPutNotYours), NOW),
            Event::Key { id, .. } => {
                server.answer_key(id, Ok(email2::key_query::KeyAnswer::Unchanged), NOW);
            }
            Event::Content(octets) => self.content.extend(octets),
            Event::ContentEnd(count) => {
                assert_eq!(count, self.content.len() as u64);
                self.check_content();
                self.stored += 1;
                server.answer(Answer::Stored("stored".to_owned()), NOW);
            }
            Event::Reset(_) => self.content.clear(),
            Event::StartTls => server.tls_active(NOW),
            Event::Closed => {}
        }
    }

    /// spec §3.9.1: what is stored has CRLF only. By BDAT its last line may lack one, which is
    /// refused where the content is scanned (spec §4.3.2).
    fn check_content(&mut self) {
        let content = std::mem::take(&mut self.content);
        let mut before = 0;
        for octet in content.iter().copied() {
            assert!(
                octet != 0 && (octet == b'\n') == (before == b'\r'),
                "a bare line end was taken"
            );
            before = octet;
        }
        assert_ne!(before, b'\r', "a bare CR at the end was taken");
    }
}

/// A SCRAM exchange goes on to its proof, which is wrong.
fn sign_in(step: SignIn) -> Answer {
    match step {
        SignIn::Scram(first) => {
            let challenge = first.challenge("ours", b"salt", 4096);
            Answer::Challenge(challenge.text().to_owned())
        }
        _ => Answer::Rejected(Rejection::AuthFailed),
    }
}

/// The first octet says how the rest is cut: the same must come of it as of the whole.
fn cut(octets: &[u8]) -> (usize, &[u8]) {
    match octets.split_first() {
        Some((first, rest)) => (usize::from(*first).max(1), rest),
        None => (1, octets),
    }
}

fn serve(octets: &[u8], piece: usize) -> Served {
    let (mut server, mut served) = (server(), Served::default());
    served.settle(&mut server);
    for piece in octets.chunks(piece) {
        server.receive(piece, NOW);
        served.settle(&mut server);
    }
    served
}

/// Any octets at the server's door: each reply is whole and has a code, whatever was cut where.
pub(super) fn smtp_server(octets: &[u8]) {
    let (piece, said) = cut(octets);
    let (pieces, whole) = (serve(said, piece), serve(said, said.len().max(1)));
    assert_eq!(pieces.stored, whole.stored);
    for line in whole.said.split_inclusive(|&octet| octet == b'\n') {
        let code = line.get(..3).unwrap_or_default();
        assert!(
            code.iter().all(u8::is_ascii_digit) && line.ends_with(b"\r\n"),
            "no reply"
        );
        assert!(line.len() <= 1024, "a long reply");
    }
}

pub(super) fn smtp_sessions() -> Vec<Vec<u8>> {
    let sessions = [
        "\u{7}EHLO x\r\nMAIL FROM:<bob@example.org> SIZE=9 BODY=8BITMIME\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n..x\r\n.\r\nQUIT\r\n",
        "\u{3}EHLO x\r\nMAIL FROM:<> EMAIL2=author,Ym9iQGV4YW1wbGUub3Jn\r\nRCPT TO:<alice@example.com> EMAIL2KEY=0123\r\nBDAT 5\r\nab\r\nc\r\nBDAT 2 LAST\r\n\r\n",
        "\u{1}EHLO x\r\nKEY <bob@example.org> FPR=0123456789abcdef0123456789abcdef01234567\r\nKEYPUT <a@b> 3\r\nabcNOOP\r\nRSET\r\nVRFY x\r\n",
        "\u{9}HELO x\r\nSTARTTLS\r\nEHLO y\r\nAUTH PLAIN AGEAYg==\r\nMAIL FROM:<\"a b\"@example.org>\r\nDATA\r\n",
    ];
    sessions
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect()
}

/// Content between DATA and its end: stored, it is what came with dots removed, and nothing of it
/// is ever heard as a command.
pub(super) fn smtp_content(octets: &[u8]) {
    let (piece, content) = cut(octets);
    let start = b"EHLO x\r\nMAIL FROM:<bob@example.org>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n";
    let session = [start.as_slice(), content].concat();
    let (pieces, whole) = (serve(&session, piece), serve(&session, session.len()));
    assert_eq!(pieces.stored, whole.stored);
    let ends = content
        .windows(5)
        .filter(|window| *window == b"\r\n.\r\n")
        .count();
    let bare = content.starts_with(b".\r\n");
    // A chunk needs no end of data.
    let chunks = content
        .windows(4)
        .any(|window| window.eq_ignore_ascii_case(b"BDAT"));
    assert!(
        chunks || whole.stored <= ends + usize::from(bare),
        "more messages than ends of data"
    );
}

pub(super) fn contents() -> Vec<Vec<u8>> {
    let contents = [
        "\u{5}From: a@b\r\n\r\n..x\r\n.\r\n",
        "\u{5}x\n.\nMAIL FROM:<ceo@example.org>\r\nRCPT TO:<a@b>\r\nDATA\r\ny\r\n.\r\n",
        "\u{2}x\r\n.\rMAIL FROM:<a@b>\r\n.\r\n",
        "\u{8}.\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n\r\n.\r\n",
    ];
    contents
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect()
}

/// Any server at the other end of our client: every recipient has one outcome, and between DATA
/// and its end nothing leaves that another server could take for an end (RFC 5321 §4.1.1.4).
pub(super) fn smtp_client(octets: &[u8]) {
    let (piece, said) = cut(octets);
    let config = ClientConfig {
        name: "client.example".to_owned(),
        tls: true,
        start_tls: StartTls::Demanded,
        credentials: None,
    };
    let (mut client, mut sent) = (Client::new(config, NOW), Vec::new());
    let (mut outcomes, mut asked) = (0, 0);
    for piece in said.chunks(piece) {
        client.receive(piece, NOW);
        for _ in 0..EVENTS {
            let Some(event) = client.poll_event() else {
                break;
            };
            match event {
                client::Event::Ready(_) if asked == 0 => {
                    asked += 1;
                    client.deliver(&envelope(), NOW);
                }
                client::Event::WantsContent => give(&mut client),
                client::Event::Delivered(all) => {
                    outcomes += 1;
                    assert_eq!(all.len(), 2, "one outcome a recipient");
                }
                client::Event::StartTls => client.tls_active(NOW),
                _ => {}
            }
        }
        sent.extend(client.poll_transmit().unwrap_or_default());
    }
    assert!(outcomes <= asked);
    let mut before = 0;
    for octet in sent {
        assert!(
            (octet == b'\n') == (before == b'\r'),
            "a bare line end left"
        );
        before = octet;
    }
}

fn give(client: &mut Client) {
    client.content(b"From: a@b\r\n\r\n.\r\nMAIL FROM:<x@y>\r\n", NOW);
    client.content_end(NOW);
}

fn envelope() -> Envelope {
    let recipients = ["a@example.com", "b@example.com"];
    let addresses = recipients.iter().filter_map(|text| text.parse().ok());
    Envelope {
        mail: Mail::new(ReversePath::parse("bob@example.org").unwrap_or(ReversePath::Null)),
        recipients: addresses.map(Recipient::new).collect(),
    }
}

pub(super) fn smtp_answers() -> Vec<Vec<u8>> {
    let answers = [
        "\u{9}220 mx.example.com ESMTP\r\n250-mx.example.com\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-EMAIL2 1\r\n250 SIZE 1000\r\n250 2.1.0 ok\r\n250 2.1.5 ok\r\n550 5.1.1 no\r\n250 2.0.0 stored\r\n221 bye\r\n",
        "\u{4}220 mx\r\n250-mx\r\n250 8BITMIME\r\n250 ok\r\n250 ok\r\n451 4.7.1 later\r\n354 go\r\n250 ok\r\n",
        "\u{40}220 mx\r\n500 what\r\n250 mx\r\n421 4.3.2 closing\r\n",
    ];
    answers
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect()
}

/// Any commands at a mailbox: the session answers or ends, and every line is whole.
pub(super) fn imap_session(octets: &[u8]) {
    let message =
        b"From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n";
    let heard = mailbox::converse(message, "none", octets);
    assert!(
        heard.starts_with(b"* OK ") && heard.ends_with(b"\r\n"),
        "an answer is cut"
    );
}

pub(super) fn imap_commands() -> Vec<Vec<u8>> {
    let commands = [
        "a FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[1.MIME]<0.5> BODY[HEADER.FIELDS (From \"To\")])\r\n",
        "a UID SEARCH RETURN (ALL) OR SUBJECT {3+}\r\nabc NOT (SEEN SINCE 1-Jan-2026)\r\nb STORE 1 +FLAGS.SILENT (\\Seen $x)\r\n",
        "a APPEND INBOX (\\Seen) \"01-Jan-2026 00:00:00 +0000\" {5+}\r\nabc\r\n\r\nb IDLE\r\nDONE\r\nc LIST \"\" \"*\" RETURN (STATUS (MESSAGES))\r\n",
        "a SETMETADATA \"\" (/private/vendor/email2/blocks ~{2+}\r\nab)\r\nb GETMETADATA \"\" /private/vendor/email2/legacy\r\nc LOGOUT\r\n",
    ];
    commands
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect()
}

/// Any message in a mailbox: its description is one answer with balanced brackets.
pub(super) fn imap_structure(octets: &[u8]) {
    let heard = mailbox::converse(
        octets,
        "none",
        b"a FETCH 1 (ENVELOPE BODYSTRUCTURE RFC822.SIZE)\r\n",
    );
    assert!(heard.ends_with(b"a OK done\r\n"), "no answer");
}

/// Any server at the other end of our IMAP client: what is understood names a UID.
pub(super) fn imap_answers(octets: &[u8]) {
    for item in email2_client::imap::understood(octets) {
        assert!(item.uid > 0);
    }
}

pub(super) fn imap_fetched() -> Vec<Vec<u8>> {
    let answers = [
        "* 1 FETCH (FLAGS (\\Seen $Email2Verified) INTERNALDATE \" 1-Nov-2026 10:00:00 +0000\" RFC822.SIZE 99 UID 7 BODY[HEADER.FIELDS (FROM TO)]<0> {4}\r\na\r\n\r)\r\n",
        "* 2 FETCH (UID 8 BODY[] \"x\\\"y\" ENVELOPE ((NIL NIL \"a\" \"b\")))\r\n* SEARCH 1 2 3\r\n* OK [UIDNEXT 17] x\r\n",
        "* METADATA \"\" (/private/vendor/email2/blocks {3}\r\na\r\n)\r\nc1 OK done\r\n",
    ];
    answers
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect()
}
