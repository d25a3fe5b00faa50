//! The one cryptographic layer around a message (RFC 3156 §4, §5): there, not
//! there, or not exactly one over everything that is shown (spec §5.6.1).

use super::armor::{self, Block};
use super::entity::{ContentType, Entity, Multipart};
use super::transfer;

/// What stands at the top of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layer<'a> {
    /// Nothing of ours; parts further inside lend nothing.
    None,
    /// A part and the signature over its octets.
    Signed {
        /// The signed octets.
        content: &'a [u8],
        /// Its signature packets in their frames; `None` when they cannot be read.
        signature: Option<Vec<u8>>,
    },
    /// A ciphertext in its frames.
    Encrypted(Vec<u8>),
    /// The same, of which a server on the way made a `multipart/mixed` with an
    /// empty text in front, as Exchange does (spec §12.6.10).
    Mangled(Vec<u8>),
    /// It says that it is signed or encrypted, and its structure is another.
    Malformed,
}

/// Finds the layer at the top of an entity; what an attached message carries is
/// not looked at (spec §5.6.5).
pub(crate) fn outermost<'a>(entity: &Entity<'a>) -> Layer<'a> {
    let Some(content_type) = entity.content_type() else {
        return Layer::None;
    };
    let kind = content_type.kind.as_str();
    let protocol = content_type
        .parameter("protocol")
        .map(str::to_ascii_lowercase);
    match (kind, protocol.as_deref()) {
        ("multipart/signed", Some("application/pgp-signature")) => {
            signed(entity, &content_type).unwrap_or(Layer::Malformed)
        }
        ("multipart/encrypted", Some("application/pgp-encrypted")) => {
            encrypted(entity, &content_type).unwrap_or(Layer::Malformed)
        }
        ("multipart/mixed", None) => mangled(entity, &content_type).unwrap_or(Layer::None),
        _ => Layer::None,
    }
}

fn signed<'a>(entity: &Entity<'a>, content_type: &ContentType) -> Option<Layer<'a>> {
    let [content, signature] = parts(entity, content_type)?;
    let signature = content_of(signature, "application/pgp-signature")?;
    Some(Layer::Signed {
        content,
        signature: armor::read(Block::Signature, &signature),
    })
}

fn encrypted<'a>(entity: &Entity<'a>, content_type: &ContentType) -> Option<Layer<'a>> {
    let [control, data] = parts(entity, content_type)?;
    ciphertext(control, data).map(Layer::Encrypted)
}

/// Exactly this shape and no other: whatever else stood beside the ciphertext
/// would be shown with it.
fn mangled<'a>(entity: &Entity<'a>, content_type: &ContentType) -> Option<Layer<'a>> {
    let [empty, control, data] = parts(entity, content_type)?;
    let text = content_of(empty, "text/plain")?;
    let packets = ciphertext(control, data)?;
    text.trim_ascii()
        .is_empty()
        .then_some(Layer::Mangled(packets))
}

/// The packets of the second part, behind the part that says so.
fn ciphertext(control: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let control = content_of(control, "application/pgp-encrypted")?;
    let data = content_of(data, "application/octet-stream")?;
    let version = control.trim_ascii().eq_ignore_ascii_case(b"Version: 1");
    let packets = armor::read(Block::Message, &data)?;
    version.then_some(packets)
}

/// Exactly so many parts and the closing delimiter: anything more would be shown
/// beside what is protected.
fn parts<'a, const N: usize>(
    entity: &Entity<'a>,
    content_type: &ContentType,
) -> Option<[&'a [u8]; N]> {
    let encoding = entity.only("Content-Transfer-Encoding");
    if !encoding.is_none_or(transfer::is_identity) {
        return None;
    }
    let cut = Multipart::split(entity.body, content_type.boundary()?);
    let parts = <[&[u8]; N]>::try_from(cut.parts).ok()?;
    cut.closed.then_some(parts)
}

/// The decoded content of a part of this kind.
fn content_of(part: &[u8], kind: &str) -> Option<Vec<u8>> {
    let entity = Entity::parse(part);
    let is_kind = entity.content_type()?.kind == kind;
    let encoding = entity.only("Content-Transfer-Encoding");
    is_kind.then(|| transfer::decode(encoding, entity.body))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(text: &str) -> &'static str {
        let message = text.replace('\n', "\r\n");
        match outermost(&Entity::parse(message.as_bytes())) {
            Layer::None => "none",
            Layer::Signed {
                signature: Some(_), ..
            } => "signed",
            Layer::Signed { .. } => "signed, unreadable",
            Layer::Encrypted(_) => "encrypted",
            Layer::Mangled(_) => "mangled",
            Layer::Malformed => "malformed",
        }
    }

    const HEAD: &str = "Content-Type: multipart/signed; boundary=b;\n\
        \tprotocol=\"application/pgp-signature\"\n\n";
    const SIGNATURE: &str = "--b\nContent-Type: application/pgp-signature\n\n\
        -----BEGIN PGP SIGNATURE-----\n\nAAEC\n-----END PGP SIGNATURE-----\n";

    #[test]
    fn two_closed_parts_are_a_layer() {
        let good = format!("{HEAD}--b\n\ntext\n{SIGNATURE}--b--\n");
        assert_eq!(layer(&good), "signed");
        assert_eq!(layer(&good.replace("AAEC", "!")), "signed, unreadable");
    }

    #[test]
    fn any_other_structure_is_none() {
        let open = format!("{HEAD}--b\n\ntext\n{SIGNATURE}");
        let three = format!("{HEAD}--b\n\nmore\n--b\n\ntext\n{SIGNATURE}--b--\n");
        let one = format!("{HEAD}{SIGNATURE}--b--\n");
        let other = format!("{HEAD}--b\n\ntext\n--b\n\nno signature\n--b--\n");
        for text in [open, three, one, other] {
            assert_eq!(layer(&text), "malformed", "{text}");
        }
        assert_eq!(
            layer("Content-Type: text/plain\n\n-----BEGIN PGP MESSAGE-----\n"),
            "none"
        );
    }
}
