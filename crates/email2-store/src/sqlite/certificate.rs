//! Certificates: every version, and what a new one does to those before it.

use async_trait::async_trait;
use email2::{Etag, Fingerprint, Identity};
use rusqlite::{Connection, OptionalExtension, Row};

use super::row::{collect, first, parsed};
use super::{SqliteStore, credential};
use crate::account::AccountId;
use crate::certificate::{
    CertificateVersion, Certificates, Enrolment, EnrolmentOutcome, Published, Replaces, Version,
};
use crate::credential::{CodeId, TokenId};
use crate::error::StoreError;

/// What the token of an enrolment is called.
const DEVICE: &str = "device";

const SELECT: &str = "SELECT id, identity, primary_key, etag, octets, since, until, hard, stored
FROM certificate";

#[async_trait]
impl Certificates for SqliteStore {
    async fn served(&self, identity: &Identity) -> Result<Option<CertificateVersion>, StoreError> {
        let identity = identity.to_string();
        self.read(move |connection| served(connection, &identity))
            .await
    }

    async fn holding(
        &self,
        identity: &Identity,
        key: &Fingerprint,
    ) -> Result<Option<CertificateVersion>, StoreError> {
        let (identity, key) = (identity.to_string(), key.clone());
        self.read(move |connection| {
            let sql = format!(
                "{SELECT} WHERE identity = ?1 AND id IN
                 (SELECT certificate FROM certificate_key WHERE key = ?2)
                 ORDER BY id DESC LIMIT 1"
            );
            first(
                connection
                    .prepare_cached(&sql)?
                    .query((identity, key.as_bytes()))?,
                read,
            )
        })
        .await
    }

    async fn versions(&self, identity: &Identity) -> Result<Vec<CertificateVersion>, StoreError> {
        let identity = identity.to_string();
        self.read(move |connection| {
            let sql = format!("{SELECT} WHERE identity = ?1 ORDER BY id DESC");
            collect(connection.prepare_cached(&sql)?.query([identity])?, read)
        })
        .await
    }

    async fn publish(
        &self,
        version: Version,
        replaces: Replaces,
        now: u64,
    ) -> Result<bool, StoreError> {
        self.write(move |change| publish(change.connection, &version, replaces, now))
            .await
    }

    async fn publish_over(
        &self,
        version: Version,
        replaces: Replaces,
        over: Option<&Etag>,
        now: u64,
    ) -> Result<Published, StoreError> {
        let over = over.cloned();
        self.write(move |change| {
            publish_over(change.connection, &version, replaces, over.as_ref(), now)
        })
        .await
    }

    async fn enrol(
        &self,
        account: AccountId,
        enrolment: Enrolment,
        now: u64,
    ) -> Result<EnrolmentOutcome, StoreError> {
        self.write(move |change| enrol(change.connection, account, &enrolment, now))
            .await
    }

    async fn mark_hard(
        &self,
        identity: &Identity,
        primary: Option<&Fingerprint>,
    ) -> Result<u64, StoreError> {
        let (identity, primary) = (identity.to_string(), primary.cloned());
        self.write(move |change| mark_hard(change.connection, &identity, primary.as_ref()))
            .await
    }
}

fn read(row: &Row<'_>) -> Result<CertificateVersion, StoreError> {
    let primary: Vec<u8> = row.get(2)?;
    Ok(CertificateVersion {
        id: row.get(0)?,
        identity: read_identity(row, 1)?,
        primary: fingerprint(&primary)?,
        etag: parsed(row, 3)?,
        octets: row.get(4)?,
        since: row.get(5)?,
        until: row.get(6)?,
        hard: row.get(7)?,
        stored: row.get(8)?,
    })
}

/// Reads a column of an identity.
pub(super) fn read_identity(row: &Row<'_>, column: usize) -> Result<Identity, StoreError> {
    let text: String = row.get(column)?;
    Identity::parse(&text).map_err(|_| StoreError::Unreadable(format!("the identity {text:?}")))
}

/// Reads a column of a fingerprint.
pub(super) fn fingerprint(octets: &[u8]) -> Result<Fingerprint, StoreError> {
    Fingerprint::from_bytes(octets).map_err(|_| StoreError::Unreadable("a fingerprint".to_owned()))
}

fn served(
    connection: &Connection,
    identity: &str,
) -> Result<Option<CertificateVersion>, StoreError> {
    let sql = format!(
        "{SELECT} WHERE identity = ?1 AND NOT hard AND until IS NULL ORDER BY id DESC LIMIT 1"
    );
    first(connection.prepare_cached(&sql)?.query([identity])?, read)
}

fn publish(
    connection: &Connection,
    version: &Version,
    replaces: Replaces,
    now: u64,
) -> Result<bool, StoreError> {
    let identity = version.identity.to_string();
    let served = served(connection, &identity)?;
    let same = served
        .as_ref()
        .is_some_and(|served| served.primary == version.primary);
    // Whoever once had the address, nobody takes it without a transition or a reset.
    if replaces == Replaces::Keep && !same && is_known(connection, &identity)? {
        return Ok(false);
    }
    if is_hard(connection, &identity, &version.primary)? {
        return Ok(false);
    }
    if served
        .as_ref()
        .is_some_and(|served| served.etag == version.etag)
    {
        return Ok(true);
    }
    end_others(connection, &identity, &version.primary, replaces, now)?;
    insert(
        connection,
        version,
        served.filter(|_| same).map_or(now, |served| served.since),
        now,
    )?;
    Ok(true)
}

fn publish_over(
    connection: &Connection,
    version: &Version,
    replaces: Replaces,
    over: Option<&Etag>,
    now: u64,
) -> Result<Published, StoreError> {
    let served = served(connection, &version.identity.to_string())?;
    if served.as_ref().map(|served| &served.etag) != over {
        return Ok(Published::Moved);
    }
    Ok(match publish(connection, version, replaces, now)? {
        true => Published::Kept,
        false => Published::OtherPrimary,
    })
}

/// Whether the identity ever had a certificate here.
fn is_known(connection: &Connection, identity: &str) -> Result<bool, StoreError> {
    let select = "SELECT 1 FROM certificate WHERE identity = ?1";
    Ok(connection.prepare_cached(select)?.exists([identity])?)
}

/// Whether that primary key was made `hard`: it never comes back (spec §3.5.3).
fn is_hard(
    connection: &Connection,
    identity: &str,
    primary: &Fingerprint,
) -> Result<bool, StoreError> {
    let select = "SELECT EXISTS (SELECT 1 FROM certificate
                  WHERE identity = ?1 AND primary_key = ?2 AND hard)";
    let mut select = connection.prepare_cached(select)?;
    Ok(select.query_row((identity, primary.as_bytes()), |row| row.get(0))?)
}

/// What the versions of other primary keys become.
fn end_others(
    connection: &Connection,
    identity: &str,
    primary: &Fingerprint,
    replaces: Replaces,
    now: u64,
) -> Result<(), StoreError> {
    let others = "WHERE identity = ?1 AND primary_key <> ?2";
    match replaces {
        Replaces::Keep => Ok(()),
        Replaces::Transition => {
            let end = format!("UPDATE certificate SET until = ?3 {others} AND until IS NULL");
            connection.execute(&end, (identity, primary.as_bytes(), now))?;
            Ok(())
        }
        Replaces::Reset => {
            let end = format!("UPDATE certificate SET hard = 1 {others}");
            connection.execute(&end, (identity, primary.as_bytes()))?;
            Ok(())
        }
    }
}

fn insert(
    connection: &Connection,
    version: &Version,
    since: u64,
    now: u64,
) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO certificate (identity, primary_key, etag, octets, since, stored)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let id = insert.insert((
        version.identity.to_string(),
        version.primary.as_bytes(),
        version.etag.as_str(),
        &version.octets,
        since,
        now,
    ))?;
    let mut key = connection.prepare_cached(
        "INSERT OR IGNORE INTO certificate_key (certificate, key) VALUES (?1, ?2)",
    )?;
    for fingerprint in &version.keys {
        key.execute((id, fingerprint.as_bytes()))?;
    }
    Ok(())
}

/// Makes versions `hard`; how many were not yet.
pub(super) fn mark_hard(
    connection: &Connection,
    identity: &str,
    primary: Option<&Fingerprint>,
) -> Result<u64, StoreError> {
    let primary = primary.map(Fingerprint::as_bytes);
    let mark = "UPDATE certificate SET hard = 1
                WHERE identity = ?1 AND (?2 IS NULL OR primary_key = ?2) AND NOT hard";
    Ok(connection.execute(mark, (identity, primary))? as u64)
}

/// What a code has earned so far.
struct Earned {
    put: Option<[u8; 32]>,
    token: Option<TokenId>,
}

fn enrol(
    connection: &Connection,
    account: AccountId,
    enrolment: &Enrolment,
    now: u64,
) -> Result<EnrolmentOutcome, StoreError> {
    let Some(earned) = earned(connection, account, enrolment.code, now)? else {
        return Ok(EnrolmentOutcome::CodeEnded);
    };
    let again = earned.put == Some(enrolment.put);
    if earned.put.is_some() && !again {
        return Ok(EnrolmentOutcome::CodeEnded);
    }
    if !again {
        let (version, over) = (&enrolment.version, enrolment.over.as_ref());
        match publish_over(connection, version, enrolment.replaces, over, now)? {
            Published::Kept => {}
            Published::OtherPrimary => return Ok(EnrolmentOutcome::OtherPrimary),
            Published::Moved => return Ok(EnrolmentOutcome::Moved),
        }
    }
    if let Some(token) = earned.token {
        connection.execute("DELETE FROM token WHERE id = ?1", [token.0])?;
    }
    let token = credential::add_token(connection, account, DEVICE, &enrolment.token, now)?;
    connection.execute(
        "UPDATE code SET put = ?2, token = ?3 WHERE id = ?1",
        (enrolment.code.0, enrolment.put, token.0),
    )?;
    Ok(if again {
        EnrolmentOutcome::TokenReplaced
    } else {
        EnrolmentOutcome::Enrolled
    })
}

fn earned(
    connection: &Connection,
    account: AccountId,
    code: CodeId,
    now: u64,
) -> Result<Option<Earned>, StoreError> {
    let select = "SELECT put, token FROM code WHERE id = ?1 AND account = ?2 AND expires > ?3";
    let mut select = connection.prepare_cached(select)?;
    let found = select.query_row((code.0, account.0, now), |row| {
        Ok(Earned {
            put: row.get(0)?,
            token: row.get::<_, Option<i64>>(1)?.map(TokenId),
        })
    });
    Ok(found.optional()?)
}
