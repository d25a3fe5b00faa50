//! What was learnt of others.

use async_trait::async_trait;
use email2::known::{KnownCertificate, KnownDomain, KnownKey, KnownPolicy};
use email2::{Domain, Fingerprint, Identity};
use rusqlite::{Connection, Row};

use super::SqliteStore;
use super::certificate::{fingerprint, read_identity};
use super::row::{collect, first, parsed, parsed_or_null};
use crate::error::StoreError;
use crate::peer::{Peers, Pin, Standing};

const SELECT_PIN: &str =
    "SELECT identity, standing, primary_key, octets, assurance, since, encrypted FROM pin";

#[async_trait]
impl Peers for SqliteStore {
    async fn peer_domain(&self, domain: &Domain) -> Result<Option<KnownDomain>, StoreError> {
        let domain = domain.to_string();
        self.read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT speaks_until, ma, p, sp, assurance, learnt
                 FROM peer_domain WHERE domain = ?1",
            )?;
            first(select.query([domain])?, read_domain)
        })
        .await
    }

    async fn keep_peer_domain(
        &self,
        domain: &Domain,
        known: KnownDomain,
    ) -> Result<(), StoreError> {
        let domain = domain.to_string();
        self.write(move |change| keep_domain(change.connection, &domain, &known))
            .await
    }

    async fn forget_peer_domains(&self, now: u64, before: u64) -> Result<u64, StoreError> {
        self.write(move |change| {
            let delete = "DELETE FROM peer_domain
                 WHERE (speaks_until IS NULL OR speaks_until <= ?1) AND learnt < ?2";
            Ok(change.connection.execute(delete, [now, before])? as u64)
        })
        .await
    }

    async fn peer_policy(&self, domain: &Domain) -> Result<Option<KnownPolicy>, StoreError> {
        let domain = domain.to_string();
        self.read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT id, text, fetched, until FROM peer_policy WHERE domain = ?1",
            )?;
            first(select.query([domain])?, read_policy)
        })
        .await
    }

    async fn keep_peer_policy(
        &self,
        domain: &Domain,
        policy: KnownPolicy,
    ) -> Result<(), StoreError> {
        let domain = domain.to_string();
        self.write(move |change| keep_policy(change.connection, &domain, &policy))
            .await
    }

    async fn forget_peer_policies(&self, now: u64) -> Result<u64, StoreError> {
        self.write(move |change| {
            let delete = "DELETE FROM peer_policy WHERE until <= ?1";
            Ok(change.connection.execute(delete, [now])? as u64)
        })
        .await
    }

    async fn peer_key(
        &self,
        identity: &Identity,
        asked: Option<&Fingerprint>,
    ) -> Result<Option<KnownKey>, StoreError> {
        let (identity, asked) = (identity.to_string(), asked_column(asked));
        self.read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT octets, etag, flags, assurance, fetched, ttl
                 FROM peer_key WHERE identity = ?1 AND asked = ?2",
            )?;
            first(select.query((identity, asked))?, read_key)
        })
        .await
    }

    async fn keep_peer_key(
        &self,
        identity: &Identity,
        asked: Option<&Fingerprint>,
        known: KnownKey,
    ) -> Result<(), StoreError> {
        let question = (identity.to_string(), asked_column(asked));
        self.write(move |change| keep_key(change.connection, &question, &known))
            .await
    }

    async fn forget_peer_keys(&self, before: u64) -> Result<u64, StoreError> {
        self.write(move |change| {
            let delete = "DELETE FROM peer_key WHERE fetched < ?1";
            Ok(change.connection.execute(delete, [before])? as u64)
        })
        .await
    }

    async fn pins(&self, identity: &Identity) -> Result<Vec<Pin>, StoreError> {
        let identity = identity.to_string();
        self.read(move |connection| {
            let sql = format!("{SELECT_PIN} WHERE identity = ?1 ORDER BY standing DESC");
            collect(
                connection.prepare_cached(&sql)?.query([identity])?,
                read_pin,
            )
        })
        .await
    }

    async fn list_pins(&self) -> Result<Vec<Pin>, StoreError> {
        self.read(move |connection| {
            let sql = format!("{SELECT_PIN} ORDER BY identity, standing DESC");
            collect(connection.prepare_cached(&sql)?.query([])?, read_pin)
        })
        .await
    }

    async fn keep_pin(&self, pin: Pin) -> Result<(), StoreError> {
        self.write(move |change| keep_pin(change.connection, &pin))
            .await
    }

    async fn drop_pin(&self, identity: &Identity, standing: Standing) -> Result<(), StoreError> {
        let identity = identity.to_string();
        self.write(move |change| {
            let delete = "DELETE FROM pin WHERE identity = ?1 AND standing = ?2";
            change
                .connection
                .execute(delete, (identity, standing.as_str()))?;
            Ok(())
        })
        .await
    }
}

fn read_domain(row: &Row<'_>) -> Result<KnownDomain, StoreError> {
    Ok(KnownDomain {
        speaks_until: row.get::<_, Option<u64>>(0)?.unwrap_or(0),
        ma: row.get(1)?,
        p: parsed_or_null(row, 2)?,
        sp: parsed_or_null(row, 3)?,
        assurance: parsed_or_null(row, 4)?,
        learnt: row.get(5)?,
    })
}

fn keep_domain(
    connection: &Connection,
    domain: &str,
    known: &KnownDomain,
) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO peer_domain
         (domain, speaks_until, ma, p, sp, assurance, learnt) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    insert.execute((
        domain,
        Some(known.speaks_until).filter(|&until| until > 0),
        known.ma,
        known.p.map(|policy| policy.to_string()),
        known.sp.map(|policy| policy.to_string()),
        known.assurance.map(|assurance| assurance.as_str()),
        known.learnt,
    ))?;
    Ok(())
}

fn read_policy(row: &Row<'_>) -> Result<KnownPolicy, StoreError> {
    Ok(KnownPolicy {
        id: row.get(0)?,
        text: row.get(1)?,
        fetched: row.get(2)?,
        until: row.get(3)?,
    })
}

fn keep_policy(
    connection: &Connection,
    domain: &str,
    policy: &KnownPolicy,
) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO peer_policy (domain, id, text, fetched, until)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let KnownPolicy { id, text, .. } = policy;
    insert.execute((domain, id, text, policy.fetched, policy.until))?;
    Ok(())
}

/// A key that was named; nothing stands for a writer's question.
fn asked_column(asked: Option<&Fingerprint>) -> Vec<u8> {
    asked.map(|key| key.as_bytes().to_vec()).unwrap_or_default()
}

fn read_key(row: &Row<'_>) -> Result<KnownKey, StoreError> {
    Ok(KnownKey {
        answer: read_certificate(row)?,
        assurance: parsed_or_null(row, 3)?,
        fetched: row.get(4)?,
        ttl: row.get(5)?,
    })
}

fn read_certificate(row: &Row<'_>) -> Result<Option<KnownCertificate>, StoreError> {
    let Some(octets) = row.get(0)? else {
        return Ok(None);
    };
    Ok(Some(KnownCertificate {
        octets,
        etag: parsed(row, 1)?,
        flags: parsed(row, 2)?,
    }))
}

fn keep_key(
    connection: &Connection,
    (identity, asked): &(String, Vec<u8>),
    known: &KnownKey,
) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO peer_key
         (identity, asked, octets, etag, flags, assurance, fetched, ttl)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let certificate = known.answer.as_ref();
    insert.execute((
        identity,
        asked,
        certificate.map(|known| &known.octets),
        certificate.map(|known| known.etag.as_str()),
        certificate.map(|known| known.flags.to_string()),
        known.assurance.map(|assurance| assurance.as_str()),
        known.fetched,
        known.ttl,
    ))?;
    Ok(())
}

fn read_pin(row: &Row<'_>) -> Result<Pin, StoreError> {
    let standing: String = row.get(1)?;
    let primary: Vec<u8> = row.get(2)?;
    Ok(Pin {
        identity: read_identity(row, 0)?,
        standing: Standing::parse(&standing)
            .ok_or_else(|| StoreError::Unreadable(format!("the standing {standing:?}")))?,
        primary: fingerprint(&primary)?,
        octets: row.get(3)?,
        assurance: parsed_or_null(row, 4)?,
        since: row.get(5)?,
        encrypted: row.get(6)?,
    })
}

fn keep_pin(connection: &Connection, pin: &Pin) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO pin
         (identity, standing, primary_key, octets, assurance, since, encrypted)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    insert.execute((
        pin.identity.to_string(),
        pin.standing.as_str(),
        pin.primary.as_bytes(),
        &pin.octets,
        pin.assurance.map(|assurance| assurance.as_str()),
        pin.since,
        pin.encrypted,
    ))?;
    Ok(())
}
