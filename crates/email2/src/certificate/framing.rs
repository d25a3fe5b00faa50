//! The flat framing of packets (RFC 9580 §4.2), before any OpenPGP library sees
//! an octet: a certificate is a flat sequence of a few kinds of packets, and
//! anything else (nested, compressed, of unknown length) ends here.

use super::CertificateError;
use crate::limits;

/// Signature packet (RFC 9580 §5.2).
pub(crate) const SIGNATURE: u8 = 2;
/// Secret-Key packet (RFC 9580 §5.5.1.3).
pub(crate) const SECRET_KEY: u8 = 5;
/// Public-Key packet (RFC 9580 §5.5.1.1).
pub(crate) const PUBLIC_KEY: u8 = 6;
/// Secret-Subkey packet (RFC 9580 §5.5.1.4).
pub(crate) const SECRET_SUBKEY: u8 = 7;
/// User ID packet (RFC 9580 §5.11).
pub(crate) const USER_ID: u8 = 13;
/// Public-Subkey packet (RFC 9580 §5.5.1.2).
pub(crate) const PUBLIC_SUBKEY: u8 = 14;
/// User Attribute packet (RFC 9580 §5.12): read over, with its signatures.
pub(crate) const USER_ATTRIBUTE: u8 = 17;

/// Packets that mean nothing in a certificate: Marker, Trust, Padding.
const MEANINGLESS: [u8; 3] = [10, 12, 21];
/// From this type id on an unknown packet is not critical (RFC 9580 §4.3).
const NOT_CRITICAL: u8 = 40;

/// One packet, cut out of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawPacket<'a> {
    /// The type id.
    pub(crate) tag: u8,
    /// The octets behind the header.
    pub(crate) body: &'a [u8],
}

/// Cuts octets into packets and keeps those that a certificate is made of.
///
/// # Errors
/// `TooLarge` beyond the bound on what is read; `Malformed` for any packet that
/// has no place in a certificate, for partial and indeterminate lengths, and
/// for what does not end with a packet.
pub(crate) fn split(octets: &[u8]) -> Result<Vec<RawPacket<'_>>, CertificateError> {
    if octets.len() > limits::CERTIFICATE_OCTETS_RECEIVED {
        return Err(CertificateError::TooLarge {
            limit: limits::CERTIFICATE_OCTETS_RECEIVED,
        });
    }
    let mut packets = Vec::new();
    let mut rest = octets;
    while !rest.is_empty() {
        let (packet, behind) = take_packet(rest)?;
        rest = behind;
        if has_meaning(packet.tag)? {
            packets.push(packet);
        }
        if packets.len() > limits::CERTIFICATE_PACKETS {
            return Err(CertificateError::Malformed("too many packets"));
        }
    }
    Ok(packets)
}

fn has_meaning(tag: u8) -> Result<bool, CertificateError> {
    match tag {
        SIGNATURE | SECRET_KEY | PUBLIC_KEY | SECRET_SUBKEY | USER_ID | PUBLIC_SUBKEY
        | USER_ATTRIBUTE => Ok(true),
        tag if MEANINGLESS.contains(&tag) || tag >= NOT_CRITICAL => Ok(false),
        _ => Err(CertificateError::Malformed(
            "a packet that has no place in a certificate",
        )),
    }
}

/// Cuts the first packet; the second value is what stands behind it.
pub(crate) fn take_packet(octets: &[u8]) -> Result<(RawPacket<'_>, &[u8]), CertificateError> {
    let (header, rest) = octets.split_first().ok_or(CUT_SHORT)?;
    let (tag, length, rest) = match header >> 6 {
        0b11 => {
            let (length, rest) = new_length(rest)?;
            (header & 0x3f, length, rest)
        }
        0b10 => {
            let (length, rest) = old_length(header & 0b11, rest)?;
            (header >> 2 & 0x0f, length, rest)
        }
        _ => return Err(CertificateError::Malformed("not a packet header")),
    };
    let (body, rest) = rest.split_at_checked(length).ok_or(CUT_SHORT)?;
    Ok((RawPacket { tag, body }, rest))
}

const CUT_SHORT: CertificateError = CertificateError::Malformed("cut short");

/// RFC 9580 §4.2.1; partial lengths (224 to 254) are for streams of data only.
fn new_length(octets: &[u8]) -> Result<(usize, &[u8]), CertificateError> {
    match octets {
        [first @ 0..=191, rest @ ..] => Ok((usize::from(*first), rest)),
        [first @ 192..=223, second, rest @ ..] => Ok((
            ((usize::from(*first) - 192) << 8) + usize::from(*second) + 192,
            rest,
        )),
        [255, a, b, c, d, rest @ ..] => Ok((big_endian(&[*a, *b, *c, *d]), rest)),
        [224..=254, ..] => Err(CertificateError::Malformed("a packet of partial length")),
        _ => Err(CUT_SHORT),
    }
}

/// RFC 9580 §4.2.2, as older programs export it.
fn old_length(kind: u8, octets: &[u8]) -> Result<(usize, &[u8]), CertificateError> {
    let octets_of_length = match kind {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => {
            return Err(CertificateError::Malformed(
                "a packet of indeterminate length",
            ));
        }
    };
    let (length, rest) = octets.split_at_checked(octets_of_length).ok_or(CUT_SHORT)?;
    Ok((big_endian(length), rest))
}

fn big_endian(octets: &[u8]) -> usize {
    octets
        .iter()
        .fold(0, |value, octet| value << 8 | usize::from(*octet))
}

/// Appends a packet in new format with the shortest length (RFC 9580 §4.2.1).
pub(crate) fn put_packet(out: &mut Vec<u8>, tag: u8, body: &[u8]) {
    out.push(0xc0 | tag);
    put_length(out, body.len());
    out.extend_from_slice(body);
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "each value was bounded by its match arm"
)]
fn put_length(out: &mut Vec<u8>, length: usize) {
    match length {
        0..=191 => out.push(length as u8),
        192..=8383 => {
            let rest = length - 192;
            out.extend_from_slice(&[(rest >> 8) as u8 + 192, rest as u8]);
        }
        _ => {
            out.push(255);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_comes_back() {
        for length in [0, 1, 191, 192, 193, 8383, 8384, 70_000] {
            let mut out = Vec::new();
            put_packet(&mut out, USER_ID, &vec![7; length]);
            let (packet, rest) = take_packet(&out).unwrap();
            assert_eq!(
                (packet.tag, packet.body.len(), rest.len()),
                (USER_ID, length, 0)
            );
        }
    }

    #[test]
    fn old_headers_are_read() {
        let (packet, rest) = take_packet(&[0x80 | 13 << 2, 1, b'x', 9]).unwrap();
        assert_eq!(
            (packet.tag, packet.body, rest),
            (USER_ID, &b"x"[..], &[9][..])
        );
        assert!(take_packet(&[0x80 | 13 << 2 | 3, 1]).is_err());
    }

    #[test]
    fn nested_compressed_packets_never_reach_the_library() {
        let nested: Vec<u8> = [0xc8, 0xff, 0, 0, 0, 1].repeat(4_000);
        assert!(matches!(
            split(&nested),
            Err(CertificateError::Malformed(_))
        ));
    }

    #[test]
    fn cut_short_is_an_error() {
        for octets in [
            &[0xc6][..],
            &[0xc6, 5, 1],
            &[0xc6, 192],
            &[0xc6, 255, 0, 0],
            &[0xc6, 230],
        ] {
            assert!(take_packet(octets).is_err());
        }
    }
}
