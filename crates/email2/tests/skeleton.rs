//! The guard against a parser and against hostile shapes, on a 2 MiB stack.

use std::time::{Duration, Instant};

use email2::rejection::Rejection;
use email2::scan::Scan;
use email2::skeleton::Skeleton;
use mail_parser::{Message, MessageParser, PartType};
use proptest::prelude::*;

/// Runs `work` as a server's worker would: on a small stack, watched by a clock.
#[expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "the test is about time and stack"
)]
fn on_a_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let begin = Instant::now();
    let thread = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(work)
        .unwrap();
    let done = thread.join().unwrap();
    assert!(
        begin.elapsed() < Duration::from_secs(20),
        "took {:?}",
        begin.elapsed()
    );
    done
}

fn check(entity: Vec<u8>) -> Result<(), Rejection> {
    on_a_small_stack(move || Skeleton::check(&entity))
}

/// How many parts the parser makes of it.
fn parts_of(message: &Message<'_>) -> usize {
    let mut waiting = vec![message];
    let mut parts = 0;
    while let Some(message) = waiting.pop() {
        parts += message.parts.len();
        waiting.extend(message.parts.iter().filter_map(|part| match &part.body {
            PartType::Message(nested) => Some(nested),
            _ => None,
        }));
    }
    parts
}

/// What the parser makes of it. In debug builds its own assertions fail on some
/// broken structures; those say nothing about the guard.
fn parsed(message: &str) -> Option<Message<'_>> {
    let parse = || MessageParser::default().parse(message.as_bytes());
    std::panic::catch_unwind(parse).ok().flatten()
}

#[test]
fn nested_messages() {
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(22_000);
    assert_eq!(check(nested.into_bytes()), Err(Rejection::TooDeep));
}

#[test]
fn nested_multiparts() {
    let nested: String = (0..2_000)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}x\r\n\r\n--b{n}x\r\n"))
        .collect();
    assert_eq!(check(nested.into_bytes()), Err(Rejection::TooDeep));
}

#[test]
fn depth_is_counted_to_its_bound() {
    let nested = |levels: usize| {
        "Content-Type: message/rfc822\r\n\r\n".repeat(levels) + "Subject: x\r\n\r\ntext\r\n"
    };
    assert_eq!(check(nested(32).into_bytes()), Ok(()));
    assert_eq!(check(nested(33).into_bytes()), Err(Rejection::TooDeep));
}

#[test]
fn parts() {
    let many = |parts: usize| {
        let head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned();
        (head + &"--b\r\n\r\nx\r\n".repeat(parts) + "--b--\r\n").into_bytes()
    };
    assert_eq!(check(many(999)), Ok(()));
    assert_eq!(check(many(1_000)), Err(Rejection::TooManyParts));
}

#[test]
fn parameters() {
    let many = |parameters: usize| {
        let line = |n| format!(";\r\n name*{n}*=x");
        let head = "Content-Type: text/plain".to_owned();
        (head + &(0..parameters).map(line).collect::<String>() + "\r\n\r\n").into_bytes()
    };
    assert_eq!(check(many(64)), Ok(()));
    assert_eq!(check(many(65)), Err(Rejection::TooManyParameters));
    assert_eq!(check(many(1_000_000)), Err(Rejection::TooManyParameters));
    let long = format!(
        "Content-Type: text/plain{}\r\n\r\n",
        "; a*0*=b".repeat(1_000_000)
    );
    assert!(check(long.into_bytes()).is_err());
}

#[test]
fn fields_addresses_and_octets() {
    assert_eq!(
        check(b"X: y\r\n".repeat(2_001)),
        Err(Rejection::TooManyFields)
    );
    assert_eq!(check(b"X: y\r\n".repeat(2_000)), Ok(()));
    let to = [b"To: a@b\r\n".to_vec(), b" ,a@b\r\n".repeat(2_000)].concat();
    assert_eq!(check(to), Err(Rejection::TooManyAddresses));
    let big = [
        b"X: y\r\n".to_vec(),
        [b" ".to_vec(), vec![b'x'; 990], b"\r\n".to_vec()]
            .concat()
            .repeat(300),
    ];
    assert_eq!(check(big.concat()), Err(Rejection::HeaderTooBig));
    let part = [
        b"Content-Type: message/rfc822\r\n\r\n".to_vec(),
        big.concat(),
    ]
    .concat();
    assert_eq!(check(part), Err(Rejection::HeaderTooBig));
}

#[test]
fn boundaries_that_do_not_occur() {
    let head: String = (0..40)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=none{n}\r\n"))
        .collect();
    assert!(matches!(
        check(head.into_bytes()),
        Err(Rejection::AmbiguousMime { .. })
    ));
}

#[test]
fn encoded_messages() {
    for encoding in ["base64", "Quoted-Printable", "=?utf-8?q?base64?="] {
        let hidden = format!(
            "Content-Transfer-Encoding: {encoding}\r\nContent-Type: message/rfc822\r\n\r\nx\r\n"
        );
        assert!(matches!(
            check(hidden.into_bytes()),
            Err(Rejection::AmbiguousMime { .. })
        ));
    }
}

#[test]
fn long_lines_and_dashes() {
    assert!(matches!(
        check(vec![b'x'; 50 << 20]),
        Err(Rejection::LineTooLong { .. })
    ));
    let head = b"Content-Type: multipart/mixed; boundary=\"----------x\"\r\n\r\n".to_vec();
    let dashes = [vec![b'-'; 60_000], b"\r\n".to_vec()].concat().repeat(800);
    assert_eq!(check([head.clone(), dashes].concat()), Ok(()));
    let nearly = b"------------------------------------------ ----------y ".repeat(1_000);
    let lines = [nearly, b"\r\n".to_vec()].concat().repeat(200);
    assert_eq!(check([head, lines].concat()), Ok(()));
}

#[test]
fn lines_that_nearly_repeat_a_boundary() {
    let head =
        b"Content-Type: multipart/mixed; boundary=a--a--a--a--a--a--a--a--a--b\r\n\r\n".to_vec();
    let line = [b"--a".repeat(330), b"\r\n".to_vec()].concat();
    let message = [head, line.repeat(50_000)].concat();
    assert!(matches!(
        check(message),
        Err(Rejection::AmbiguousMime { .. })
    ));
    let head = b"Content-Type: multipart/mixed; boundary=\"----=_Part--1--x\"\r\n\r\n".to_vec();
    let part = b"------=_Part--1--x\r\n\r\n-- \r\n--- a -- b --\r\n".to_vec();
    assert_eq!(check([head, part.repeat(900)].concat()), Ok(()));
}

#[test]
fn prefixes_of_boundaries() {
    let message = b"Content-Type: multipart/mixed; boundary=abc\r\n\r\n\
        --abc\r\nContent-Type: multipart/mixed; boundary=\"--abcdef\"\r\n\r\n\
        ----abcdef\r\n\r\none\r\n----abcdef\r\n\r\ntwo\r\n----abcdef--\r\n\
        --abc\r\n\r\nthree\r\n--abc--\r\n";
    assert_eq!(check(message.to_vec()), Ok(()));
}

/// What passes the guard is safe to parse: the worst of each shape, on the same
/// small stack, by the same clock.
#[test]
fn what_passes_can_be_parsed() {
    let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(2) + "X: y\r\n\r\nz\r\n--b\r\n";
    let head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n".to_owned();
    let deep = head + &messages.repeat(300);
    let words =
        "Subject:".to_owned() + &(" ".to_owned() + &"=?a?q?".repeat(160) + "\r\n").repeat(250);
    let ids = "References:".to_owned() + &(" ".to_owned() + &"<a".repeat(490) + "\r\n").repeat(250);
    let names = "To:".to_owned() + &(" ".to_owned() + &"((".repeat(490) + "\r\n").repeat(250);
    let seek: String = (0..30)
        .map(|n| format!("Content-Type: multipart/x; boundary=n{n}\r\n"))
        .collect();
    let long = seek + "\r\n" + &("-".repeat(900) + "\r\n").repeat(5_000);
    for message in [deep, words, ids, names, long] {
        assert_eq!(check(message.clone().into_bytes()), Ok(()));
        on_a_small_stack(move || drop(parsed(&message)));
    }
}

/// Pieces that parsers read differently.
fn fragment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "Content-Type: multipart/mixed; boundary=a\r\n",
        "Content-Type: multipart/digest; boundary=ab\r\n",
        "content-type : MULTIPART/x; boundary=\"--a\"\r\n",
        "Content-Type: message/rfc822\r\n",
        "Content-Type: message/global\r\n",
        "Content-Type: text/plain\r\n",
        "Content-Type:\r\n",
        "Content-Type: text(x)message/rfc822\r\n",
        "Content-\tType: message/rfc822; x=\"\r\n",
        "Subject: \"x\r\n",
        "From: \"a <b\r\n",
        "Date: x\r\n",
        "Content-Transfer-Encoding: 7bit\r\n",
        "X: (y\r\n",
        "To: =?utf-8?q?x\r\n",
        " Content-Type: message/rfc822\r\n",
        "\tboundary=ab\r\n",
        " \r\n",
        "\r\n",
        "\r\n",
        "\r\n",
        "\r\n",
        "junk\r\n",
        ":::\r\n",
        "--a\r\n",
        "--a\r\n",
        "--ab\r\n",
        "----a\r\n",
        "--a--\r\n",
        "--ab--\r\n",
        "----a--\r\n",
        "x--a\r\n",
        "--aContent-Type: message/rfc822\r\n",
        "--a \r\n",
        "--abc\r\n",
        "Content-Type: multipart/mixed;\r\n\tboundary=ab; x=--a\r\n",
        "\x0cContent-Type: message/rfc822\r\n",
        "Content-Type: multipart/alternative; boundary=\"a\"(x)\r\n",
        "References: <x\r\n",
        "Received: from x\r\n",
        "List-Id: \"\\\r\n",
        "Content-Type: multipart/mixed (c); boundary=ab\r\n",
        "Content-Type: multipart\r\n",
        ":Con tent-Type: message/rfc822\r\n",
        "Content-Type: message;\r\n rfc822\r\n",
        "Content-Type: text\r\n message/rfc822\r\n",
        "Content-Type: (\r\n",
        "Content-Type: message/rfc822;=?utf-8?q?x\r\n",
        "Content-Disposition: attachment; a=\"\r\n",
        "Content-Type: multipart/mixed; boundary=---\r\n",
        "Content-Type: multipart/mixed; boundary=\r\n",
        "-----\r\n",
        "--------\r\n",
        "--a--b\r\n",
        "--ab--a\r\n",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    /// What the parser nests, the guard has counted.
    #[test]
    fn the_guard_is_the_greater_pessimist(pieces in prop::collection::vec(fragment(), 1..40)) {
        let message = pieces.concat();
        let mut skeleton = Skeleton::new();
        if skeleton.push(message.as_bytes()).is_ok()
            && let Some(parsed) = parsed(&message)
        {
            prop_assert!(skeleton.parts() >= parts_of(&parsed), "{} < {}", skeleton.parts(), parts_of(&parsed));
        }
    }

    #[test]
    fn chunks_do_not_matter(
        pieces in prop::collection::vec(fragment(), 1..40),
        chunk in 1usize..50,
        sealed in any::<bool>(),
    ) {
        let message = pieces.concat();
        let whole = Scan::whole(sealed, message.as_bytes());
        let mut scan = Scan::new(sealed);
        let pushed = message.as_bytes().chunks(chunk).try_for_each(|octets| scan.push(octets));
        let chunked = pushed.and_then(|()| scan.finish());
        prop_assert_eq!(format!("{whole:?}"), format!("{chunked:?}"));
    }

    #[test]
    fn octets_of_any_kind(octets in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Skeleton::check(&octets);
        let _ = Scan::whole(false, &octets);
        let _ = Scan::whole(true, &octets);
    }
}
