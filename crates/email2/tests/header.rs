//! Where fields may stand in sealed mail, and what a scan tells of a message.

use email2::rejection::Rejection;
use email2::scan::{Scan, Scanned};
use sha2::{Digest, Sha256};

const SEAL: &str = "Email2-Seal: v=1; f=author;\r\n s=x\r\n";
const BELOW: &str =
    "From: Bob <bob@example.org>\r\nTo: alice@example.com\r\nSubject: hi\r\n\r\nhello\r\n";

fn scan(message: &str) -> Result<Scanned, Rejection> {
    Scan::whole(true, message.as_bytes())
}

fn refusal(message: &str) -> &'static str {
    match scan(message) {
        Ok(_) => "accepted",
        Err(rejection) => rejection.id(),
    }
}

#[test]
fn a_sealed_message_is_described() {
    let message = format!("Received: from x\r\nX-Spam: no\r\n{SEAL}{BELOW}");
    let scanned = scan(&message).unwrap();
    let header = &scanned.header;
    assert_eq!(scanned.size, message.len() as u64);
    assert_eq!(scanned.fault, None);
    assert_eq!(header.above.len(), 2);
    assert_eq!(header.received, 1);
    assert_eq!(header.seals[0].value, b" v=1; f=author;\r\n s=x");
    assert_eq!(
        &message.as_bytes()[header.seals[0].end as usize..],
        BELOW.as_bytes()
    );
    assert_eq!(scanned.digests, [<[u8; 32]>::from(Sha256::digest(BELOW))]);
    assert_eq!(
        header.from.as_ref().unwrap().address.to_string(),
        "bob@example.org"
    );
    assert_eq!(header.value("SUBJECT"), Some(&b" hi"[..]));
    assert_eq!(header.octets as usize + "hello\r\n".len(), message.len());
}

#[test]
fn every_seal_has_its_own_digest() {
    let lower = format!("{SEAL}{BELOW}");
    let upper =
        format!("Email2-Key: k=v\r\nList-Id: <l.example.com>\r\nPrecedence: list\r\n{lower}");
    let scanned = scan(&format!("{SEAL}{upper}")).unwrap();
    let expected: Vec<[u8; 32]> = [upper.as_str(), BELOW]
        .iter()
        .map(|t| Sha256::digest(t).into())
        .collect();
    assert_eq!(scanned.digests, expected);
    assert_eq!(scanned.header.seals[0].key.as_deref(), Some(&b" k=v"[..]));
    assert_eq!(scanned.header.seals[1].key, None);
}

fn check<const N: usize>(cases: [(String, &str); N]) {
    for (message, expected) in cases {
        assert_eq!(refusal(&message), expected, "{message:?}");
    }
}

#[test]
fn around_the_seals() {
    check([
        (BELOW.to_owned(), "seal-missing"),
        (format!("Subject: x\r\n{SEAL}{BELOW}"), "field-above-seal"),
        (
            format!("Content-Foo: x\r\n{SEAL}{BELOW}"),
            "field-above-seal",
        ),
        (
            format!("{SEAL}To: x@example.org\r\n{SEAL}{BELOW}"),
            "field-above-seal",
        ),
        (
            format!("{SEAL}Received: x\r\n{SEAL}{BELOW}"),
            "field-between-seals",
        ),
        (
            format!("{SEAL}Bcc: x@example.org\r\n{BELOW}"),
            "field-below-seal",
        ),
        (
            format!("{SEAL}Email2-Verdict: fine\r\n{BELOW}"),
            "field-below-seal",
        ),
        (
            format!("{SEAL}Return-Path: <>\r\n{BELOW}"),
            "field-below-seal",
        ),
        (
            format!("{SEAL}Content-Length: 5\r\n{BELOW}"),
            "field-below-seal",
        ),
    ]);
}

#[test]
fn fields_and_lines() {
    check([
        (
            format!("{SEAL}From: eve@example.net\r\n{BELOW}"),
            "field-twice",
        ),
        (format!("{SEAL}subject: other\r\n{BELOW}"), "field-twice"),
        (
            format!("{SEAL}From : eve@example.net\r\n{BELOW}"),
            "malformed-field",
        ),
        (format!("{SEAL}junk\r\n{BELOW}"), "malformed-field"),
        (format!(" x\r\n{SEAL}{BELOW}"), "malformed-field"),
        (format!("{SEAL}X: y\r\n \r\n{BELOW}"), "malformed-field"),
        (
            format!("{SEAL}X: {}\r\n{BELOW}", "y".repeat(1000)),
            "line-too-long",
        ),
        (
            format!("{SEAL}{BELOW}{}\r\n", "y".repeat(999)),
            "line-too-long",
        ),
        (format!("{}{BELOW}", SEAL.repeat(9)), "too-many-seals"),
        (
            format!(
                "Email2-Seal: x{}\r\n{BELOW}",
                "\r\n yyyyyyyyyyyyyyyyyyyyyyyy".repeat(400)
            ),
            "seal-malformed",
        ),
        (format!("{SEAL}Subject: x\r\n\r\n"), "from-missing"),
        (
            format!("{SEAL}From: a@example.org, b@example.org\r\n\r\n"),
            "from-malformed",
        ),
        (format!("{SEAL}{BELOW}bare\rreturn\r\n"), "bare-line-end"),
        (format!("{SEAL}{BELOW}smuggled\n.\r\n"), "bare-line-end"),
        (format!("{SEAL}{BELOW}\0\r\n"), "nul"),
        (format!("{SEAL}{BELOW}no end"), "no-final-line-end"),
    ]);
}

#[test]
fn loops_and_what_is_accepted() {
    check([
        (
            format!("{}{SEAL}{BELOW}", "Received: x\r\n".repeat(51)),
            "loop",
        ),
        (
            format!("{}{SEAL}{BELOW}", "Received: x\r\n".repeat(50)),
            "accepted",
        ),
        (
            format!(
                "X-Anything: x\r\nReturn-Path: <>\r\nEmail2-Verdict: x\r\nBcc: y\r\n{SEAL}{BELOW}"
            ),
            "accepted",
        ),
        (format!("{}{BELOW}", SEAL.repeat(8)), "accepted"),
        (format!("{SEAL}From: bob@example.org\r\n"), "accepted"),
    ]);
    let latin = [
        format!("{SEAL}X: ").as_bytes(),
        b"\xfc\r\n",
        BELOW.as_bytes(),
    ]
    .concat();
    assert_eq!(
        Scan::whole(true, &latin).unwrap_err(),
        Rejection::HeaderOctets
    );
}

#[test]
fn ordinary_mail_keeps_its_faults() {
    let scanned = Scan::whole(false, BELOW.as_bytes()).unwrap();
    assert_eq!(scanned.fault, Some(Rejection::SealMissing));
    let long = format!("{SEAL}{BELOW}{}\r\n", "y".repeat(999));
    let scanned = Scan::whole(false, long.as_bytes()).unwrap();
    assert!(matches!(scanned.fault, Some(Rejection::LineTooLong { .. })));
    assert_eq!(
        Scan::whole(false, b"From: x\r\n\r\nbare\nline\r\n").unwrap_err(),
        Rejection::BareLineEnd
    );
    let too_long = format!("{BELOW}{}\r\n", "y".repeat(70_000));
    assert!(Scan::whole(false, too_long.as_bytes()).is_err());
}

#[test]
fn our_own_results_are_recognised() {
    let forged = format!("{SEAL}Authentication-Results: mx.example.com; dkim=pass\r\n{BELOW}");
    let header = scan(&forged).unwrap().header;
    assert!(header.claims_results_of("MX.example.com"));
    assert!(!header.claims_results_of("mx.example.net"));
    for (value, ours) in [
        ("(c) mx.example.com; dkim=pass", true),
        ("(a;\\) (b)\r\n c) mx.example.com (d) 1; none", true),
        ("\"MX.example\\.com\"; dkim=pass", true),
        ("\r\n mx.example.com; none", true),
        ("mx.example.com.evil.example; none", false),
        ("mx.example.net (mx.example.com); none", false),
        ("\"a;mx.example.com\"; none", false),
        ("", false),
    ] {
        let results = format!("{SEAL}Authentication-Results: {value}\r\n{BELOW}");
        let header = scan(&results).unwrap().header;
        assert_eq!(header.claims_results_of("mx.example.com"), ours, "{value}");
    }
    let above = format!("Authentication-Results: mx.example.com; dkim=pass\r\n{SEAL}{BELOW}");
    assert!(
        !scan(&above)
            .unwrap()
            .header
            .claims_results_of("mx.example.com")
    );
}

#[test]
fn the_header_is_known_before_the_body() {
    let message = format!("{SEAL}{BELOW}");
    let end = message.find("hello").unwrap();
    let mut scan = Scan::new(true);
    scan.push(&message.as_bytes()[..end - 2]).unwrap();
    assert!(scan.header().is_none());
    scan.push(&message.as_bytes()[end - 2..end]).unwrap();
    assert_eq!(scan.header().unwrap().seals.len(), 1);
}
