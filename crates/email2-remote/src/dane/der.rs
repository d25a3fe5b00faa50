//! As much of DER as is needed to find the public key in a certificate (RFC 5280 §4.1).

/// The SubjectPublicKeyInfo of `certificate`, whole; `None` when it is none.
pub(super) fn public_key(certificate: &[u8]) -> Option<&[u8]> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let outer = Element::read(certificate).filter(|e| e.tag == SEQUENCE)?;
    let signed = Element::read(outer.content).filter(|e| e.tag == SEQUENCE)?;
    let mut rest = signed.content;
    if Element::read(rest)?.tag == VERSION {
        rest = Element::read(rest)?.rest;
    }
    // Serial number, signature algorithm, issuer, validity, subject.
    for _ in 0..5 {
        rest = Element::read(rest)?.rest;
    }
    let key = Element::read(rest).filter(|e| e.tag == SEQUENCE)?;
    rest.get(..rest.len() - key.rest.len())
}

struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Element<'a> {
    fn read(octets: &'a [u8]) -> Option<Self> {
        let (&tag, octets) = octets.split_first()?;
        let (&first, octets) = octets.split_first()?;
        let (length, octets) = match first {
            0..=0x7f => (usize::from(first), octets),
            0x81..=0x83 => {
                let (digits, octets) = octets.split_at_checked(usize::from(first & 0x7f))?;
                let length = digits.iter().fold(0, |sum, &d| (sum << 8) | usize::from(d));
                (length, octets)
            }
            _ => return None,
        };
        let (content, rest) = octets.split_at_checked(length)?;
        Some(Element { tag, content, rest })
    }
}
