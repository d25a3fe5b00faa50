//! A message becomes a protected one, ready to be sealed (spec §5.1, §5.2).

use rand_core::{CryptoRng, RngCore};

use super::armor::{self, Block};
use super::date::format_date;
use super::entity::Entity;
use super::fields::Header;
use super::fit::{Fit, fit};
use super::{ContentError, cipher, signature};
use crate::address::Address;
use crate::certificate::Certificate;
use crate::rejection::Rejection;
use crate::scan::Scan;
use crate::secret::SecretKey;

/// What is to be protected, by whom and for whom.
#[derive(Debug)]
pub struct Protect<'a> {
    /// The whole message (RFC 5322), lines ended by CRLF.
    pub message: &'a [u8],
    /// The author's unlocked key.
    pub author: &'a SecretKey,
    /// The author's address: From must be it.
    pub from: &'a Address,
    /// How.
    pub mode: Mode<'a>,
    /// What the outer To says of an encrypted message.
    pub outer_to: OuterTo,
    /// Further fields for today's programs, each with its CRLF: they stand outside too, and are
    /// under the signature (spec §12.6.8).
    pub outside: &'a [u8],
    /// Time of the signature, Unix seconds.
    pub now: u64,
}

/// Signed only, or signed and encrypted.
#[derive(Clone, Copy, Debug)]
pub enum Mode<'a> {
    /// `multipart/signed` (spec §5.1); the outer header stays readable.
    SignOnly,
    /// Signed, then encrypted (spec §5.2).
    Encrypt {
        /// Certificates to encrypt to: one of [`super::audiences`].
        to: &'a [Certificate],
        /// Whether the author's certificate is one more recipient.
        also_self: bool,
        /// The container of the ciphertext.
        container: Container,
    },
}

/// The symmetrically encrypted packet (RFC 9580 §5.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Container {
    /// Version 1, integrity by MDC: what every OpenPGP program reads.
    V1,
    /// Version 2, AEAD.
    V2,
}

/// The To field outside of an encrypted message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OuterTo {
    /// Bare addr-specs.
    Visible(Vec<Address>),
    /// `hidden-recipients:;`.
    Hidden,
}

/// Signs, or signs and encrypts. What comes out is ready to be sealed: CRLF,
/// lines of at most 998 octets, no NUL, no Bcc, no line that begins with
/// `From ` in what is signed in the clear. A missing Date or Message-ID is
/// added. Nothing below the top header is changed, except that parts which mail
/// cannot carry are encoded (spec §5.1.2).
///
/// # Errors
/// See [`ContentError`]; the reason names the field or part.
pub fn protect(
    request: &Protect<'_>,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Vec<u8>, ContentError> {
    let wanted = match request.mode {
        Mode::SignOnly => Fit::Signed,
        Mode::Encrypt { .. } => Fit::Encrypted,
    };
    let message = fit(request.message, wanted)?;
    let entity = Entity::parse(&message);
    let header = Header::check(&entity, request.from)?;
    let added = added(&header, request, rng);
    let protected = match request.mode {
        Mode::SignOnly => {
            let added = [added.as_slice(), request.outside].concat();
            sign(&header, &added, entity.body, request, rng)?
        }
        Mode::Encrypt {
            to,
            also_self,
            container,
        } => {
            let mut to = to.to_vec();
            if also_self {
                to.push(request.author.certificate().clone());
            }
            let outer = [&outer(request, rng), request.outside].concat();
            let content = content(&header.inner(&added, Some(&outer)), entity.body);
            let author = request.author;
            let signed = signature::enclosed(&content, author, &to, request.now, rng)?;
            let sealed = cipher::encrypt(&signed, &to, container, request.now, rng)?;
            encrypted(&outer, &sealed, container, rng)
        }
    };
    check_sealable(&protected).map_err(ContentError::Refused)?;
    Ok(protected)
}

/// What a server would refuse under a seal does not leave (spec §4.3, §4.7):
/// read as it will be, with a field in place of the seal.
fn check_sealable(protected: &[u8]) -> Result<(), Rejection> {
    let mut scan = Scan::new(true);
    scan.push(b"Email2-Seal: \r\n")?;
    scan.push(protected)?;
    scan.finish().map(|_| ())
}

fn sign(
    header: &Header<'_>,
    added: &[u8],
    body: &[u8],
    request: &Protect<'_>,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Vec<u8>, ContentError> {
    let content = content(&header.inner(added, None), body);
    let signature = signature::detached(&content, request.author, request.now, rng)?;
    let outer = [header.shown(), added.to_vec()].concat();
    Ok(signed(&outer, &content, &signature, rng))
}

/// Date and Message-ID where the message has none (RFC 5322 §3.6).
fn added(
    header: &Header<'_>,
    request: &Protect<'_>,
    rng: &mut (impl CryptoRng + RngCore),
) -> Vec<u8> {
    let mut lines = String::new();
    if !header.has("Date") {
        lines += &format!("Date: {}\r\n", format_date(request.now));
    }
    if !header.has("Message-ID") {
        lines += &format!("Message-ID: {}\r\n", message_id(request.from, rng));
    }
    lines.into_bytes()
}

/// The header outside of an encrypted message: exactly this (spec §5.2.1).
fn outer(request: &Protect<'_>, rng: &mut (impl CryptoRng + RngCore)) -> Vec<u8> {
    let from = request.from;
    let to = match &request.outer_to {
        OuterTo::Visible(addresses) if !addresses.is_empty() => {
            let addresses: Vec<String> = addresses.iter().map(Address::to_string).collect();
            addresses.join(",\r\n ")
        }
        _ => "hidden-recipients:;".to_owned(),
    };
    let date = format_date(request.now - request.now % HOUR);
    let id = message_id(from, rng);
    format!("From: {from}\r\nTo: {to}\r\nSubject: [...]\r\nDate: {date}\r\nMessage-ID: {id}\r\n")
        .into_bytes()
}

const HOUR: u64 = 3_600;

fn message_id(from: &Address, rng: &mut impl RngCore) -> String {
    format!("<{}@{}>", random_word(rng), from.domain())
}

/// 128 random bits in hexadecimal: nobody can guess it, no content holds it.
fn random_word(rng: &mut impl RngCore) -> String {
    let mut octets = [0_u8; 16];
    rng.fill_bytes(&mut octets);
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn content(header: &[u8], body: &[u8]) -> Vec<u8> {
    [header, b"\r\n", body].concat()
}

/// RFC 3156 §5.
fn signed(outer: &[u8], content: &[u8], packets: &[u8], rng: &mut impl RngCore) -> Vec<u8> {
    let boundary = random_word(rng);
    let micalg = signature::MICALG;
    let head = format!(
        "MIME-Version: 1.0\r\n\
         Content-Type: multipart/signed; micalg={micalg};\r\n \
         protocol=\"application/pgp-signature\"; boundary=\"{boundary}\"\r\n\r\n\
         --{boundary}\r\n"
    );
    let middle = format!(
        "\r\n--{boundary}\r\n\
         Content-Type: application/pgp-signature; name=\"signature.asc\"\r\n\r\n"
    );
    let armor = armor::write(Block::Signature, packets);
    let tail = format!("\r\n--{boundary}--\r\n");
    [
        outer,
        head.as_bytes(),
        content,
        middle.as_bytes(),
        &armor,
        tail.as_bytes(),
    ]
    .concat()
}

/// RFC 3156 §4.
fn encrypted(
    outer: &[u8],
    packets: &[u8],
    container: Container,
    rng: &mut impl RngCore,
) -> Vec<u8> {
    let boundary = random_word(rng);
    let head = format!(
        "MIME-Version: 1.0\r\n\
         Content-Type: multipart/encrypted;\r\n \
         protocol=\"application/pgp-encrypted\"; boundary=\"{boundary}\"\r\n\r\n\
         --{boundary}\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n\
         --{boundary}\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\n\r\n"
    );
    let armor = match container {
        Container::V1 => armor::write_checked(Block::Message, packets),
        Container::V2 => armor::write(Block::Message, packets),
    };
    let tail = format!("\r\n--{boundary}--\r\n");
    [outer, head.as_bytes(), &armor, tail.as_bytes()].concat()
}
