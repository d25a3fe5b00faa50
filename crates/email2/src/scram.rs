//! SCRAM-SHA-256 as it stands on the wire, the server's side (RFC 5802, RFC 7677): what a client
//! says, typed; what a server says to it. The arithmetic is the store's, which keeps the verifiers.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::limits;

/// The mechanism's name (RFC 7677 §3). Its variant with channel binding is not offered.
pub const MECHANISM: &str = "SCRAM-SHA-256";

/// Octets of a proof and of a signature: those of SHA-256.
pub const PROOF_OCTETS: usize = 32;

/// What a client sent is no message of the exchange, or not one that is taken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the SCRAM message {0}")]
pub struct ScramError(&'static str);

/// The client's first message (RFC 5802 §7): who wants to sign in, and its nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFirst {
    /// The name, with `=2C` and `=3D` read.
    pub user: String,
    /// The identity to act as, when one was given.
    pub acting: Option<String>,
    /// The GS2 header, as it came.
    header: String,
    /// What follows it, as it came: the first part of what is signed.
    bare: String,
    nonce: String,
}

impl ClientFirst {
    /// Reads the octets of a response, out of base64.
    ///
    /// # Errors
    /// Outside the grammar, a demand of channel binding, or a mandatory extension.
    pub fn parse(octets: &[u8]) -> Result<Self, ScramError> {
        let text = text_of(octets)?;
        let (flag, rest) = text
            .split_once(',')
            .ok_or(ScramError("has no GS2 header"))?;
        let (raw, bare) = rest
            .split_once(',')
            .ok_or(ScramError("has no GS2 header"))?;
        // RFC 5802 §6: `y` is right where the variant with `-PLUS` was not announced.
        if !matches!(flag, "n" | "y") {
            return Err(ScramError(
                "demands a channel binding, which is not offered",
            ));
        }
        let acting = match raw {
            "" => None,
            raw => Some(attribute(Some(raw), 'a').and_then(name)?),
        };
        let mut parts = bare.split(',');
        let user = attribute(parts.next(), 'n').and_then(name)?;
        let nonce = attribute(parts.next(), 'r').and_then(nonce)?;
        extensions(parts)?;
        Ok(ClientFirst {
            user,
            acting,
            header: format!("{flag},{raw},"),
            bare: bare.to_owned(),
            nonce,
        })
    }

    /// The answer: the nonce lengthened by `server_nonce`, and how the secret is to be salted.
    #[must_use]
    pub fn challenge(self, server_nonce: &str, salt: &[u8], iterations: u32) -> Challenge {
        let nonce = format!("{}{server_nonce}", self.nonce);
        let text = format!("r={nonce},s={},i={iterations}", STANDARD.encode(salt));
        Challenge {
            first: self,
            nonce,
            text,
        }
    }
}

/// The server's first message, which waits for the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    first: ClientFirst,
    nonce: String,
    text: String,
}

impl Challenge {
    /// The message, before base64.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What client and server sign (`AuthMessage`, RFC 5802 §3), when `last` belongs to this
    /// exchange: the whole nonce, and the GS2 header of the beginning.
    ///
    /// # Errors
    /// Another nonce, or another header.
    pub fn signed(&self, last: &ClientFinal) -> Result<String, ScramError> {
        let header = STANDARD.encode(&self.first.header);
        if last.nonce != self.nonce || last.binding != header {
            return Err(ScramError("belongs to another exchange"));
        }
        let (first, without_proof) = (&self.first.bare, &last.without_proof);
        Ok(format!("{first},{},{without_proof}", self.text))
    }
}

/// The client's last message (RFC 5802 §7): that it has the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientFinal {
    binding: String,
    nonce: String,
    without_proof: String,
    /// `ClientProof`: the client key, covered by the signature.
    pub proof: [u8; PROOF_OCTETS],
}

impl ClientFinal {
    /// Reads the octets of a response, out of base64.
    ///
    /// # Errors
    /// Outside the grammar, or a mandatory extension.
    pub fn parse(octets: &[u8]) -> Result<Self, ScramError> {
        let text = text_of(octets)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(ScramError("has no proof"))?;
        let proof = STANDARD.decode(proof).ok();
        let proof = proof.and_then(|octets| octets.try_into().ok());
        let mut parts = without_proof.split(',');
        let binding = attribute(parts.next(), 'c')?.to_owned();
        let nonce = attribute(parts.next(), 'r').and_then(nonce)?;
        extensions(parts)?;
        Ok(ClientFinal {
            binding,
            nonce,
            without_proof: without_proof.to_owned(),
            proof: proof.ok_or(ScramError("has a proof of another length"))?,
        })
    }
}

impl fmt::Debug for ClientFinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientFinal([redacted])")
    }
}

/// The server's last message: that it knows the verifier.
#[must_use]
pub fn server_final(signature: &[u8; PROOF_OCTETS]) -> String {
    format!("v={}", STANDARD.encode(signature))
}

fn text_of(octets: &[u8]) -> Result<&str, ScramError> {
    let text = std::str::from_utf8(octets).map_err(|_| ScramError("is not UTF-8"))?;
    match text.contains(['\0', '\r', '\n']) {
        true => Err(ScramError("has an octet that may not be there")),
        false => Ok(text),
    }
}

/// The value of `key=value`.
fn attribute(part: Option<&str>, key: char) -> Result<&str, ScramError> {
    part.and_then(|part| part.strip_prefix(key)?.strip_prefix('='))
        .ok_or(ScramError(
            "lacks an attribute, or has them in another order",
        ))
}

/// A `saslname`: `,` and `=` stand as `=2C` and `=3D`, nothing else begins with `=`.
fn name(text: &str) -> Result<String, ScramError> {
    let mut parts = text.split('=');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (sign, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return Err(ScramError("has a name with a bare =")),
        };
        name.push(sign);
        name.push_str(rest);
    }
    if name.is_empty() || name.len() > limits::ADDRESS_INPUT_OCTETS {
        return Err(ScramError("has no name, or one that is too long"));
    }
    Ok(name)
}

/// Printable ASCII without a comma.
fn nonce(text: &str) -> Result<String, ScramError> {
    let fits = (1..=limits::SCRAM_NONCE_OCTETS).contains(&text.len());
    match fits && text.bytes().all(|octet| octet.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => Err(ScramError("has no nonce, or one that is too long")),
    }
}

/// Optional extensions are ignored, `m` demands what nobody knows (RFC 5802 §5.1).
fn extensions<'a>(mut parts: impl Iterator<Item = &'a str>) -> Result<(), ScramError> {
    let known = |part: &str| {
        let mut characters = part.chars();
        let key = characters.next();
        key.is_some_and(|key| key.is_ascii_alphabetic() && key != 'm')
            && characters.next() == Some('=')
            && characters.next().is_some()
    };
    match parts.all(known) {
        true => Ok(()),
        false => Err(ScramError("demands an extension that is not known")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";
    const OURS: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    fn challenge() -> Challenge {
        let first = ClientFirst::parse(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        assert_eq!(first.user, "user");
        first.challenge(OURS, &STANDARD.decode(SALT).unwrap(), 4096)
    }

    #[test]
    fn the_exchange_of_rfc_7677() {
        let challenge = challenge();
        assert_eq!(
            challenge.text(),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let last = ClientFinal::parse(FINAL.as_bytes()).unwrap();
        let signed = challenge.signed(&last).unwrap();
        assert!(signed.starts_with("n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNG"));
        assert!(signed.ends_with(",c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"));
        assert!(!format!("{last:?}").contains("dHzb"));
    }

    #[test]
    fn names_are_unescaped_and_who_acts_is_told() {
        let first = ClientFirst::parse(b"y,a=a=2Cb,n=x=3Dy@z,r=abc,e=1").unwrap();
        assert_eq!(
            (first.user.as_str(), first.acting.as_deref()),
            ("x=y@z", Some("a,b"))
        );
        // The header as it came is what the last message repeats.
        let challenge = first.challenge("d", b"salt", 4096);
        let binding = STANDARD.encode("y,a=a=2Cb,");
        let proof = STANDARD.encode([0; PROOF_OCTETS]);
        let last = format!("c={binding},r=abcd,p={proof}");
        assert!(
            challenge
                .signed(&ClientFinal::parse(last.as_bytes()).unwrap())
                .is_ok()
        );
    }

    #[test]
    fn what_is_outside_the_grammar_is_refused() {
        let firsts = [
            "",
            "n",
            "n,",
            "n,,",
            "n,,n=a",
            "n,,n=,r=x",
            "n,,r=x,n=a",
            "p=tls-unique,,n=a,r=x",
            "n,b=c,n=a,r=x",
            "n,,m=1,n=a,r=x",
            "n,,n=a,r=",
            "n,,n=a=2,r=x",
            "n,,n=a=2c,r=x",
            "n,,n=a,r=x y",
            "n,,n=a,r=x,m=1",
            "n,,n=a,r=x,",
            "n,,n=a,r=x,1=2",
            "n,,n=a\0,r=x",
        ];
        for first in firsts {
            assert!(ClientFirst::parse(first.as_bytes()).is_err(), "{first}");
        }
        for last in [
            "",
            "c=biws",
            "c=biws,r=x",
            "r=x,c=biws,p=AAAA",
            "c=biws,r=x,p=AAAA",
        ] {
            assert!(ClientFinal::parse(last.as_bytes()).is_err(), "{last}");
        }
        assert!(ClientFirst::parse(&[0xff]).is_err());
    }

    #[test]
    fn another_exchange_signs_nothing() {
        for wrong in [FINAL.replace("biws", "eSws"), FINAL.replace("k0,", "k1,")] {
            let last = ClientFinal::parse(wrong.as_bytes()).unwrap();
            assert!(challenge().signed(&last).is_err(), "{wrong}");
        }
    }
}
