//! Signatures by DKIM (RFC 6376, RFC 8463) on mail of a load, made before the clock starts, by
//! another program than those that are measured.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::stage::LETTERS;
use crate::failure::{Failure, Outcome, Step};

/// The fields that are signed; a message of a load has each once, unfolded.
const SIGNED: [&str; 5] = ["From", "To", "Subject", "Date", "Message-ID"];
/// What stands before the octets of an Ed25519 key in DER (RFC 8410 §4).
const ED25519_PREFIX: usize = 12;

/// How is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA of 2048 bits, which all verify.
    Rsa,
    /// Ed25519.
    Ed25519,
}

impl Algorithm {
    /// The name for people; the selector too.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Rsa => "rsa",
            Algorithm::Ed25519 => "ed25519",
        }
    }

    /// For `openssl genpkey`.
    fn options(self) -> &'static [&'static str] {
        match self {
            Algorithm::Rsa => &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            Algorithm::Ed25519 => &["ED25519"],
        }
    }
}

/// The key of the domain of the letters.
pub struct Dkim {
    algorithm: Algorithm,
    /// Its file, PEM.
    pub file: PathBuf,
    /// Its public half, DER.
    pub public: Vec<u8>,
}

impl Dkim {
    /// Makes one by `openssl`.
    ///
    /// # Errors
    /// There is no `openssl`.
    pub fn make(folder: &Path, algorithm: Algorithm) -> Outcome<Dkim> {
        let file = folder.join(format!("dkim-{}.pem", algorithm.name()));
        let mut make = Command::new("openssl");
        make.args(["genpkey", "-algorithm"])
            .args(algorithm.options());
        done("openssl genpkey", make.arg("-out").arg(&file))?;
        let mut show = Command::new("openssl");
        show.args(["pkey", "-pubout", "-outform", "DER", "-in"]);
        let public = done("openssl pkey", show.arg(&file))?.stdout;
        Ok(Dkim {
            algorithm,
            file,
            public,
        })
    }

    /// How it signs.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The record's name and text.
    #[must_use]
    pub fn record(&self) -> (String, String) {
        let name = self.algorithm.name();
        let key = match self.algorithm {
            Algorithm::Rsa => self.public.as_slice(),
            Algorithm::Ed25519 => self.public.get(ED25519_PREFIX..).unwrap_or_default(),
        };
        let text = format!("v=DKIM1; k={name}; p={}", STANDARD.encode(key));
        (format!("{name}._domainkey.{LETTERS}"), text)
    }

    /// Signs as it is (`simple/simple`).
    ///
    /// # Errors
    /// `openssl` fails.
    pub fn sign(&self, folder: &Path, message: &[u8]) -> Outcome<Vec<u8>> {
        let message = String::from_utf8_lossy(message);
        let (header, body) = message.split_once("\r\n\r\n").step("header")?;
        let (digest, name) = (STANDARD.encode(Sha256::digest(body)), self.algorithm.name());
        let field = format!(
            "DKIM-Signature: v=1; a={name}-sha256; c=simple/simple; d={LETTERS}; s={name};\r\n\
             \th={}; bh={digest};\r\n\tb=",
            SIGNED.join(":")
        );
        let fields = SIGNED.iter().filter_map(|name| {
            let prefix = format!("{name}: ");
            header.split("\r\n").find(|line| line.starts_with(&prefix))
        });
        let mut signed: String = fields.map(|line| format!("{line}\r\n")).collect();
        signed.push_str(&field);
        let signature = STANDARD.encode(self.signature(folder, &signed)?);
        Ok(format!("{field}{signature}\r\n{message}").into_bytes())
    }

    /// A signature. Over the digest: RFC 8463 signs that, and PKCS #1 names its algorithm besides.
    ///
    /// # Errors
    /// `openssl` fails.
    pub fn signature(&self, folder: &Path, signed: &str) -> Outcome<Vec<u8>> {
        let input = folder.join("signed");
        std::fs::write(&input, Sha256::digest(signed)).step("signed")?;
        let mut sign = Command::new("openssl");
        sign.args(["pkeyutl", "-sign", "-inkey"])
            .arg(&self.file)
            .arg("-in")
            .arg(&input);
        match self.algorithm {
            Algorithm::Rsa => sign.args(["-pkeyopt", "digest:sha256"]),
            Algorithm::Ed25519 => sign.arg("-rawin"),
        };
        Ok(done("openssl pkeyutl", &mut sign)?.stdout)
    }
}

fn done(step: &str, command: &mut Command) -> Outcome<Output> {
    let output = command.output().step(step)?;
    match output.status.success() {
        true => Ok(output),
        false => Err(Failure {
            step: step.to_owned(),
            why: String::from_utf8_lossy(&output.stderr).into_owned(),
        }),
    }
}
