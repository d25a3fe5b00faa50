//! Handing on by LMTP and by SMTP: dialogues in memory.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::time::Duration;

use email2::address::ReversePath;
use email2_smtp::client::Failure;
use email2_smtp::lmtp::{Dialect, Event, Handover, Lmtp};
use email2_smtp::{Envelope, Mail, Recipient, Reply};

const NOW: Duration = Duration::from_secs(7);
const CONTENT: &[u8] = b"Subject: x\r\n\r\n.a\r\n";
type Outcomes = Vec<Result<Reply, Failure>>;

fn handover(dialect: Dialect, to: &[&str]) -> Handover {
    Handover {
        dialect,
        name: "mx.example.org".into(),
        envelope: Envelope {
            mail: Mail::new(ReversePath::parse("bob@example.com").unwrap()),
            recipients: to
                .iter()
                .map(|to| Recipient::new(to.parse().unwrap()))
                .collect(),
        },
        only_asks: false,
    }
}

/// Plays a server that answers each line of ours with the next of `replies`; what we said, and
/// what became of everybody.
fn play(handover: Handover, replies: &[&str]) -> (String, Outcomes) {
    let mut machine = Lmtp::new(handover, NOW);
    let (mut said, mut outcomes) = (String::new(), None);
    let mut replies = replies.iter();
    loop {
        while let Some(event) = machine.poll_event() {
            match event {
                Event::WantsContent => {
                    machine.content(CONTENT, NOW);
                    machine.content_end(NOW);
                }
                Event::Done(done) => {
                    assert!(outcomes.is_none(), "said twice");
                    outcomes = Some(done.into_iter().map(|(_, result)| result).collect());
                }
                Event::Closed => return (said, outcomes.unwrap()),
            }
        }
        while let Some(octets) = machine.poll_transmit() {
            said.push_str(&String::from_utf8(octets).unwrap());
        }
        match replies.next() {
            Some(reply) => machine.receive(format!("{reply}\r\n").as_bytes(), NOW),
            None => machine.end_of_stream(NOW),
        }
    }
}

fn codes(outcomes: &Outcomes) -> Vec<u16> {
    let code = |result: &Result<Reply, Failure>| match result {
        Ok(reply) | Err(Failure::Refused(reply)) => reply.code,
        Err(_) => 0,
    };
    outcomes.iter().map(code).collect()
}

const THREE: [&str; 3] = ["a@example.org", "b@example.org", "c@example.org"];

/// RFC 2033 §4.2: an answer for each recipient that RCPT accepted, in their order.
#[test]
fn by_lmtp_each_recipient_has_an_answer() {
    let replies = [
        "220 x",
        "250-x\r\n250 8BITMIME",
        "250 ok",
        "250 a",
        "550 5.1.1 b",
        "250 c",
        "354 go",
        "250 2.0.0 a",
        "452 4.2.2 c",
        "221 bye",
    ];
    let (said, outcomes) = play(handover(Dialect::Lmtp, &THREE), &replies);
    assert_eq!(codes(&outcomes), [250, 550, 452]);
    assert!(outcomes[0].is_ok() && outcomes[1].is_err() && outcomes[2].is_err());
    assert_eq!(
        said,
        "LHLO mx.example.org\r\nMAIL FROM:<bob@example.com>\r\nRCPT TO:<a@example.org>\r\n\
         RCPT TO:<b@example.org>\r\nRCPT TO:<c@example.org>\r\nDATA\r\n\
         Subject: x\r\n\r\n..a\r\n.\r\nQUIT\r\n"
    );
}

#[test]
fn by_smtp_one_answer_is_for_all_that_were_accepted() {
    let replies = [
        "220 x",
        "250 x",
        "250 ok",
        "250 a",
        "550 5.1.1 b",
        "250 c",
        "354 go",
        "451 4.3.0 later",
        "221 bye",
    ];
    let (said, outcomes) = play(handover(Dialect::Smtp, &THREE), &replies);
    assert_eq!(codes(&outcomes), [451, 550, 451]);
    assert!(said.starts_with("EHLO mx.example.org\r\n"));
}

/// A lost connection is neither a refusal nor a delivery, but what was answered stays answered.
#[test]
fn what_was_not_answered_is_not_known() {
    let replies = [
        "220 x",
        "250 x",
        "250 ok",
        "250 a",
        "250 b",
        "250 c",
        "354 go",
        "250 2.0.0 a",
    ];
    let (_, outcomes) = play(handover(Dialect::Lmtp, &THREE), &replies);
    assert_eq!(codes(&outcomes), [250, 0, 0]);
    assert_eq!(outcomes[1], Err(Failure::Lost));
    // More answers than were asked for are nobody's.
    let replies = [
        "220 x",
        "250 x",
        "250 ok",
        "250 a",
        "354 go",
        "550 5.0.0 a\r\n250 2.0.0 a",
    ];
    let (_, outcomes) = play(handover(Dialect::Lmtp, &THREE[..1]), &replies);
    assert_eq!(codes(&outcomes), [550]);
}

/// What was answered before the flood stays answered.
#[test]
fn who_says_more_than_is_read_is_named_for_it() {
    let mut machine = Lmtp::new(handover(Dialect::Lmtp, &THREE[..2]), NOW);
    machine.receive(b"220 x\r\n250 x\r\n250 ok\r\n550 5.1.1 a\r\n250-and", NOW);
    machine.too_much(NOW);
    let events: Vec<_> = std::iter::from_fn(|| machine.poll_event()).collect();
    let [Event::Done(done), Event::Closed] = &events[..] else {
        panic!("{events:?}");
    };
    let outcomes: Outcomes = done.iter().map(|(_, result)| result.clone()).collect();
    assert_eq!(codes(&outcomes), [550, 0]);
    assert_eq!(
        outcomes[1].as_ref().unwrap_err().to_string(),
        "the server answered with more than 64 KiB"
    );
}

#[test]
fn a_question_delivers_nothing() {
    let question = Handover {
        only_asks: true,
        ..handover(Dialect::Lmtp, &THREE)
    };
    let replies = [
        "220 x",
        "250 x",
        "250 ok",
        "250 a",
        "550 5.1.1 b",
        "452 4.2.2 c",
        "221 x",
    ];
    let (said, outcomes) = play(question, &replies);
    assert_eq!(codes(&outcomes), [250, 550, 452]);
    assert!(!said.contains("DATA") && said.ends_with("QUIT\r\n"));
}

#[test]
fn whoever_refuses_early_refuses_all() {
    let cases: [(&[&str], u16); 6] = [
        (&["554 no"], 554),
        (&["220 x", "500 no"], 500),
        (&["220 x", "250 x", "421 4.3.2 closing"], 421),
        (
            &[
                "220 x", "250 x", "250 ok", "250 a", "250 b", "250 c", "554 no",
            ],
            554,
        ),
        (&["220 x", "nonsense"], 0),
        (&[], 0),
    ];
    for (replies, code) in cases {
        let (_, outcomes) = play(handover(Dialect::Lmtp, &THREE), replies);
        assert_eq!(codes(&outcomes), [code; 3], "{replies:?}");
    }
    let mut eight = handover(Dialect::Lmtp, &THREE);
    eight.envelope.mail.eight_bit = true;
    let (said, outcomes) = play(eight, &["220 x", "250 x", "221 x"]);
    assert_eq!(outcomes[0], Err(Failure::NotOffered("8BITMIME")));
    assert!(!said.contains("MAIL"));
}

#[test]
fn nobody_is_waited_for_without_end() {
    let mut machine = Lmtp::new(handover(Dialect::Lmtp, &THREE), NOW);
    let deadline = machine.deadline().unwrap();
    assert_eq!(deadline, NOW + Duration::from_secs(300));
    machine.timeout(deadline);
    let Some(Event::Done(outcomes)) = machine.poll_event() else {
        unreachable!("it is over");
    };
    assert!(
        outcomes
            .iter()
            .all(|(_, result)| *result == Err(Failure::TimedOut))
    );
}
