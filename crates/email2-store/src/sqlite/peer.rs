//! What was learnt of others.

use async_trait::async_trait;
use email2::{Domain, Fingerprint, Identity};
use rusqlite::{Connection, Row};

use super::SqliteStore;
use super::certificate::{fingerprint, read_identity};
use super::row::{collect, first, parsed, parsed_or_null};
use crate::error::StoreError;
use crate::peer::{PeerAnswer, PeerDomain, PeerKey, PeerPolicy, Peers, Pin, Standing};

const SELECT_PIN: &str =
    "SELECT identity, standing, primary_key, octets, assurance, since, encrypted FROM pin";

#[async_trait]
impl Peers for SqliteStore {
    async fn peer_domain(&self, domain: &Domain) -> Result<Option<PeerDomain>, StoreError> {
        let domain = domain.to_string();
        self.read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT domain, speaks_until, ma, p, sp, assurance, learnt
                 FROM peer_domain WHERE domain = ?1",
            )?;
            first(select.query([domain])?, read_domain)
        })
        .await
    }

    async fn keep_peer_domains(&self, domains: Vec<PeerDomain>) -> Result<(), StoreError> {
        self.write(move |change| {
            domains
                .iter()
                .try_for_each(|domain| keep_domain(change.connection, domain))
        })
        .await
    }

    async fn peer_policy(&self, domain: &Domain) -> Result<Option<PeerPolicy>, StoreError> {
        let domain = domain.to_string();
        self.read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT domain, id, text, fetched FROM peer_policy WHERE domain = ?1",
            )?;
            first(select.query([domain])?, read_policy)
        })
        .await
    }

    async fn keep_peer_policy(&self, policy: PeerPolicy) -> Result<(), StoreError> {
        self.write(move |change| keep_policy(change.connection, &policy))
            .await
    }

    async fn peer_key(
        &self,
        identity: &Identity,
        asked: Option<&Fingerprint>,
    ) -> Result<Option<PeerKey>, StoreError> {
        let (identity, asked) = (identity.to_string(), asked_column(asked));
        self.read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT identity, asked, octets, etag, flags, assurance, fetched, ttl
                 FROM peer_key WHERE identity = ?1 AND asked = ?2",
            )?;
            first(select.query((identity, asked))?, read_key)
        })
        .await
    }

    async fn keep_peer_keys(&self, keys: Vec<PeerKey>) -> Result<(), StoreError> {
        self.write(move |change| {
            keys.iter()
                .try_for_each(|key| keep_key(change.connection, key))
        })
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

fn read_domain(row: &Row<'_>) -> Result<PeerDomain, StoreError> {
    Ok(PeerDomain {
        domain: parsed(row, 0)?,
        speaks_until: row.get(1)?,
        ma: row.get(2)?,
        p: parsed_or_null(row, 3)?,
        sp: parsed_or_null(row, 4)?,
        assurance: parsed_or_null(row, 5)?,
        learnt: row.get(6)?,
    })
}

fn keep_domain(connection: &Connection, peer: &PeerDomain) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO peer_domain
         (domain, speaks_until, ma, p, sp, assurance, learnt) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    insert.execute((
        peer.domain.as_str(),
        peer.speaks_until,
        peer.ma,
        peer.p.map(|policy| policy.to_string()),
        peer.sp.map(|policy| policy.to_string()),
        peer.assurance.map(|assurance| assurance.as_str()),
        peer.learnt,
    ))?;
    Ok(())
}

fn read_policy(row: &Row<'_>) -> Result<PeerPolicy, StoreError> {
    Ok(PeerPolicy {
        domain: parsed(row, 0)?,
        id: row.get(1)?,
        text: row.get(2)?,
        fetched: row.get(3)?,
    })
}

fn keep_policy(connection: &Connection, policy: &PeerPolicy) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO peer_policy (domain, id, text, fetched) VALUES (?1, ?2, ?3, ?4)",
    )?;
    insert.execute((
        policy.domain.as_str(),
        &policy.id,
        &policy.text,
        policy.fetched,
    ))?;
    Ok(())
}

/// A key that was named; nothing stands for a writer's question.
fn asked_column(asked: Option<&Fingerprint>) -> Vec<u8> {
    asked.map(|key| key.as_bytes().to_vec()).unwrap_or_default()
}

fn read_key(row: &Row<'_>) -> Result<PeerKey, StoreError> {
    let asked: Vec<u8> = row.get(1)?;
    let asked = if asked.is_empty() {
        None
    } else {
        Some(fingerprint(&asked)?)
    };
    Ok(PeerKey {
        identity: read_identity(row, 0)?,
        asked,
        answer: read_answer(row)?,
        assurance: parsed_or_null(row, 5)?,
        fetched: row.get(6)?,
        ttl: row.get(7)?,
    })
}

fn read_answer(row: &Row<'_>) -> Result<PeerAnswer, StoreError> {
    let octets: Option<Vec<u8>> = row.get(2)?;
    match octets {
        None => Ok(PeerAnswer::None),
        Some(octets) => Ok(PeerAnswer::Certificate {
            octets,
            etag: parsed(row, 3)?,
            flags: parsed(row, 4)?,
        }),
    }
}

fn keep_key(connection: &Connection, key: &PeerKey) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO peer_key
         (identity, asked, octets, etag, flags, assurance, fetched, ttl)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let (octets, etag, flags) = match &key.answer {
        PeerAnswer::None => (None, None, None),
        PeerAnswer::Certificate {
            octets,
            etag,
            flags,
        } => (Some(octets), Some(etag.as_str()), Some(flags.to_string())),
    };
    insert.execute((
        key.identity.to_string(),
        asked_column(key.asked.as_ref()),
        octets,
        etag,
        flags,
        key.assurance.map(|assurance| assurance.as_str()),
        key.fetched,
        key.ttl,
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
