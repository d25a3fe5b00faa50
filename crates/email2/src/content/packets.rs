//! The packets of a ciphertext or signed message, cut flat (RFC 9580 §4.2)
//! before the library sees one: it aborts on nested packets, this cannot nest.

use std::borrow::Cow;

use super::ContentError;
use crate::limits;

/// Public-Key Encrypted Session Key packet (RFC 9580 §5.1).
pub(crate) const PKESK: u8 = 1;
/// Signature packet (RFC 9580 §5.2).
pub(crate) const SIGNATURE: u8 = 2;
/// Symmetric-Key Encrypted Session Key packet (RFC 9580 §5.3).
pub(crate) const SKESK: u8 = 3;
/// One-Pass Signature packet (RFC 9580 §5.4).
pub(crate) const ONE_PASS: u8 = 4;
/// Compressed Data packet (RFC 9580 §5.6).
pub(crate) const COMPRESSED: u8 = 8;
/// Literal Data packet (RFC 9580 §5.9).
pub(crate) const LITERAL: u8 = 11;
/// Symmetrically Encrypted and Integrity Protected Data packet (RFC 9580 §5.13).
pub(crate) const SEIPD: u8 = 18;

/// Symmetrically Encrypted Data packet without integrity (RFC 9580 §5.7).
const SED: u8 = 9;
/// Marker and Padding: they mean nothing (RFC 9580 §5.8, §5.14).
const MEANINGLESS: [u8; 2] = [10, 21];
/// The least first chunk of a partial length, octets (RFC 9580 §4.2.1.4).
const FIRST_CHUNK: usize = 512;

/// One packet, cut out of its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    /// The type id.
    pub(crate) tag: u8,
    /// The octets behind the header, chunks put together.
    pub(crate) body: Cow<'a, [u8]>,
}

/// Cuts octets into packets; Marker and Padding are left out.
///
/// # Errors
/// [`ContentError::Ciphertext`] for what is no sequence of packets, or too many.
pub(crate) fn split(octets: &[u8]) -> Result<Vec<Packet<'_>>, ContentError> {
    let mut packets = Vec::new();
    let mut rest = octets;
    while !rest.is_empty() {
        let (packet, behind) = take(rest).ok_or(MALFORMED)?;
        rest = behind;
        if !MEANINGLESS.contains(&packet.tag) {
            packets.push(packet);
        }
        if packets.len() > limits::MESSAGE_PACKETS {
            return Err(ContentError::Ciphertext("too many packets"));
        }
    }
    Ok(packets)
}

const MALFORMED: ContentError = ContentError::Ciphertext("it is no sequence of packets");

fn take(octets: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let (header, rest) = octets.split_first()?;
    match header >> 6 {
        0b11 => take_new(header & 0x3f, rest),
        0b10 => take_old(header >> 2 & 0x0f, header & 0b11, rest),
        _ => None,
    }
}

/// RFC 9580 §4.2.1.
fn take_new(tag: u8, octets: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let (length, rest) = new_length(octets)?;
    let Length::Partial(first) = length else {
        let (body, rest) = rest.split_at_checked(length.octets())?;
        return Some((packet(tag, body), rest));
    };
    if !streams(tag) || first < FIRST_CHUNK {
        return None;
    }
    let (chunk, mut rest) = rest.split_at_checked(first)?;
    let mut body = chunk.to_vec();
    loop {
        let (length, behind) = new_length(rest)?;
        let (chunk, behind) = behind.split_at_checked(length.octets())?;
        body.extend_from_slice(chunk);
        rest = behind;
        if let Length::Whole(_) = length {
            let body = Cow::Owned(body);
            return Some((Packet { tag, body }, rest));
        }
    }
}

/// RFC 9580 §4.2.2; an indeterminate length, up to the end, is what GnuPG writes
/// around compressed data.
fn take_old(tag: u8, kind: u8, octets: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let octets_of_length = match kind {
        0 => 1,
        1 => 2,
        2 => 4,
        _ if streams(tag) => return Some((packet(tag, octets), &[])),
        _ => return None,
    };
    let (length, rest) = octets.split_at_checked(octets_of_length)?;
    let (body, rest) = rest.split_at_checked(big_endian(length))?;
    Some((packet(tag, body), rest))
}

fn packet(tag: u8, body: &[u8]) -> Packet<'_> {
    let body = Cow::Borrowed(body);
    Packet { tag, body }
}

/// Which packets may come in chunks (RFC 9580 §4.2.1.4).
fn streams(tag: u8) -> bool {
    matches!(tag, COMPRESSED | SED | LITERAL | SEIPD)
}

/// A length of the new format.
#[derive(Clone, Copy)]
enum Length {
    Whole(usize),
    Partial(usize),
}

impl Length {
    fn octets(self) -> usize {
        match self {
            Self::Whole(octets) | Self::Partial(octets) => octets,
        }
    }
}

fn new_length(octets: &[u8]) -> Option<(Length, &[u8])> {
    match octets {
        [first @ 0..=191, rest @ ..] => Some((Length::Whole(usize::from(*first)), rest)),
        [first @ 192..=223, second, rest @ ..] => {
            let high = (usize::from(*first) - 192) << 8;
            Some((Length::Whole(high + usize::from(*second) + 192), rest))
        }
        [255, a, b, c, d, rest @ ..] => Some((Length::Whole(big_endian(&[*a, *b, *c, *d])), rest)),
        [first @ 224..=254, rest @ ..] => Some((Length::Partial(1 << (first & 0x1f)), rest)),
        _ => None,
    }
}

fn big_endian(octets: &[u8]) -> usize {
    let add = |value: usize, octet: &u8| value << 8 | usize::from(*octet);
    octets.iter().fold(0, add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(octets: &[u8]) -> Option<Vec<(u8, usize)>> {
        let packets = split(octets).ok()?;
        Some(
            packets
                .iter()
                .map(|packet| (packet.tag, packet.body.len()))
                .collect(),
        )
    }

    #[test]
    fn chunks_are_put_together() {
        let mut octets = vec![0xc0 | LITERAL, 224 + 9];
        octets.extend([7; 512]);
        octets.extend([224 + 1, 1, 2, 3, 1, 2, 3]);
        octets.extend([0xc0 | 10, 0]);
        assert_eq!(tags(&octets), Some(vec![(LITERAL, 517)]));
    }

    #[test]
    fn old_frames_are_read() {
        let octets = [
            0x80 | LITERAL << 2,
            1,
            0,
            0x80 | COMPRESSED << 2 | 3,
            1,
            2,
            3,
        ];
        assert_eq!(tags(&octets), Some(vec![(LITERAL, 1), (COMPRESSED, 3)]));
    }

    #[test]
    fn what_is_no_sequence_of_packets_is_refused() {
        let bad: [&[u8]; 7] = [
            b"text",
            &[0xc0 | LITERAL],
            &[0xc0 | LITERAL, 5, 1],
            &[0xc0 | LITERAL, 224, 1, 0],
            &[0xc0 | SIGNATURE, 224 + 9],
            &[0x80 | SIGNATURE << 2 | 3, 1],
            &[0xc0 | LITERAL, 255, 255, 255, 255, 255],
        ];
        for octets in bad {
            assert_eq!(tags(octets), None, "{octets:?}");
        }
        let many = [0xc0 | PKESK, 0].repeat(limits::MESSAGE_PACKETS + 1);
        assert_eq!(tags(&many), None);
    }
}
