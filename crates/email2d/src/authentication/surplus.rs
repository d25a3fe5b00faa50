//! A message with more signatures than any honest one has is not verified: each costs time, and
//! time is what a stranger would spend for us (spec §11.3.5).

use email2::limits;

/// Fields that hold a signature or belong to one.
const SIGNATURES: [&[u8]; 6] = [
    b"dkim-signature",
    b"arc-seal",
    b"arc-message-signature",
    b"arc-authentication-results",
    b"dkim2-signature",
    b"message-instance",
];

/// How many fields hold signatures; `None`: too many, or one that is too long.
pub(super) fn count(message: &[u8], header: usize) -> Option<usize> {
    let header = message.get(..header).unwrap_or(message);
    let (mut count, mut octets) = (0, None);
    for line in header.split_inclusive(|octet| *octet == b'\n') {
        octets = match octets {
            Some(before) if is_folded(line) => Some(before + line.len()),
            None if is_folded(line) => None,
            _ if is_signature(line) => {
                count += 1;
                Some(line.len())
            }
            _ => None,
        };
        let too_long = octets.is_some_and(|octets| octets > limits::SIGNATURE_FIELD_OCTETS);
        if count > limits::SIGNATURE_FIELDS || too_long {
            return None;
        }
    }
    Some(count)
}

/// The header section without these fields: who is named in From counts all the same.
pub(super) fn without_signatures(message: &[u8], header: usize) -> Vec<u8> {
    let header = message.get(..header).unwrap_or(message);
    let (mut kept, mut dropping) = (Vec::new(), false);
    for line in header.split_inclusive(|octet| *octet == b'\n') {
        dropping = is_signature(line) || dropping && is_folded(line);
        if !dropping {
            kept.extend_from_slice(line);
        }
    }
    kept
}

fn is_folded(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

fn is_signature(line: &[u8]) -> bool {
    let colon = line.iter().position(|octet| *octet == b':');
    let name = line.get(..colon.unwrap_or(0)).unwrap_or_default();
    let name = name.trim_ascii();
    SIGNATURES
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounded(header: &str) -> bool {
        count(header.as_bytes(), header.len()).is_some()
    }

    #[test]
    fn the_rest_of_the_header_stays() {
        let header = b"DKIM-Signature: x\r\n y\r\nFrom: a\r\n b\r\nARC-Seal: z\r\n\r\nbody";
        let kept = without_signatures(header, header.len() - 4);
        assert_eq!(kept, b"From: a\r\n b\r\n\r\n");
    }

    #[test]
    fn both_sides_of_each_bound() {
        let field = "DKIM-Signature: v=1;\r\n b=\r\n";
        assert_eq!(count(field.repeat(24).as_bytes(), usize::MAX), Some(24));
        assert!(!bounded(&field.repeat(25)));
        let long = |octets: usize| format!("ARC-Seal :{}\r\n x\r\n", "y".repeat(octets));
        assert!(bounded(&long(8 * 1024 - 16)));
        assert!(!bounded(&long(8 * 1024 - 15)));
        assert!(bounded(&format!("X: {}\r\n", "y".repeat(9000))));
    }
}
