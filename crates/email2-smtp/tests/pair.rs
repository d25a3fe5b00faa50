//! Both machines against each other in memory, whatever pieces the octets come in.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::time::Duration;

use email2::address::{Address, Identity, ReversePath};
use email2::evidence::Announced;
use email2::key_query::{KeyAnswer, KeyFlags, KeyPut, KeyPutAnswer, KeyQuery, Token};
use email2::rejection::Rejection;
use email2::seal::Role;
use email2_smtp::client::{self, Client, ClientConfig, Failure, RecipientOutcome, StartTls};
use email2_smtp::server::{self, Answer, Auth, Server, ServerConfig, SignIn};
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

/// Two machines, a wire that cuts octets into pieces, and what happened.
struct Pair {
    client: Client,
    server: Server,
    piece: usize,
    client_events: Vec<client::Event>,
    mails: Vec<Mail>,
    recipients: Vec<Recipient>,
    content: Vec<u8>,
    /// What the client has still to send, and whether it began.
    source: Vec<u8>,
    stored: usize,
    refuse_content: Option<Rejection>,
}

impl Pair {
    fn new(tls: bool, auth: Auth, piece: usize) -> Self {
        let config = ServerConfig {
            hostname: "mx.example.com".into(),
            tls,
            starttls: true,
            auth,
            size_limit: 1 << 20,
            recipients_limit: 100,
            postmaster: None,
        };
        let credentials = (auth == Auth::Demanded).then(credentials);
        let name = "client.example.org".into();
        let asks = ClientConfig {
            name,
            tls,
            start_tls: StartTls::Demanded,
            credentials,
        };
        let mut pair = Pair {
            client: Client::new(asks, NOW),
            server: Server::new(config, NOW),
            piece,
            client_events: Vec::new(),
            mails: Vec::new(),
            recipients: Vec::new(),
            content: Vec::new(),
            source: Vec::new(),
            stored: 0,
            refuse_content: None,
        };
        pair.run();
        pair
    }

    /// Until nothing moves.
    fn run(&mut self) {
        loop {
            let moved = self.carry();
            let client = self.client_turn();
            let server = self.server_turn();
            if !(moved || client || server) {
                return;
            }
        }
    }

    fn carry(&mut self) -> bool {
        let to_server = self.client.poll_transmit().unwrap_or_default();
        let to_client = self.server.poll_transmit().unwrap_or_default();
        for octets in to_server.chunks(self.piece) {
            self.server.receive(octets, NOW);
            self.server_turn();
        }
        for octets in to_client.chunks(self.piece) {
            self.client.receive(octets, NOW);
            self.client_turn();
        }
        !to_server.is_empty() || !to_client.is_empty()
    }

    fn client_turn(&mut self) -> bool {
        let mut moved = false;
        while let Some(event) = self.client.poll_event() {
            moved = true;
            match event {
                client::Event::StartTls => {
                    // The handshake: whatever is under way in plaintext is gone.
                    self.carry();
                    self.client.tls_active(NOW);
                    self.server.tls_active(NOW);
                }
                client::Event::WantsContent if self.source.is_empty() => {
                    self.client.content_end(NOW);
                }
                client::Event::WantsContent => {
                    let piece = self.source.len().min(self.piece * 3);
                    let piece: Vec<u8> = self.source.drain(..piece).collect();
                    self.client.content(&piece, NOW);
                }
                event => self.client_events.push(event),
            }
        }
        moved
    }

    fn server_turn(&mut self) -> bool {
        let mut moved = false;
        while let Some(event) = self.server.poll_event() {
            moved = true;
            if let Some(answer) = self.decide(event) {
                self.server.answer(answer, NOW);
            }
        }
        moved
    }

    fn decide(&mut self, event: server::Event) -> Option<Answer> {
        Some(match event {
            server::Event::Mail(mail) => {
                self.mails.push(mail);
                Answer::Accepted
            }
            server::Event::Recipient(to) if to.address.local() == "nobody" => {
                let recipient = to.address;
                Answer::Rejected(Rejection::NoSuchMailbox { recipient })
            }
            server::Event::Recipient(to) => {
                self.recipients.push(to);
                Answer::Accepted
            }
            server::Event::ContentEnd(size) => {
                assert_eq!(size, self.content.len() as u64);
                self.stored += 1;
                Answer::Stored("stored".into())
            }
            server::Event::KeyPut { octets, .. } => {
                self.content = octets;
                let token = Some(Token::from_random(&[1; 32]));
                Answer::KeyStored(KeyPutAnswer { token })
            }
            server::Event::Authenticate(SignIn::Plain(said))
                if said.password.as_str() == "secret" =>
            {
                Answer::Accepted
            }
            server::Event::Authenticate(_) => Answer::Rejected(Rejection::AuthFailed),
            event => {
                self.note(event);
                return None;
            }
        })
    }

    fn note(&mut self, event: server::Event) {
        match event {
            server::Event::Content(octets) => {
                self.content.extend(octets);
                if let Some(rejection) = self.refuse_content.clone() {
                    self.server.refuse_content(rejection);
                }
            }
            server::Event::Key { id, query } => {
                let answer = match query.subject {
                    Identity::Address(_) => Ok(certificate()),
                    subject @ Identity::Service(_) => Err(Rejection::NoKey { subject }),
                };
                self.server.answer_key(id, answer, NOW);
            }
            _ => {}
        }
    }

    fn delivered(&mut self) -> Vec<RecipientOutcome> {
        let found = self.client_events.drain(..).find_map(|event| match event {
            client::Event::Delivered(outcomes) => Some(outcomes),
            _ => None,
        });
        found.unwrap()
    }

    fn deliver(&mut self, envelope: &Envelope, content: &[u8]) -> Vec<RecipientOutcome> {
        self.source = content.to_vec();
        self.content.clear();
        self.client.deliver(envelope, NOW);
        self.run();
        self.delivered()
    }
}

fn certificate() -> KeyAnswer {
    KeyAnswer::Certificate {
        etag: "0a".parse().unwrap(),
        ttl: 60,
        flags: KeyFlags::default(),
        octets: (0..5_000u32).map(|n| (n % 251) as u8).collect(),
    }
}

fn ready(pair: &Pair) -> bool {
    matches!(pair.client_events.as_slice(), [client::Event::Ready(offered)] if offered.email2)
}

#[test]
fn they_greet_start_tls_and_sign_in() {
    for piece in [1, 2, 5, 1_000] {
        assert!(ready(&Pair::new(false, Auth::NotOffered, piece)));
        assert!(ready(&Pair::new(true, Auth::Demanded, piece)));
        assert!(ready(&Pair::new(false, Auth::Demanded, piece)));
    }
}

#[test]
fn a_sealed_envelope_arrives_whole() {
    let mut pair = Pair::new(true, Auth::NotOffered, 3);
    let mut sent = envelope(&[
        "alice@example.com",
        "nobody@example.com",
        "carol@example.com",
    ]);
    sent.mail.announced = Some(Announced {
        role: Role::Author,
        signer: "bob@example.org".parse().unwrap(),
    });
    sent.mail.size = Some(99);
    sent.recipients[0].etag = Some("0f".parse().unwrap());
    let outcomes = pair.deliver(&sent, b"a\r\n.\r\n..b\r\n");
    assert_eq!(pair.mails, [sent.mail]);
    assert_eq!(
        pair.recipients,
        [sent.recipients[0].clone(), sent.recipients[2].clone()]
    );
    assert_eq!(pair.content, b"a\r\n.\r\n..b\r\n");
    // Case S07: accepted ones get it, the refused one is named with the server's sentence.
    let codes = outcomes.iter().map(|outcome| match &outcome.result {
        Ok(reply) | Err(Failure::Refused(reply)) => reply.code,
        Err(other) => panic!("{other}"),
    });
    assert_eq!(codes.collect::<Vec<_>>(), [250, 550, 250]);
    assert_eq!(
        outcomes[1].address,
        "nobody@example.com".parse::<Address>().unwrap()
    );
    assert_eq!(pair.stored, 1);
}

#[test]
fn no_recipient_no_content() {
    let mut pair = Pair::new(true, Auth::NotOffered, 100);
    let outcomes = pair.deliver(&envelope(&["nobody@example.com"]), b"a\r\n");
    assert!(matches!(&outcomes[0].result, Err(Failure::Refused(reply)) if reply.code == 550));
    assert!(pair.content.is_empty());
    let again = pair.deliver(&envelope(&["alice@example.com"]), b"a\r\n");
    assert!(again[0].result.is_ok(), "the next transaction works");
}

#[test]
fn a_refusal_at_the_first_chunk_stops_the_rest() {
    let mut pair = Pair::new(true, Auth::NotOffered, 16 * 1024);
    pair.refuse_content = Some(Rejection::SealMissing);
    let content = b"0123456789\r\n".repeat(100_000);
    let outcomes = pair.deliver(&envelope(&["alice@example.com"]), &content[..1 << 20]);
    assert!(matches!(&outcomes[0].result, Err(Failure::Refused(reply)) if reply.code == 550));
    assert!(!pair.source.is_empty(), "not all was sent");
    pair.refuse_content = None;
    let again = pair.deliver(&envelope(&["alice@example.com"]), b"a\r\n");
    assert!(again[0].result.is_ok());
}

#[test]
fn what_may_not_be_sent_is_not_sent() {
    for content in [&b"a"[..], b"a\nb\r\n", b"a\rb\r\n", b"a\0\r\n", b"a\r"] {
        let mut pair = Pair::new(true, Auth::NotOffered, 100);
        let outcomes = pair.deliver(&envelope(&["alice@example.com"]), content);
        assert_eq!(outcomes[0].result, Err(Failure::Content));
        pair.server.end_of_stream(NOW);
        pair.run();
        assert_eq!(pair.stored, 0);
    }
}

#[test]
fn keys_are_asked_for_in_numbers() {
    let mut pair = Pair::new(true, Auth::NotOffered, 50);
    let query = |text: &str| KeyQuery {
        subject: text.parse().unwrap(),
        fingerprint: None,
        etag: None,
    };
    let mut queries = vec![query("alice@example.com"); 20];
    queries.push(query("@example.com"));
    pair.client_events.clear();
    pair.client.keys(&queries, NOW);
    pair.run();
    assert_eq!(pair.client_events.len(), 21);
    for (at, event) in pair.client_events.iter().enumerate() {
        match event {
            client::Event::Key { index, answer } if at < 20 => {
                assert_eq!((*index, answer), (at, &Ok(certificate())));
            }
            client::Event::Key { answer, .. } => {
                assert!(matches!(answer, Err(Failure::Refused(reply)) if reply.code == 550));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_certificate_is_put_and_brings_a_token() {
    let mut pair = Pair::new(true, Auth::Demanded, 7);
    pair.client_events.clear();
    let octets = b"\r\n.\r\nnot a command\r\n".repeat(40);
    let put = KeyPut {
        address: "bob@example.org".parse().unwrap(),
        size: octets.len() as u32,
    };
    pair.client.key_put(&put, &octets, NOW);
    pair.client.quit(NOW);
    pair.run();
    assert_eq!(pair.content, octets);
    let [client::Event::KeyPut(Ok(answer)), client::Event::Closed] = &pair.client_events[..] else {
        panic!("{:?}", pair.client_events);
    };
    assert!(answer.token.is_some());
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
    fn what_is_sent_arrives(content in content(), piece in 1usize..40) {
        let mut pair = Pair::new(true, Auth::NotOffered, piece);
        let outcomes = pair.deliver(&envelope(&["alice@example.com"]), &content);
        prop_assert!(outcomes[0].result.is_ok());
        prop_assert_eq!(&pair.content, &content);
    }
}
