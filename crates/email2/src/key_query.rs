//! KEY and KEYPUT: arguments and answers, both ways (spec §3.4, §3.5, §3.6).

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::address::Identity;
use crate::certificate::Fingerprint;
use crate::policy_record::Strictness;

/// The name of one version of a served certificate: 1 to 64 lower-case
/// hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Etag(String);

/// The arguments of KEY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyQuery {
    /// Whose certificate.
    pub subject: Identity,
    /// A verifier names the key that signed; a writer names none.
    pub fingerprint: Option<Fingerprint>,
    /// The version that the asker already has.
    pub etag: Option<Etag>,
}

/// What the domain says of a certificate (spec §3.5). Unknown flags are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFlags {
    /// This address always seals.
    pub strict: bool,
    /// The address is not listed: only a verifier is answered.
    pub unlisted: bool,
    /// The key asked for is revoked for good, whatever the time.
    pub hard: bool,
    /// The address has belonged to this key since then, Unix seconds. Shown,
    /// never judged.
    pub since: Option<u64>,
    /// The key counts as softly revoked from then on, Unix seconds.
    pub until: Option<u64>,
    /// The domain's policy (only in answers for `@domain`).
    pub p: Option<Strictness>,
    /// The policy of subdomains without a record (only for `@domain`).
    pub sp: Option<Strictness>,
    /// How long the domain's word is remembered, seconds (only for `@domain`).
    pub ma: Option<u32>,
}

/// The answer to KEY, when it is one (refusals are
/// [`Rejection`](crate::Rejection)s).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyAnswer {
    /// A certificate.
    Certificate {
        /// Its version.
        etag: Etag,
        /// How long it may be used without asking again, seconds.
        ttl: u32,
        /// What the domain says of it.
        flags: KeyFlags,
        /// The certificate, binary OpenPGP, at most 32 KiB.
        octets: Vec<u8>,
    },
    /// The version that the asker named is the newest.
    Unchanged,
}

/// The arguments of KEYPUT; exactly `size` octets of certificate follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPut {
    /// Whose certificate: one's own address.
    pub address: Identity,
    /// Octets that follow.
    pub size: u32,
}

/// A device's password for submission and IMAP: 43 base64url characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

/// The 250 answer to KEYPUT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPutAnswer {
    /// The device's new password, after the one-time code only (spec §3.7).
    pub token: Option<Token>,
}

/// Why a command's arguments or an answer do not parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyQueryError {
    /// The subject is neither an address nor `@domain`.
    #[error("the subject is neither <local@domain> nor <@domain>")]
    Subject,
    /// An argument that is none of FPR and ETAG, or one given twice.
    #[error("an argument is not FPR=hex or ETAG=hex, or stands twice")]
    Argument,
    /// A line or a certificate is too long.
    #[error("too long")]
    TooLong,
    /// The answer's first line is malformed.
    #[error("the first line of the answer is malformed")]
    FirstLine,
    /// The base64 lines are malformed.
    #[error("the base64 of the answer is malformed")]
    Base64,
    /// A line without its status code, or an empty answer.
    #[error("a line of the answer does not begin with 2.0.0")]
    Status,
    /// The token is not 43 characters of base64url.
    #[error("the token is not 43 characters of base64url")]
    Token,
}

impl Etag {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Etag {
    type Err = KeyQueryError;
    fn from_str(text: &str) -> Result<Self, KeyQueryError> {
        todo!("{text}")
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl KeyQuery {
    /// Reads what follows the verb: `<subject> [FPR=hex] [ETAG=hex]`.
    ///
    /// # Errors
    /// See [`KeyQueryError`].
    pub fn parse(args: &str) -> Result<Self, KeyQueryError> {
        todo!("{args}")
    }
}

impl fmt::Display for KeyQuery {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

impl FromStr for KeyFlags {
    type Err = KeyQueryError;
    /// Reads the comma list, or `-` for none; unknown flags are ignored.
    fn from_str(text: &str) -> Result<Self, KeyQueryError> {
        todo!("{text}")
    }
}

impl fmt::Display for KeyFlags {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

impl KeyAnswer {
    /// The texts that follow `250-` (the last: `250 `), each beginning with
    /// `2.0.0`.
    pub fn lines(&self) -> Vec<String> {
        todo!()
    }

    /// Reads those texts.
    ///
    /// # Errors
    /// See [`KeyQueryError`].
    pub fn parse(lines: &[String]) -> Result<Self, KeyQueryError> {
        todo!("{lines:?}")
    }
}

impl KeyPut {
    /// Reads what follows the verb: `<subject> size`.
    ///
    /// # Errors
    /// See [`KeyQueryError`].
    pub fn parse(args: &str) -> Result<Self, KeyQueryError> {
        todo!("{args}")
    }
}

impl fmt::Display for KeyPut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}> {}", self.address, self.size)
    }
}

impl Token {
    /// Makes a token from 32 random octets.
    pub fn from_random(octets: &[u8; 32]) -> Self {
        todo!("{octets:?}")
    }

    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Token {
    type Err = KeyQueryError;
    fn from_str(text: &str) -> Result<Self, KeyQueryError> {
        todo!("{text}")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

impl KeyPutAnswer {
    /// The texts that follow `250 `.
    pub fn lines(&self) -> Vec<String> {
        todo!()
    }

    /// Reads those texts.
    ///
    /// # Errors
    /// See [`KeyQueryError`].
    pub fn parse(lines: &[String]) -> Result<Self, KeyQueryError> {
        todo!("{lines:?}")
    }
}
