//! The bounds of structure (spec §8.1): the first refusal of a message.

use serde_json::json;

use super::Vector;

#[rustfmt::skip] // one case a line
pub(super) fn vectors() -> Vec<Vector> {
    let messages = |levels: usize| "Content-Type: message/rfc822\r\n\r\n".repeat(levels) + "Subject: x\r\n\r\ny\r\n";
    let parts = |parts: usize| {
        let head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned();
        head + &"--b\r\n\r\n\r\n".repeat(parts) + "--b--\r\n"
    };
    let parameters = |count: usize| {
        let list: String = (0..count).map(|n| format!(";\r\n p{n}=x")).collect();
        format!("Content-Type: text/plain{list}\r\n\r\ny\r\n")
    };
    let encoded = "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\neA==\r\n";
    let ambiguous = "Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n--a\r\n\r\n";
    vec![
        case("depth-32", "A message 32 levels down.", messages(32), None),
        case("depth-33", "One level too many.", messages(33), Some("too-deep")),
        case("parts-999", "999 parts in a multipart make 1,000.", parts(999), None),
        case("parts-1000", "One part too many.", parts(1_000), Some("too-many-parts")),
        case("parameters-64", "64 parameters.", parameters(64), None),
        case("parameters-65", "One too many.", parameters(65), Some("too-many-parameters")),
        case(
            "encoded-message",
            "An attached message may not be encoded (RFC 2046 §5.2.1).",
            encoded.to_owned(),
            Some("ambiguous-mime"),
        ),
        case("two-boundaries", "Two boundaries in one field.", ambiguous.to_owned(), Some("ambiguous-mime")),
        case("bare-lf", "A bare LF.", "Subject: x\r\n\r\na\nb\r\n".to_owned(), Some("bare-line-end")),
        case("nul", "A NUL.", "Subject: x\r\n\r\na\0b\r\n".to_owned(), Some("nul")),
        case("no-end", "The last line has no end.", "Subject: x\r\n\r\na".to_owned(), Some("no-final-line-end")),
        case("hops", "51 Received fields.", "Received: x\r\n".repeat(51) + "\r\n", Some("loop")),
    ]
}

fn case(name: &str, says: &'static str, message: String, refused: Option<&str>) -> Vector {
    Vector {
        id: format!("structure-{name}"),
        layer: "structure",
        section: "spec §8.1.1",
        valid: refused.is_none(),
        says,
        given: json!({ "message": message }),
        outcome: refused.map_or(json!({}), |id| json!({ "rejection": id })),
    }
}
