//! Codes and tokens.

use async_trait::async_trait;
use email2::Address;
use email2::scram::PROOF_OCTETS;
use rusqlite::{Connection, OptionalExtension};
use zeroize::Zeroizing;

use super::SqliteStore;
use super::row::collect;
use crate::account::AccountId;
use crate::credential::{
    CodeId, Credentials, ITERATIONS, Login, Purpose, SALT_LENGTH, Salted, Secret, TokenEntry,
    TokenId, Verifier,
};
use crate::error::StoreError;

/// How long a code is valid, seconds (spec §3.7: 7 days).
const CODE_LIFE: u64 = 7 * 24 * 3600;

/// `used` of a token is kept to the hour: one write an hour, not one a login.
const USED_GRAIN: u64 = 3600;

#[async_trait]
impl Credentials for SqliteStore {
    async fn issue_code(
        &self,
        account: AccountId,
        purpose: Purpose,
        code: &Secret,
        now: u64,
    ) -> Result<(), StoreError> {
        let code = Secret::typed(code.reveal().as_bytes());
        self.write(move |change| {
            let verifier = verifier(change.connection, account, &code)?;
            change
                .connection
                .execute("DELETE FROM code WHERE account = ?1", [account.0])?;
            change.connection.execute(
                "INSERT INTO code (account, purpose, verifier, expires) VALUES (?1, ?2, ?3, ?4)",
                (
                    account.0,
                    purpose.as_str(),
                    verifier.to_string(),
                    now + CODE_LIFE,
                ),
            )?;
            Ok(())
        })
        .await
    }

    async fn add_token(
        &self,
        account: AccountId,
        name: &str,
        token: &Secret,
        now: u64,
    ) -> Result<TokenId, StoreError> {
        let (name, token) = (name.to_owned(), token.clone());
        self.write(move |change| add_token(change.connection, account, &name, &token, now))
            .await
    }

    async fn tokens(&self, account: AccountId) -> Result<Vec<TokenEntry>, StoreError> {
        self.read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT id, name, created, used FROM token WHERE account = ?1 ORDER BY id",
            )?;
            collect(select.query([account.0])?, |row| {
                Ok(TokenEntry {
                    id: TokenId(row.get(0)?),
                    name: row.get(1)?,
                    created: row.get(2)?,
                    used: row.get(3)?,
                })
            })
        })
        .await
    }

    async fn revoke_tokens(&self, tokens: &[TokenId]) -> Result<(), StoreError> {
        let tokens = tokens.to_vec();
        self.write(move |change| {
            let mut delete = change
                .connection
                .prepare_cached("DELETE FROM token WHERE id = ?1")?;
            tokens
                .iter()
                .try_for_each(|token| delete.execute([token.0]).map(|_| ()))?;
            Ok(())
        })
        .await
    }

    async fn check(
        &self,
        address: &Address,
        secret: &[u8],
        now: u64,
    ) -> Result<Option<Login>, StoreError> {
        let (address, secret) = (address.to_string(), Zeroizing::new(secret.to_vec()));
        let candidates = self
            .read(move |connection| candidates(connection, &address, now))
            .await?;
        let found = self
            .readers
            .ask(move |_| Ok(candidates.find(&secret)))
            .await?;
        self.note(found.as_ref(), now).await?;
        Ok(found.map(|(login, _)| login))
    }

    async fn salt(&self, address: &Address) -> Result<Option<Vec<u8>>, StoreError> {
        let address = address.to_string();
        let select = "SELECT salt FROM account WHERE address = ?1";
        self.read(move |connection| {
            let mut select = connection.prepare_cached(select)?;
            let salt = select.query_row([address], |row| row.get(0)).optional()?;
            Ok(salt.flatten())
        })
        .await
    }

    async fn check_proof(
        &self,
        address: &Address,
        signed: &str,
        proof: &[u8; PROOF_OCTETS],
        now: u64,
    ) -> Result<Option<(Login, [u8; PROOF_OCTETS])>, StoreError> {
        let (address, signed, proof) = (address.to_string(), signed.to_owned(), *proof);
        let found = self
            .read(move |connection| {
                let candidates = candidates(connection, &address, now)?;
                Ok(candidates.prove(&signed, &proof))
            })
            .await?;
        let Some((login, write, signature)) = found else {
            return Ok(None);
        };
        self.note(Some(&(login.clone(), write)), now).await?;
        Ok(Some((login, signature)))
    }
}

impl SqliteStore {
    /// Notes that a token was used, where that must be written.
    async fn note(&self, found: Option<&(Login, bool)>, now: u64) -> Result<(), StoreError> {
        let Some((Login::Token { token, .. }, true)) = found else {
            return Ok(());
        };
        let token = *token;
        self.write(move |change| used(change.connection, token, now))
            .await
    }
}

/// What a secret may turn out to be.
#[derive(Default)]
struct Candidates {
    salt: Vec<u8>,
    tokens: Vec<(Login, bool, Verifier)>,
    codes: Vec<(Login, Verifier)>,
}

impl Candidates {
    /// Which it is, and whether its use must be written. The same work is done
    /// when there is no such account.
    fn find(&self, secret: &[u8]) -> Option<(Login, bool)> {
        let as_token = Salted::new(secret, &self.salt, ITERATIONS);
        let as_code = Salted::new(&Secret::typed(secret), &self.salt, ITERATIONS);
        let token = self
            .tokens
            .iter()
            .find(|(_, _, verifier)| verifier.matches(&as_token));
        let code = self
            .codes
            .iter()
            .find(|(_, verifier)| verifier.matches(&as_code));
        match (token, code) {
            (Some((login, write, _)), _) => Some((login.clone(), *write)),
            (None, Some((login, _))) => Some((login.clone(), false)),
            (None, None) => None,
        }
    }
}

impl Candidates {
    /// Whose token made this proof, whether its use must be written, and our signature.
    fn prove(
        &self,
        signed: &str,
        proof: &[u8; PROOF_OCTETS],
    ) -> Option<(Login, bool, [u8; PROOF_OCTETS])> {
        self.tokens.iter().find_map(|(login, write, verifier)| {
            let signature = verifier.proves(signed, proof)?;
            Some((login.clone(), *write, signature))
        })
    }
}

fn candidates(connection: &Connection, address: &str, now: u64) -> Result<Candidates, StoreError> {
    let select = "SELECT id, salt FROM account WHERE address = ?1";
    let account: Option<(i64, Option<Vec<u8>>)> = connection
        .prepare_cached(select)?
        .query_row([address], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((id, Some(salt))) = account else {
        return Ok(Candidates::default());
    };
    Ok(Candidates {
        salt,
        tokens: tokens(connection, id, now)?,
        codes: codes(connection, id, now)?,
    })
}

fn tokens(
    connection: &Connection,
    account: i64,
    now: u64,
) -> Result<Vec<(Login, bool, Verifier)>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT id, verifier, coalesce(used, 0),
                EXISTS (SELECT 1 FROM code WHERE code.token = token.id)
         FROM token WHERE account = ?1",
    )?;
    collect(select.query([account])?, |row| {
        let login = Login::Token {
            account: AccountId(account),
            token: TokenId(row.get(0)?),
        };
        let used: u64 = row.get(2)?;
        let ends_code: bool = row.get(3)?;
        Ok((
            login,
            ends_code || now >= used + USED_GRAIN,
            read_verifier(row, 1)?,
        ))
    })
}

fn codes(
    connection: &Connection,
    account: i64,
    now: u64,
) -> Result<Vec<(Login, Verifier)>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT id, purpose, verifier FROM code WHERE account = ?1 AND expires > ?2",
    )?;
    collect(select.query((account, now))?, |row| {
        let purpose: String = row.get(1)?;
        let login = Login::Code {
            account: AccountId(account),
            code: CodeId(row.get(0)?),
            purpose: Purpose::parse(&purpose)
                .ok_or_else(|| StoreError::Unreadable(format!("the purpose {purpose:?}")))?,
        };
        Ok((login, read_verifier(row, 2)?))
    })
}

fn read_verifier(row: &rusqlite::Row<'_>, column: usize) -> Result<Verifier, StoreError> {
    let text: String = row.get(column)?;
    Verifier::parse(&text).ok_or_else(|| StoreError::Unreadable("a verifier".to_owned()))
}

/// Notes a login; the code that earned the token ends by it (spec §3.7.3).
fn used(connection: &Connection, token: TokenId, now: u64) -> Result<(), StoreError> {
    connection.execute("DELETE FROM code WHERE token = ?1", [token.0])?;
    connection.execute(
        "UPDATE token SET used = ?2 WHERE id = ?1",
        (token.0, now - now % USED_GRAIN),
    )?;
    Ok(())
}

/// Keeps a token of an account.
pub(super) fn add_token(
    connection: &Connection,
    account: AccountId,
    name: &str,
    token: &Secret,
    now: u64,
) -> Result<TokenId, StoreError> {
    let verifier = verifier(connection, account, token.reveal().as_bytes())?;
    let id = connection
        .prepare_cached(
            "INSERT INTO token (account, name, verifier, created) VALUES (?1, ?2, ?3, ?4)",
        )?
        .insert((account.0, name, verifier.to_string(), now))?;
    Ok(TokenId(id))
}

/// A verifier with the account's one salt: a SCRAM exchange tells the salt
/// before it knows which of the account's secrets is meant.
fn verifier(
    connection: &Connection,
    account: AccountId,
    secret: &[u8],
) -> Result<Verifier, StoreError> {
    let set =
        "UPDATE account SET salt = coalesce(salt, randomblob(?2)) WHERE id = ?1 RETURNING salt";
    let salt = connection
        .query_row(set, (account.0, SALT_LENGTH), |row| {
            row.get::<_, Vec<u8>>(0)
        })
        .optional()?
        .ok_or_else(|| StoreError::NotFound("such account".to_owned()))?;
    Ok(Verifier::new(secret, &salt))
}
