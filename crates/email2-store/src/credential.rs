//! One-time codes and tokens, kept only as SCRAM-SHA-256 verifiers.

use async_trait::async_trait;
use email2::Address;
use email2::scram::PROOF_OCTETS;

use crate::account::AccountId;
use crate::error::StoreError;

mod scram;
mod secret;

pub use scram::{ITERATIONS, SALT_LENGTH, Salted, Verifier};
pub use secret::Secret;

/// What a one-time code is for (spec §3.7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A further device: KEYPUT must keep the served primary key.
    Add,
    /// A new beginning: the old primary key becomes `hard`.
    Reset,
}

impl Purpose {
    /// The word for it: `add` or `reset`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Reset => "reset",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Add, Self::Reset]
            .into_iter()
            .find(|purpose| purpose.as_str() == word)
    }
}

/// The row of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CodeId(pub i64);

/// The row of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenId(pub i64);

/// Who has logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// With a device's token: may do all.
    Token {
        /// The account.
        account: AccountId,
        /// The token.
        token: TokenId,
    },
    /// With a one-time code: may do nothing but KEYPUT (spec §3.7.1).
    Code {
        /// The account.
        account: AccountId,
        /// The code.
        code: CodeId,
        /// What it is for.
        purpose: Purpose,
    },
}

/// A token, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenEntry {
    /// Its row.
    pub id: TokenId,
    /// What it was called when it was made ("setup", "phone", …).
    pub name: String,
    /// When it was made, Unix seconds.
    pub created: u64,
    /// When it was last used, Unix seconds, to the hour.
    pub used: Option<u64>,
}

/// What proves who somebody is.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// Keeps a one-time code, valid for 7 days from `now`; earlier codes of the
    /// account end. Make it with [`Secret::code`].
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn issue_code(
        &self,
        account: AccountId,
        purpose: Purpose,
        code: &Secret,
        now: u64,
    ) -> Result<(), StoreError>;

    /// Keeps a further token. Make it with [`Secret::token`].
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn add_token(
        &self,
        account: AccountId,
        name: &str,
        token: &Secret,
        now: u64,
    ) -> Result<TokenId, StoreError>;

    /// The tokens of an account, oldest first.
    async fn tokens(&self, account: AccountId) -> Result<Vec<TokenEntry>, StoreError>;

    /// Ends tokens.
    async fn revoke_tokens(&self, tokens: &[TokenId]) -> Result<(), StoreError>;

    /// Who that is; `None` when the address or the secret is wrong. Takes the
    /// same time for an unknown address. The first login with the token that a
    /// code earned ends the code (spec §3.7.3).
    async fn check(
        &self,
        address: &Address,
        secret: &[u8],
        now: u64,
    ) -> Result<Option<Login>, StoreError>;

    /// The salt of all secrets of this address, for a SCRAM exchange (RFC 5802 §3); `None` where
    /// there is no such account, or nothing to prove.
    async fn salt(&self, address: &Address) -> Result<Option<Vec<u8>>, StoreError>;

    /// Who proved by SCRAM to have a token, and the server's signature over the same. Codes are
    /// not among them: a program types them as they were read.
    async fn check_proof(
        &self,
        address: &Address,
        signed: &str,
        proof: &[u8; PROOF_OCTETS],
        now: u64,
    ) -> Result<Option<(Login, [u8; PROOF_OCTETS])>, StoreError>;
}
