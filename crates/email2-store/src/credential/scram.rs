//! SCRAM-SHA-256 verifiers (RFC 5802 §3, RFC 7677, RFC 5803): all that is
//! kept of a token (spec §3.7.2).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use email2::scram::{MECHANISM, PROOF_OCTETS};
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// PBKDF2 rounds. The secrets are ours and have at least 128 random bits, so
/// the floor of RFC 7677 §4 is enough: no guessing gets anywhere.
pub const ITERATIONS: u32 = 4096;

/// Octets of a salt.
pub const SALT_LENGTH: usize = 16;

/// What is kept of a secret (RFC 5803): whoever reads it cannot log in with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: [u8; 32],
    server_key: [u8; 32],
}

/// A secret after its PBKDF2: what is expensive is done once, then compared
/// with all verifiers of the same salt.
pub struct Salted {
    client_key: Zeroizing<[u8; 32]>,
    stored_key: Zeroizing<[u8; 32]>,
    server_key: Zeroizing<[u8; 32]>,
}

impl Salted {
    /// Takes about a millisecond of CPU: not on an I/O thread.
    #[must_use]
    pub fn new(secret: &[u8], salt: &[u8], iterations: u32) -> Self {
        let salted = Zeroizing::new(pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(
            secret, salt, iterations,
        ));
        let client_key = Zeroizing::new(hmac(&salted, b"Client Key"));
        Self {
            stored_key: Zeroizing::new(Sha256::digest(*client_key).into()),
            server_key: Zeroizing::new(hmac(&salted, b"Server Key")),
            client_key,
        }
    }

    /// What a client says to have the secret: `ClientProof` over `signed` (RFC 5802 §3).
    #[must_use]
    pub fn proof(&self, signed: &str) -> [u8; PROOF_OCTETS] {
        covered(&self.client_key, &hmac(&self.stored_key, signed.as_bytes()))
    }
}

impl Verifier {
    /// Of a secret, with this salt.
    #[must_use]
    pub fn new(secret: &[u8], salt: &[u8]) -> Self {
        let salted = Salted::new(secret, salt, ITERATIONS);
        Self {
            iterations: ITERATIONS,
            salt: salt.to_vec(),
            stored_key: *salted.stored_key,
            server_key: *salted.server_key,
        }
    }

    /// Whether that is the secret, in constant time.
    #[must_use]
    pub fn matches(&self, salted: &Salted) -> bool {
        self.stored_key.ct_eq(&*salted.stored_key).into()
    }

    /// Whether a client's proof over `signed` (RFC 5802 §3: `AuthMessage`) was made with the
    /// secret, in constant time; then the server's own signature over it.
    #[must_use]
    pub fn proves(&self, signed: &str, proof: &[u8; PROOF_OCTETS]) -> Option<[u8; PROOF_OCTETS]> {
        let signature = Zeroizing::new(hmac(&self.stored_key, signed.as_bytes()));
        let client_key = Zeroizing::new(covered(proof, &signature));
        let stored_key: [u8; 32] = Sha256::digest(*client_key).into();
        let holds: bool = self.stored_key.ct_eq(&stored_key).into();
        holds.then(|| hmac(&self.server_key, signed.as_bytes()))
    }

    /// Reads `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey` (RFC 5803 §3).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (iterations, rest) = text
            .strip_prefix(MECHANISM)?
            .strip_prefix('$')?
            .split_once(':')?;
        let (salt, keys) = rest.split_once('$')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        Some(Self {
            iterations: iterations.parse().ok()?,
            salt: STANDARD.decode(salt).ok()?,
            stored_key: STANDARD.decode(stored_key).ok()?.try_into().ok()?,
            server_key: STANDARD.decode(server_key).ok()?.try_into().ok()?,
        })
    }

    /// The salt that a client must use.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// The rounds that a client must use.
    #[must_use]
    pub fn iterations(&self) -> u32 {
        self.iterations
    }
}

impl fmt::Display for Verifier {
    /// The form of RFC 5803 §3.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let salt = STANDARD.encode(&self.salt);
        let stored_key = STANDARD.encode(self.stored_key);
        let server_key = STANDARD.encode(self.server_key);
        write!(
            f,
            "{MECHANISM}${}:{salt}${stored_key}:{server_key}",
            self.iterations
        )
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier([redacted])")
    }
}

impl fmt::Debug for Salted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salted([redacted])")
    }
}

/// Both, one over the other: doing it again uncovers.
fn covered(octets: &[u8; 32], covering: &[u8; 32]) -> [u8; 32] {
    let mut covered = *octets;
    for (octet, other) in covered.iter_mut().zip(covering) {
        *octet ^= other;
    }
    covered
}

fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    // A key of a whole block, filled up with zeros as HMAC does itself
    // (RFC 2104 §2): of that length there is a constructor that cannot fail.
    let mut block = Zeroizing::new([0; 64]);
    for (place, octet) in block.iter_mut().zip(key) {
        *place = *octet;
    }
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&(*block).into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677 §3: its proof is taken, its ServerSignature is ours.
    #[test]
    fn the_exchange_of_rfc_7677_is_proved() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = Verifier::new(b"pencil", &salt);
        let exchange = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
            r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
            c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        let mut proof: [u8; 32] = proof.unwrap().try_into().unwrap();
        let signature = verifier.proves(exchange, &proof).unwrap();
        assert_eq!(
            STANDARD.encode(signature),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
        assert!(
            verifier
                .proves(&exchange.replace("i=4096", "i=4097"), &proof)
                .is_none()
        );
        proof[31] ^= 1;
        assert!(verifier.proves(exchange, &proof).is_none());
    }

    #[test]
    fn the_text_form_comes_back_and_only_the_secret_matches() {
        let verifier = Verifier::new(b"secret", b"0123456789abcdef");
        let again = Verifier::parse(&verifier.to_string()).unwrap();
        assert_eq!(again, verifier);
        assert!(again.matches(&Salted::new(b"secret", again.salt(), again.iterations())));
        assert!(!again.matches(&Salted::new(b"Secret", again.salt(), again.iterations())));
        assert_eq!(Verifier::parse("SCRAM-SHA-1$4096:AA==$AA==:AA=="), None);
        assert_eq!(Verifier::parse("SCRAM-SHA-256$x"), None);
    }
}
