//! Dialogues with the server machine, written as a client would type them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may fail loudly"
)]

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use email2::key_query::{KeyAnswer, KeyFlags, KeyPutAnswer, Token};
use email2::limits;
use email2::rejection::Rejection;
use email2_smtp::server::{Answer, Auth, Event, Server, ServerConfig, SignIn};

const NOW: Duration = Duration::from_secs(1_000);

fn config(tls: bool, auth: Auth) -> ServerConfig {
    ServerConfig {
        hostname: "mx.example.com".into(),
        tls,
        starttls: true,
        auth,
        size_limit: 1_000,
        recipients_limit: 3,
        postmaster: Some("postmaster@example.com".parse().unwrap()),
    }
}

/// A server whose every question is answered yes, and what it said and reported.
struct Desk {
    server: Server,
    said: String,
    events: Vec<String>,
    content: Vec<u8>,
}

impl Desk {
    fn new(tls: bool, auth: Auth) -> Self {
        let server = Server::new(config(tls, auth), NOW);
        let mut desk = Desk {
            server,
            said: String::new(),
            events: Vec::new(),
            content: Vec::new(),
        };
        assert!(desk.typed("").starts_with("220 mx.example.com "));
        desk
    }

    fn mx() -> Self {
        let mut desk = Desk::new(true, Auth::NotOffered);
        desk.typed("EHLO client.example.org\r\n");
        desk
    }

    fn submission() -> Self {
        let mut desk = Desk::new(true, Auth::Demanded);
        desk.typed("EHLO client.example.org\r\n");
        desk
    }

    /// Sends `octets` and gives what the server says to them.
    fn sent(&mut self, octets: &[u8]) -> String {
        self.server.receive(octets, NOW);
        while let Some(event) = self.server.poll_event() {
            self.handle(event);
            self.listen();
        }
        self.listen();
        std::mem::take(&mut self.said)
    }

    fn typed(&mut self, text: &str) -> String {
        self.sent(text.as_bytes())
    }

    /// The codes of the replies to `text`.
    fn codes(&mut self, text: &str) -> Vec<String> {
        let said = self.typed(text);
        let last_lines = said.lines().filter(|line| line.as_bytes()[3] == b' ');
        last_lines.map(|line| line[..3].to_owned()).collect()
    }

    fn listen(&mut self) {
        while let Some(octets) = self.server.poll_transmit() {
            self.said.push_str(&String::from_utf8(octets).unwrap());
        }
    }

    fn handle(&mut self, event: Event) {
        let (name, answer) = match event {
            Event::StartTls => {
                self.events.push("start-tls".into());
                return;
            }
            Event::Authenticate(SignIn::Plain(credentials)) => {
                let right = credentials.password.as_str() == "secret";
                let answer = if right {
                    Answer::Accepted
                } else {
                    Answer::Rejected(Rejection::AuthFailed)
                };
                (format!("auth {}", credentials.authentication), answer)
            }
            Event::Authenticate(SignIn::Scram(first)) => {
                let user = first.user.clone();
                let challenge = first.challenge("ours", b"salt", 4096);
                let answer = Answer::Challenge(challenge.text().to_owned());
                (format!("scram {user}"), answer)
            }
            Event::Authenticate(SignIn::Proof(last)) => {
                let answer = match last.proof {
                    [0, ..] => Answer::Rejected(Rejection::AuthFailed),
                    _ => Answer::Challenge("v=AAAA".to_owned()),
                };
                ("proof".to_owned(), answer)
            }
            Event::Authenticate(SignIn::Proved) => ("proved".to_owned(), Answer::Accepted),
            Event::Key { id, query } => {
                self.events.push(format!("key {query}"));
                return self.server.answer_key(id, Ok(KeyAnswer::Unchanged), NOW);
            }
            Event::KeyPut { address, octets } => {
                let token = Some(Token::from_random(&[7; 32]));
                let stored = Answer::KeyStored(KeyPutAnswer { token });
                (format!("keyput {address} {}", octets.len()), stored)
            }
            Event::Mail(mail) => (mail.to_string(), Answer::Accepted),
            Event::Recipient(to) if to.address.local() == "nobody" => {
                let recipient = to.address.clone();
                let refusal = Rejection::NoSuchMailbox { recipient };
                (to.to_string(), Answer::Rejected(refusal))
            }
            Event::Recipient(to) => (to.to_string(), Answer::Accepted),
            Event::Content(octets) => return self.content.extend(octets),
            Event::ContentEnd(size) => (format!("end {size}"), Answer::Stored("stored".into())),
            Event::Reset(why) => {
                self.events
                    .push(format!("reset {}", why.map_or("-", |why| why.id())));
                return;
            }
            Event::Closed => {
                self.events.push("closed".into());
                return;
            }
        };
        self.events.push(name);
        self.server.answer(answer, NOW);
    }
}

#[test]
fn a_message_by_data() {
    let mut desk = Desk::mx();
    let said = desk.codes(
        "MAIL FROM:<bob@example.org> SIZE=50 BODY=8BITMIME\r\n\
         RCPT TO:<alice@example.com>\r\nRCPT TO:<nobody@example.com>\r\nDATA\r\n",
    );
    assert_eq!(said, ["250", "250", "550", "354"]);
    assert_eq!(desk.codes("..a\r\nb\r\n.\r\nQUIT\r\n"), ["250", "221"]);
    assert_eq!(desk.content, b".a\r\nb\r\n");
    assert_eq!(desk.events[3..], ["end 7".to_owned(), "closed".to_owned()]);
}

#[test]
fn a_message_by_chunks_is_not_unstuffed() {
    let mut desk = Desk::mx();
    let said = desk.codes(
        "MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\nBDAT 5\r\n..a\r\nBDAT 3 LAST\r\nb\r\nNOOP\r\n",
    );
    assert_eq!(said, ["250", "250", "250", "250", "250"]);
    assert_eq!(desk.content, b"..a\r\nb\r\n");
    assert_eq!(desk.events[1], "RCPT TO:<postmaster@example.com>");
}

#[test]
fn commands_come_in_order() {
    let mut desk = Desk::new(true, Auth::NotOffered);
    for text in [
        "MAIL FROM:<>\r\n",
        "RCPT TO:<a@example.com>\r\n",
        "DATA\r\n",
    ] {
        assert_eq!(desk.codes(text), ["503"], "{text}");
    }
    assert_eq!(
        desk.codes("HELO x\r\nDATA\r\nNOSUCH\r\n"),
        ["250", "503", "500"]
    );
    assert_eq!(
        desk.codes("MAIL FROM:<>\r\nMAIL FROM:<>\r\nDATA\r\n"),
        ["250", "503", "503"]
    );
    let refused = "RCPT TO:<nobody@example.com>\r\nDATA\r\nRSET\r\n";
    assert_eq!(desk.codes(refused), ["550", "554", "250"]);
    assert_eq!(
        desk.codes("VRFY alice\r\nEXPN all\r\nHELP\r\n"),
        ["252", "502", "214"]
    );
}

#[test]
fn email2_exists_only_under_tls() {
    let mut desk = Desk::new(false, Auth::Demanded);
    let offered = desk.typed("EHLO x\r\n");
    assert!(offered.contains("STARTTLS"));
    assert!(
        !offered.contains("EMAIL2") && !offered.contains("AUTH"),
        "{offered}"
    );
    for text in [
        "KEY <bob@example.org>\r\n",
        "AUTH PLAIN AGEAYg==\r\n",
        "KEYPUT <bob@example.org> 3\r\nNO\n",
    ] {
        assert_eq!(desk.codes(text), ["530"], "{text}");
    }
    let mut mx = Desk::new(false, Auth::NotOffered);
    let sealed = "MAIL FROM:<bob@example.org> EMAIL2=author,Ym9iQGV4YW1wbGUub3Jn\r\n";
    mx.typed("EHLO x\r\n");
    assert_eq!(mx.codes(sealed), ["530"]);
    assert!(mx.events.is_empty());
    let offered = Desk::mx().typed("EHLO x\r\n");
    assert!(offered.contains("250 EMAIL2 1\r\n"), "{offered}");
    assert!(!offered.contains("STARTTLS"), "{offered}");
}

#[test]
fn s03_nothing_behind_starttls_is_read() {
    // Case S03, with each kind of command behind it.
    for injected in [
        "RSET\r\n",
        "EHLO evil.example.net\r\nMAIL FROM:<eve@example.net>\r\n",
        "KEY <bob@example.org>\r\n",
        "KEYPUT <bob@example.org> 3\r\nabc",
        "RS",
    ] {
        let mut desk = Desk::new(false, Auth::NotOffered);
        desk.typed("EHLO x\r\n");
        assert_eq!(desk.codes(&format!("STARTTLS\r\n{injected}")), ["220"]);
        assert_eq!(
            desk.codes(injected),
            [""; 0],
            "nor what comes before the handshake"
        );
        desk.server.tls_active(NOW);
        assert_eq!(desk.codes("NOSUCHCOMMAND\r\n"), ["500"]);
        assert_eq!(desk.codes("RCPT TO:<a@example.com>\r\n"), ["503"]);
        assert_eq!(
            desk.codes("KEY <bob@example.org>\r\n"),
            ["503"],
            "EHLO comes first"
        );
        assert_eq!(desk.events, ["start-tls"]);
    }
}

#[test]
fn signing_in_needs_the_password() {
    let mut desk = Desk::submission();
    // \0bob@example.org\0secret
    let right = "AGJvYkBleGFtcGxlLm9yZwBzZWNyZXQ=";
    assert_eq!(desk.codes("MAIL FROM:<>\r\n"), ["530"]);
    assert_eq!(desk.codes("AUTH LOGIN\r\nAUTH PLAIN\r\n"), ["504", "334"]);
    assert_eq!(desk.codes("*\r\n"), ["501"]);
    assert_eq!(desk.codes("AUTH PLAIN\r\n"), ["334"]);
    assert_eq!(desk.codes(&format!("{right}\r\n")), ["235"]);
    assert_eq!(desk.codes(&format!("AUTH PLAIN {right}\r\n")), ["503"]);
    assert_eq!(desk.events, ["auth bob@example.org"]);
    assert_eq!(desk.codes("MAIL FROM:<bob@example.org>\r\n"), ["250"]);
}

/// A client's last message with this first octet in its proof, in base64.
fn scram_final(first: u8) -> String {
    let mut proof = [7; 32];
    proof[0] = first;
    STANDARD.encode(format!("c=biws,r=theirsours,p={}", STANDARD.encode(proof)))
}

#[test]
fn a_scram_exchange_has_three_steps_and_ends_signed_in() {
    let mut desk = Desk::submission();
    let first = STANDARD.encode("n,,n=bob@example.org,r=theirs");
    let said = desk.typed(&format!("AUTH SCRAM-SHA-256 {first}\r\n"));
    let challenge = STANDARD.encode("r=theirsours,s=c2FsdA==,i=4096");
    assert_eq!(said, format!("334 {challenge}\r\n"));
    let said = desk.typed(&format!("{}\r\n", scram_final(7)));
    assert_eq!(said, format!("334 {}\r\n", STANDARD.encode("v=AAAA")));
    // Whoever does not take the server's last message is not signed in.
    assert_eq!(
        desk.codes("*\r\nMAIL FROM:<bob@example.org>\r\n"),
        ["501", "530"]
    );
    let begun = desk.codes(&format!(
        "AUTH SCRAM-SHA-256\r\n{first}\r\n{}\r\n",
        scram_final(7)
    ));
    assert_eq!(begun, ["334", "334", "334"]);
    assert_eq!(
        desk.codes("\r\nMAIL FROM:<bob@example.org>\r\n"),
        ["235", "250"]
    );
    let steps = ["scram bob@example.org", "proof"];
    assert_eq!(desk.events[..2], steps);
    assert_eq!(
        desk.events[2..5],
        ["scram bob@example.org", "proof", "proved"]
    );
}

#[test]
fn a_scram_exchange_that_is_none_signs_nobody_in() {
    let mut desk = Desk::submission();
    let first = STANDARD.encode("n,,n=bob@example.org,r=theirs");
    for none in ["=", "!", "biws", "cD14LCxuPWEscj1i"] {
        assert_eq!(
            desk.codes(&format!("AUTH SCRAM-SHA-256 {none}\r\n")),
            ["501"]
        );
    }
    let wrong = format!("AUTH SCRAM-SHA-256 {first}\r\n{}\r\n", scram_final(0));
    assert_eq!(desk.codes(&wrong), ["334", "535"]);
    let no_proof = format!("AUTH SCRAM-SHA-256 {first}\r\n{first}\r\n");
    assert_eq!(desk.codes(&no_proof), ["334", "501"]);
    assert_eq!(desk.codes("MAIL FROM:<bob@example.org>\r\n"), ["530"]);
}

#[test]
fn three_wrong_passwords_end_the_session() {
    let mut desk = Desk::submission();
    let wrong = "AUTH PLAIN AGJvYgBndWVzcw==\r\n";
    assert_eq!(desk.codes(&wrong.repeat(2)), ["535", "535"]);
    assert_eq!(desk.codes(&wrong.repeat(2)), ["535", "421"]);
    assert_eq!(desk.events.last().unwrap(), "closed");
}

#[test]
fn ten_errors_end_the_session() {
    let mut desk = Desk::mx();
    let codes = desk.codes(&"NOSUCH\r\n".repeat(12));
    assert_eq!(codes.len(), limits::PROTOCOL_ERRORS);
    assert_eq!(codes.last().unwrap(), "421");
    assert_eq!(desk.events, ["closed"]);
}

#[test]
fn keys_are_answered_in_order() {
    let mut server = Server::new(config(true, Auth::NotOffered), NOW);
    server.receive(b"EHLO x\r\n", NOW);
    server.receive("KEY <a@example.com>\r\n".repeat(10).as_bytes(), NOW);
    server.receive(b"NOOP\r\n", NOW);
    let mut ids = Vec::new();
    while let Some(Event::Key { id, .. }) = server.poll_event() {
        ids.push(id);
    }
    assert_eq!(ids.len(), limits::KEYS_OUTSTANDING);
    server.poll_transmit();
    let subject: email2::Identity = "a@example.com".parse().unwrap();
    server.answer_key(ids[1], Err(Rejection::NoKey { subject }), NOW);
    assert!(
        server.poll_transmit().is_none(),
        "the first is not answered"
    );
    server.answer_key(ids[0], Ok(certificate()), NOW);
    let said = String::from_utf8(server.poll_transmit().unwrap()).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("250-2.0.0 v=1 etag=0a ttl=60 flags=-"));
    assert!(
        lines.iter().all(|line| line.len() <= 510),
        "RFC 5321 §4.5.3.1.5"
    );
    assert!(lines.last().unwrap().starts_with("550 5.7.1 "));
    let more = std::iter::from_fn(|| server.poll_event()).count();
    assert_eq!(more, 2, "room for two");
}

fn certificate() -> KeyAnswer {
    KeyAnswer::Certificate {
        etag: "0a".parse().unwrap(),
        ttl: 60,
        flags: KeyFlags::default(),
        octets: vec![9; 2_000],
    }
}

#[test]
fn a_certificate_is_put_as_counted_octets() {
    let mut desk = Desk::submission();
    desk.typed("AUTH PLAIN AGJvYkBleGFtcGxlLm9yZwBzZWNyZXQ=\r\n");
    let said = desk.typed("KEYPUT <bob@example.org> 6\r\n\r\n.\r\nXNOOP\r\n");
    assert!(said.contains("token="), "{said}");
    assert!(said.ends_with("250 2.0.0 nothing done\r\n"), "{said}");
    assert_eq!(desk.events[1], "keyput bob@example.org 6");
    let big = format!(
        "KEYPUT <bob@example.org> 40000\r\n{}NOOP\r\n",
        "x".repeat(40_000)
    );
    assert_eq!(
        desk.codes(&big),
        ["552", "250"],
        "its octets are not commands"
    );
}

#[test]
fn what_is_too_big_is_refused_once() {
    let mut desk = Desk::mx();
    assert_eq!(desk.codes("MAIL FROM:<> SIZE=1001\r\n"), ["552"]);
    let start = "MAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\n";
    let body = format!("{}\r\n.\r\nNOOP\r\n", "x".repeat(1_500));
    assert_eq!(
        desk.codes(&format!("{start}DATA\r\n{body}")),
        ["250", "250", "354", "552", "250"]
    );
    let chunk = format!(
        "BDAT 1500\r\n{}BDAT 3 LAST\r\nabcNOOP\r\n",
        "x".repeat(1_500)
    );
    let codes = desk.codes(&format!("{start}{chunk}"));
    assert_eq!(codes, ["250", "250", "552", "503", "250"]);
    assert!(desk.events.iter().all(|event| !event.starts_with("end")));
}

#[test]
fn a_refused_chunk_ends_the_transaction() {
    // spec §4.12: what the seal says is judged before the rest comes.
    let mut desk = Desk::mx();
    desk.typed("MAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\n");
    assert_eq!(desk.codes("BDAT 3\r\nab"), [""; 0]);
    desk.server.refuse_content(Rejection::SealMissing);
    let rest = "cBDAT 3\r\nabc".to_owned() + &"BDAT 1\r\nx".repeat(20) + "BDAT 0 LAST\r\n";
    let codes = desk.codes(&rest);
    assert_eq!(codes.first().unwrap(), "550");
    assert_eq!(codes.len(), 23);
    assert!(
        codes[1..].iter().all(|code| code == "503"),
        "pipelined chunks are no errors"
    );
    assert_eq!(desk.codes("NOOP\r\n"), ["250"]);
}

#[test]
fn too_many_recipients_come_later() {
    let mut desk = Desk::mx();
    desk.typed("MAIL FROM:<>\r\n");
    let codes = desk.codes(&"RCPT TO:<a@example.com>\r\n".repeat(4));
    assert_eq!(codes, ["250", "250", "250", "452"]);
}

/// spec §3.9.6: whom one seal cannot name comes in the next transaction.
#[test]
fn sealed_mail_has_as_many_recipients_as_a_seal_names() {
    let many = ServerConfig {
        recipients_limit: limits::RECIPIENTS,
        ..config(true, Auth::NotOffered)
    };
    let mut desk = Desk::mx();
    desk.server = Server::new(many, NOW);
    desk.typed("EHLO client.example.org\r\n");
    let to = "RCPT TO:<a@example.com>\r\n".repeat(limits::SEAL_RECIPIENTS + 1);
    let sealed = "MAIL FROM:<bob@example.org> EMAIL2=author,Ym9iQGV4YW1wbGUub3Jn\r\n";
    for (mail, last) in [(sealed, "452"), ("RSET\r\nMAIL FROM:<>\r\n", "250")] {
        desk.typed(mail);
        let codes = desk.codes(&to);
        assert_eq!(codes.len(), limits::SEAL_RECIPIENTS + 1);
        assert!(
            codes[..limits::SEAL_RECIPIENTS]
                .iter()
                .all(|code| code == "250")
        );
        assert_eq!(codes.last().unwrap(), last);
    }
}

#[test]
fn addresses_beyond_ascii_need_smtputf8() {
    let mut desk = Desk::mx();
    assert_eq!(desk.codes("MAIL FROM:<b\u{f6}b@example.org>\r\n"), ["553"]);
    assert_eq!(desk.codes("MAIL FROM:<>\r\n"), ["250"]);
    assert_eq!(
        desk.codes("RCPT TO:<\u{e4}@example.com>\r\nRSET\r\n"),
        ["553", "250"]
    );
    let utf8 = "MAIL FROM:<b\u{f6}b@example.org> SMTPUTF8\r\nRCPT TO:<\u{e4}@example.com>\r\n";
    assert_eq!(desk.codes(utf8), ["250", "250"]);
}

#[test]
fn lines_have_limits_by_verb() {
    let mut desk = Desk::mx();
    let key = |octets: usize| {
        let domain = ".d23456789".repeat(40);
        let used = "KEY <a@x> FPR=\r\n".len();
        let name = &domain[..octets - used];
        format!("KEY <a@x{name}> FPR=\r\n")
    };
    assert_eq!(key(401).len(), 401);
    assert!(desk.typed(&key(401)).starts_with("501"));
    assert!(desk.typed(&key(402)).starts_with("500"));
    assert_eq!(
        desk.codes(&format!("NOOP {}\r\n", "x".repeat(505))),
        ["250"]
    );
    assert_eq!(
        desk.codes(&format!("NOOP {}\r\n", "x".repeat(506))),
        ["500"]
    );
    assert_eq!(desk.codes("NO\nOP\r\n"), ["500"]);
}

#[test]
fn silence_and_slowness_end_the_session() {
    let mut desk = Desk::mx();
    assert_eq!(desk.server.deadline(), Some(NOW + Duration::from_secs(300)));
    desk.typed("MAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nDATA\r\n");
    let slow = NOW + Duration::from_secs(limits::SLOW_AFTER);
    assert_eq!(desk.server.deadline(), Some(slow));
    desk.server.timeout(slow - Duration::from_millis(1));
    assert_eq!(desk.codes("x"), [""; 0], "not yet");
    desk.server.timeout(slow);
    assert_eq!(desk.codes(""), ["421"]);
    assert_eq!(
        desk.events[2..],
        ["reset -".to_owned(), "closed".to_owned()]
    );
    assert_eq!(desk.server.deadline(), None);
}

#[test]
fn a_lost_connection_forgets_the_transaction() {
    let mut desk = Desk::mx();
    desk.typed("MAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nDATA\r\nhalf");
    desk.server.end_of_stream(NOW);
    assert_eq!(desk.codes(""), [""; 0]);
    assert_eq!(
        desk.events[2..],
        ["reset -".to_owned(), "closed".to_owned()]
    );
}

#[test]
fn a_busy_server_drains() {
    let mut desk = Desk::mx();
    assert!(desk.server.is_idle());
    desk.typed("MAIL FROM:<>\r\n");
    assert!(!desk.server.is_idle());
    desk.typed("RSET\r\n");
    desk.server.shut_down(&Rejection::ServiceClosing);
    assert_eq!(desk.codes("NOOP\r\n"), ["421"]);
    let refusing = Server::refusing(
        config(true, Auth::NotOffered),
        &Rejection::TooManyConnections,
        NOW,
    );
    let mut refusing = refusing;
    let said = refusing.poll_transmit().unwrap();
    assert!(said.starts_with(b"421 "));
}

#[test]
fn who_asked_for_keys_and_sends_no_more_is_answered_to_the_end() {
    let mut server = Server::new(config(true, Auth::NotOffered), NOW);
    server.receive(b"EHLO x\r\nKEY <a@example.com>\r\nNOOP\r\n", NOW);
    let asked = std::iter::from_fn(|| server.poll_event());
    let mut ids = asked.filter_map(|event| match event {
        Event::Key { id, .. } => Some(id),
        _ => None,
    });
    let id = ids.next().unwrap();
    assert_eq!(ids.next(), None);
    server.end_of_stream(NOW);
    assert!(server.poll_event().is_none());
    assert!(!server.is_closed());
    server.poll_transmit();
    server.answer_key(id, Ok(certificate()), NOW);
    assert!(matches!(server.poll_event(), Some(Event::Closed)));
    let said = String::from_utf8(server.poll_transmit().unwrap()).unwrap();
    assert!(said.starts_with("250-2.0.0 v=1 "), "{said}");
    assert!(said.ends_with("250 2.0.0 nothing done\r\n"), "{said}");
}
