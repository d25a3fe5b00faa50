//! Fields that only this server may write, in mail that it did not write
//! (spec §11.3.3).

use crate::capability;
use crate::line::{is_folded, lax_field};

/// What stands before the name of such a field from then on.
const PREFIX: &[u8] = b"X-";

/// The name of the field with our results (RFC 8601).
const RESULTS: &str = "authentication-results";

/// The header section with every field renamed that could be taken for ours: an
/// `Authentication-Results` that names `hostname`, `Email2-Verdict`,
/// `Email2-Seal`, `Email2-Key` and `Return-Path`, each with `X-` in front of it.
/// `None` when there is none.
pub fn without_ours(header: &[u8], hostname: &str) -> Option<Vec<u8>> {
    let lines: Vec<&[u8]> = header.split_inclusive(|octet| *octet == b'\n').collect();
    let mut renamed = Vec::with_capacity(header.len() + PREFIX.len());
    let mut any = false;
    for (at, line) in lines.iter().enumerate() {
        let is_field = at == 0 || !is_folded(line);
        if is_field && is_ours(line, lines.get(at + 1..).unwrap_or_default(), hostname) {
            renamed.extend_from_slice(PREFIX);
            any = true;
        }
        renamed.extend_from_slice(line);
    }
    any.then_some(renamed)
}

fn is_ours(line: &[u8], behind: &[&[u8]], hostname: &str) -> bool {
    let Some((name, value)) = lax_field(line) else {
        return false;
    };
    if name == RESULTS {
        return names(value, behind, hostname);
    }
    let ours = [
        capability::SEAL_FIELD,
        capability::KEY_FIELD,
        capability::VERDICT_FIELD,
        "Return-Path",
    ];
    ours.iter().any(|ours| name.eq_ignore_ascii_case(ours))
}

/// Whether results may be said to be ours: what stands before the first `;` is
/// the identifier, and may hide behind comments and quotes (RFC 8601 §2.2).
fn names(value: &[u8], behind: &[&[u8]], hostname: &str) -> bool {
    let folded = behind.iter().take_while(|line| is_folded(line));
    let whole: Vec<u8> = [value]
        .into_iter()
        .chain(folded.copied())
        .flatten()
        .copied()
        .collect();
    let text = String::from_utf8_lossy(&whole).to_lowercase();
    let id = text.split(';').next().unwrap_or_default();
    id.contains(&hostname.to_lowercase()) || id.contains(['(', '"', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(header: &str) -> Option<String> {
        let renamed = without_ours(header.as_bytes(), "mx.example.com")?;
        Some(String::from_utf8(renamed).unwrap())
    }

    #[test]
    fn what_could_be_taken_for_ours_gets_another_name() {
        for (field, ours) in [
            ("Authentication-Results: mx.example.com; dmarc=pass", true),
            ("Authentication-Results:\r\n MX.Example.com 1; none", true),
            ("Authentication-Results : (x) mx.example.com; none", true),
            ("Authentication-Results: \"mx.example\\.com\"; none", true),
            ("Authentication-Results: mx.example.net; none", false),
            ("EMAIL2-seal: v=1", true),
            ("Email2-Key: v=1", true),
            ("Email2-Verdict : verified", true),
            ("Return-Path: <a@b.c>", true),
            ("Subject: Email2-Seal: x\r\n Email2-Seal: y", false),
            ("X-Email2-Seal: x", false),
        ] {
            let header = format!("To: a\r\n{field}\r\nFrom: b\r\n\r\n");
            let expected = ours.then(|| format!("To: a\r\nX-{field}\r\nFrom: b\r\n\r\n"));
            assert_eq!(renamed(&header), expected, "{field}");
        }
    }
}
