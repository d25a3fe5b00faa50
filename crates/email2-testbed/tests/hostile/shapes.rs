//! The shapes: each makes a message of about so many octets, at its most unpleasant.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A hostile shape.
pub(crate) struct Shape {
    /// Its name, as docs/security.md has it.
    pub(crate) name: &'static str,
    /// Makes it, about so many octets.
    pub(crate) make: fn(usize) -> Vec<u8>,
}

const HEAD: &str = "From: eve@example.net\r\nTo: alice@example.com\r\nSubject: hello\r\n\
    Date: Mon, 24 Nov 2025 13:13:20 +0000\r\nMessage-ID: <1@example.net>\r\nMIME-Version: 1.0\r\n";

/// Every shape.
pub(crate) const SHAPES: &[Shape] = &[
    Shape {
        name: "deep-multipart",
        make: deep_multipart,
    },
    Shape {
        name: "deep-message",
        make: |octets| repeated("", "Content-Type: message/rfc822\r\n\r\n", octets),
    },
    Shape {
        name: "million-parts",
        make: |octets| {
            repeated(
                "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
                "--b\r\n\r\nx\r\n",
                octets,
            )
        },
    },
    Shape {
        name: "digest-parts",
        make: |octets| {
            repeated(
                "Content-Type: multipart/digest; boundary=b\r\n\r\n",
                "--b\r\n\r\nSubject: x\r\n\r\n",
                octets,
            )
        },
    },
    Shape {
        name: "million-parameters",
        make: |octets| {
            numbered(
                "Content-Type: text/plain",
                |n| format!(";\r\n name{n}=x"),
                octets,
                "\r\n\r\n",
            )
        },
    },
    Shape {
        name: "continuations",
        make: |octets| {
            numbered(
                "Content-Disposition: attachment",
                |n| format!(";\r\n filename*{n}*=%41"),
                octets,
                "\r\n\r\n",
            )
        },
    },
    Shape {
        name: "million-addresses",
        make: |octets| repeated("Cc: a@example.org", ",\r\n a@example.org", octets),
    },
    Shape {
        name: "million-groups",
        make: |octets| repeated("Cc: g:;", ",\r\n g:a@b;", octets),
    },
    Shape {
        name: "giant-header-line",
        make: |octets| repeated("X-Long: ", "x", octets),
    },
    Shape {
        name: "giant-folded-field",
        make: |octets| {
            repeated(
                "X-Long: x",
                "\r\n xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                octets,
            )
        },
    },
    Shape {
        name: "million-fields",
        make: |octets| numbered("", |n| format!("X-{n}: y\r\n"), octets, "\r\ntext\r\n"),
    },
    Shape {
        name: "million-seals",
        make: |octets| above("Email2-Seal: v=1; f=author\r\n", octets),
    },
    Shape {
        name: "million-traces",
        make: |octets| {
            above(
                "Received: from a by b; Mon, 24 Nov 2025 13:13:20 +0000\r\n",
                octets,
            )
        },
    },
    Shape {
        name: "long-references",
        make: |octets| {
            numbered(
                "References:",
                |n| format!("\r\n <{n}@example.org>"),
                octets,
                "\r\n\r\ntext\r\n",
            )
        },
    },
    Shape {
        name: "nested-comments",
        make: nested_comments,
    },
    Shape {
        name: "nested-comments-to",
        make: |octets| {
            nested(
                "Cc: ",
                "(\r\n ",
                "x",
                ")",
                octets,
                " a@example.org\r\n\r\ntext\r\n",
            )
        },
    },
    Shape {
        name: "encoded-words",
        make: |octets| {
            repeated(
                "X-Words: x",
                "\r\n =?utf-8?Q?=C3=BC?= =?utf-8?B?w7w=?=",
                octets,
            )
        },
    },
    Shape {
        name: "escaped-quotes",
        make: |octets| repeated("Content-Type: text/plain; name=\"", "\\\"\\\\", octets),
    },
    Shape {
        name: "prefix-boundaries",
        make: prefix_boundaries,
    },
    Shape {
        name: "unopened-boundaries",
        make: |octets| {
            numbered(
                "",
                |n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n"),
                octets,
                "\r\n",
            )
        },
    },
    Shape {
        name: "unclosed-parts",
        make: |octets| levels("multipart/mixed", octets, "--"),
    },
    Shape {
        name: "deep-alternatives",
        make: |octets| levels("multipart/alternative", octets, "text"),
    },
    Shape {
        name: "deep-signed",
        make: |octets| levels("multipart/signed", octets, "text"),
    },
    Shape {
        name: "nested-encryption",
        make: |octets| levels("multipart/encrypted", octets, "-----BEGIN PGP MESSAGE-----"),
    },
    Shape {
        name: "big-headers-of-parts",
        make: big_headers,
    },
    Shape {
        name: "dash-lines",
        make: |octets| {
            repeated(
                "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n",
                "--\r\n--b-\r\n--bb\r\n",
                octets,
            )
        },
    },
    Shape {
        name: "blank-lines",
        make: |octets| repeated("\r\n", "\r\n", octets),
    },
    Shape {
        name: "base64-unpadded",
        make: |octets| {
            repeated(
                "Content-Transfer-Encoding: base64\r\nContent-Type: text/plain\r\n\r\n",
                "QUJDRA\r\n=\r\nQQ=A\r\n",
                octets,
            )
        },
    },
    Shape {
        name: "soft-breaks",
        make: |octets| {
            repeated(
                "Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text/plain\r\n\r\n",
                "=\r\n",
                octets,
            )
        },
    },
    Shape {
        name: "html-nest",
        make: |octets| repeated("Content-Type: text/html\r\n\r\n", "<div>\r\n", octets),
    },
    Shape {
        name: "html-just-small-enough",
        make: html_pieces,
    },
    Shape {
        name: "calendar-lines",
        make: |octets| {
            repeated(
                "Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n",
                "BEGIN:VEVENT\r\nSUMMARY:x\r\n y\r\n",
                octets,
            )
        },
    },
    Shape {
        name: "utf-7",
        make: |octets| {
            repeated(
                "Content-Type: text/plain; charset=utf-7\r\n\r\n",
                "+ADw-script+AD4-\r\n",
                octets,
            )
        },
    },
    Shape {
        name: "shifting-charset",
        make: |octets| {
            repeated(
                "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n",
                "\u{1b}$B\u{1b}(B\u{1b}$B!!\u{1b}(B\r\n",
                octets,
            )
        },
    },
    Shape {
        name: "wrong-utf-8",
        make: wrong_utf8,
    },
    Shape {
        name: "control-characters",
        make: |octets| {
            repeated(
                "Content-Type: text/plain\r\n\r\n",
                "\u{1b}[2J\u{7f}\u{1}\u{202e}\r\n",
                octets,
            )
        },
    },
    Shape {
        name: "nested-compression",
        make: |octets| ciphertext(&[0xc8, 0xff, 0, 0, 0, 1, 0].repeat(octets / 10)),
    },
    Shape {
        name: "session-keys",
        make: |octets| ciphertext(&[0xc0 | 1, 3, 3, 0, 0].repeat(octets / 7)),
    },
    Shape {
        name: "one-giant-packet",
        make: giant_packet,
    },
    Shape {
        name: "many-signatures",
        make: |octets| {
            signed(
                "text",
                &[0xc0 | 2, 6, 4, 0, 22, 8, 0, 0].repeat(octets / 11),
            )
        },
    },
    Shape {
        name: "giant-signed-text",
        make: |octets| {
            signed(
                &"- text\r\n".repeat(octets / 8),
                &[0xc0 | 2, 6, 4, 0, 22, 8, 0, 0],
            )
        },
    },
];

fn repeated(begin: &str, unit: &str, octets: usize) -> Vec<u8> {
    let mut message = format!("{HEAD}{begin}").into_bytes();
    let count = octets.saturating_sub(message.len()) / unit.len();
    message.extend(unit.repeat(count).into_bytes());
    message.extend(b"\r\n");
    message
}

/// Fields above all others.
fn above(unit: &str, octets: usize) -> Vec<u8> {
    (unit.repeat(octets / unit.len()) + HEAD + "\r\ntext\r\n").into_bytes()
}

fn numbered(begin: &str, unit: impl Fn(usize) -> String, octets: usize, end: &str) -> Vec<u8> {
    let mut message = format!("{HEAD}{begin}");
    let mut number = 0;
    while message.len() < octets {
        message += &unit(number);
        number += 1;
    }
    (message + end).into_bytes()
}

/// As many levels of one thing inside another as fit, opened and closed.
fn nested(begin: &str, open: &str, inside: &str, close: &str, octets: usize, end: &str) -> Vec<u8> {
    let count = octets / (open.len() + close.len());
    let (open, close) = (open.repeat(count), close.repeat(count));
    format!("{HEAD}{begin}{open}{inside}{close}{end}").into_bytes()
}

fn nested_comments(octets: usize) -> Vec<u8> {
    let comments = "(".repeat(400) + &")".repeat(400);
    let count = octets / (comments.len() + 3);
    let from = format!("\r\n {comments}").repeat(count);
    format!("Subject: x\r\nFrom:{from}\r\n eve@example.net\r\n\r\ntext\r\n").into_bytes()
}

fn deep_multipart(octets: usize) -> Vec<u8> {
    let unit = |n| format!("Content-Type: multipart/mixed; boundary=b{n}x\r\n\r\n--b{n}x\r\n");
    numbered("", unit, octets, "\r\n")
}

/// Parts that open each other down to the bound, then one line again and again.
fn levels(kind: &str, octets: usize, line: &str) -> Vec<u8> {
    let mut begin = String::new();
    for level in 0..30 {
        begin += &format!("Content-Type: {kind}; boundary=b{level}x\r\n\r\n--b{level}x\r\n");
    }
    repeated(&(begin + "\r\n"), &format!("{line}\r\n"), octets)
}

fn prefix_boundaries(octets: usize) -> Vec<u8> {
    let mut begin = String::new();
    for level in 1..31 {
        let boundary = "b".repeat(level);
        begin +=
            &format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n--{boundary}\r\n");
    }
    let line = format!("--{}c\r\n", "b".repeat(30));
    repeated(&(begin + "\r\n"), &line, octets)
}

/// Parts whose headers are as large as they may be.
fn big_headers(octets: usize) -> Vec<u8> {
    let addresses = ",\r\n =?utf-8?q?=41?= <aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.org>"
        .repeat(1_900);
    let part = format!(
        "--b\r\nContent-Type: message/rfc822\r\n\r\nCc: a@example.org{addresses}\r\n\r\nx\r\n"
    );
    repeated(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
        &part,
        octets,
    )
}

/// HTML texts that are made readable, each just below the bound of what is.
fn html_pieces(octets: usize) -> Vec<u8> {
    let html = "<a href='&amp;<!--\r\n".repeat(1_000_000 / 20);
    let part = format!("--b\r\nContent-Type: text/html\r\n\r\n{html}");
    repeated(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
        &part,
        octets,
    )
}

fn wrong_utf8(octets: usize) -> Vec<u8> {
    let mut message = format!("{HEAD}Content-Type: text/plain; charset=utf-8\r\n\r\n").into_bytes();
    message.extend(b"\xff\xc3\xf0\x90\x80\xe2\x82\r\n".repeat(octets / 9));
    message
}

fn armored(kind: &str, packets: &[u8]) -> Vec<u8> {
    let encoded = STANDARD.encode(packets);
    let lines: Vec<&[u8]> = encoded.as_bytes().chunks(76).collect();
    let lines = lines.join(&b"\r\n"[..]);
    let (begin, end) = (
        format!("-----BEGIN {kind}-----\r\n\r\n"),
        format!("\r\n-----END {kind}-----\r\n"),
    );
    [begin.as_bytes(), lines.as_slice(), end.as_bytes()].concat()
}

fn ciphertext(packets: &[u8]) -> Vec<u8> {
    let head = format!(
        "{HEAD}Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\r\n\r\n\
         --b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n\
         --b\r\nContent-Type: application/octet-stream\r\n\r\n"
    );
    [
        head.as_bytes(),
        &armored("PGP MESSAGE", packets),
        b"\r\n--b--\r\n",
    ]
    .concat()
}

/// A session key for nobody, and a ciphertext that is all of the message.
fn giant_packet(octets: usize) -> Vec<u8> {
    let body = octets * 3 / 4;
    let length = u32::try_from(body).unwrap_or(u32::MAX);
    let mut packets = vec![0xc0 | 1, 3, 3, 0, 0, 0xc0 | 18, 255];
    packets.extend(length.to_be_bytes());
    packets.push(1);
    packets.resize(packets.len() + body - 1, 7);
    ciphertext(&packets)
}

fn signed(text: &str, signatures: &[u8]) -> Vec<u8> {
    let head = format!(
        "{HEAD}Content-Type: multipart/signed; micalg=pgp-sha256; \
         protocol=\"application/pgp-signature\"; boundary=b\r\n\r\n--b\r\n\
         Content-Type: text/plain; hp=clear\r\nFrom: eve@example.net\r\n\r\n{text}\r\n--b\r\n\
         Content-Type: application/pgp-signature\r\n\r\n"
    );
    [
        head.as_bytes(),
        &armored("PGP SIGNATURE", signatures),
        b"\r\n--b--\r\n",
    ]
    .concat()
}
