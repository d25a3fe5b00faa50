//! When the entries of a domain may be claimed: a few at a time, and one at a time while the
//! domain is in trouble.

use email2::limits;
use rusqlite::{Connection, OptionalExtension};

use super::row;
use crate::error::StoreError;
use crate::queue::{Claimed, DomainNews, DomainState, QueueId};
use crate::sqlite::row::{collect, first};

/// Attempts in a row in which the entry that failed is tried again before others: who is
/// greylisted must come again himself, and whose message breaks a server must not stand in the
/// way of all others.
const PROBES_ALIKE: u32 = 3;

/// A domain as it is scheduled.
struct Schedule {
    domain: String,
    state: DomainState,
    blocked_until: u64,
    probe: Option<i64>,
    why: Option<String>,
}

impl Schedule {
    /// A domain that took nothing lately is tried with one message before it gets more.
    fn bears(&self) -> u32 {
        match (self.state.failures, self.state.accepted) {
            (0, Some(_)) => limits::DOMAIN_DELIVERIES,
            _ => 1,
        }
    }

    /// Until when it is left alone after a failure, Unix seconds.
    fn left_alone(&self) -> u64 {
        match self.state.failures {
            0 => 0,
            _ => self.blocked_until,
        }
    }
}

/// A lease on what is claimed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    /// From when on, Unix seconds.
    pub(super) now: u64,
    /// For how long, seconds.
    pub(super) seconds: u64,
    /// Who holds it: the opening of a worker beside the server, or 0 for the server.
    pub(super) worker: u64,
}

/// Claims at most `limit` entries that are due.
pub(super) fn claim(
    connection: &Connection,
    lease: Lease,
    limit: u32,
) -> Result<Vec<Claimed>, StoreError> {
    let now = lease.now;
    let ids = alarmed(connection, now, limit.div_ceil(2))?;
    let mut claimed = claim_free(connection, &ids, lease)?;
    for claim in &mut claimed {
        claim.alarm = true;
        reschedule(connection, claim.entry.domain.as_str(), now)?;
    }
    for schedule in due(connection, now, limit)? {
        let left = limit.saturating_sub(u32::try_from(claimed.len()).unwrap_or(u32::MAX));
        if left == 0 {
            break;
        }
        let ids = choose(connection, &schedule, now, left)?;
        claimed.extend(claim_free(connection, &ids, lease)?);
        reschedule(connection, &schedule.domain, now)?;
    }
    Ok(claimed)
}

/// Claims the next entry of a domain, if it bears one more.
pub(super) fn claim_next(
    connection: &Connection,
    domain: &str,
    lease: Lease,
) -> Result<Option<Claimed>, StoreError> {
    let now = lease.now;
    let schedule = schedule_of(connection, domain)?;
    let Some(schedule) = schedule.filter(|schedule| schedule.left_alone() <= now) else {
        return Ok(None);
    };
    let ids = choose(connection, &schedule, now, 1)?;
    let next = claim_free(connection, &ids, lease)?.pop();
    if next.is_some() {
        reschedule(connection, domain, now)?;
    }
    Ok(next)
}

/// Entries whose authors must be told something.
fn alarmed(connection: &Connection, now: u64, limit: u32) -> Result<Vec<QueueId>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT id FROM queue WHERE alarm <= ?1 AND due IS NOT NULL
         AND (leased_until IS NULL OR leased_until <= ?1) ORDER BY alarm LIMIT ?2",
    )?;
    collect(select.query((now, limit))?, |row| Ok(QueueId(row.get(0)?)))
}

/// When the next entry can be claimed.
pub(super) fn next_due(connection: &Connection) -> Result<Option<u64>, StoreError> {
    let due = "SELECT min(due) FROM queue_domain";
    let due: Option<u64> = connection.query_row(due, [], |row| row.get(0))?;
    let alarm = "SELECT max(alarm, coalesce(leased_until, 0)) FROM queue
                 WHERE due IS NOT NULL ORDER BY alarm LIMIT 1";
    let alarm: Option<u64> = connection
        .query_row(alarm, [], |row| row.get(0))
        .optional()?;
    Ok(due.into_iter().chain(alarm).min())
}

/// Ends the leases of that worker.
pub(super) fn end_leases(
    connection: &Connection,
    now: u64,
    worker: u64,
) -> Result<u64, StoreError> {
    let mut select = connection.prepare(
        "SELECT DISTINCT domain FROM queue WHERE leased_until IS NOT NULL AND worker = ?1",
    )?;
    let domains: Vec<String> = collect(select.query([worker])?, |row| Ok(row.get(0)?))?;
    let end = "UPDATE queue SET leased_until = NULL,
               due = CASE WHEN held THEN NULL ELSE next_attempt END
               WHERE leased_until IS NOT NULL AND worker = ?1";
    let ended = connection.execute(end, [worker])?;
    for domain in &domains {
        reschedule(connection, domain, now)?;
    }
    Ok(ended as u64)
}

/// Domains that are due, the longest due first.
fn due(connection: &Connection, now: u64, limit: u32) -> Result<Vec<Schedule>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT domain, failures, accepted, blocked_until, probe, why FROM queue_domain
         WHERE due <= ?1 ORDER BY due LIMIT ?2",
    )?;
    collect(select.query((now, limit))?, read)
}

fn schedule_of(connection: &Connection, domain: &str) -> Result<Option<Schedule>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT domain, failures, accepted, blocked_until, probe, why FROM queue_domain
         WHERE domain = ?1",
    )?;
    first(select.query([domain])?, read)
}

fn read(row: &rusqlite::Row<'_>) -> Result<Schedule, StoreError> {
    Ok(Schedule {
        domain: row.get(0)?,
        state: DomainState {
            failures: row.get(1)?,
            accepted: row.get(2)?,
        },
        blocked_until: row.get(3)?,
        probe: row.get(4)?,
        why: row.get(5)?,
    })
}

/// As many entries of a domain as it bears beside those under way, and at most `most`.
fn choose(
    connection: &Connection,
    schedule: &Schedule,
    now: u64,
    most: u32,
) -> Result<Vec<QueueId>, StoreError> {
    let (leased, _) = leased(connection, &schedule.domain, now)?;
    let room = schedule.bears().saturating_sub(leased).min(most);
    let failures = schedule.state.failures;
    if room > 0 && (1..=PROBES_ALIKE).contains(&failures) {
        let mut probe = connection
            .prepare_cached("SELECT id FROM queue WHERE id = ?1 AND domain = ?2 AND due <= ?3")?;
        let found = probe.query((schedule.probe, &schedule.domain, now))?;
        if let Some(id) = first(found, |row| Ok(QueueId(row.get(0)?)))? {
            return Ok(vec![id]);
        }
    }
    let mut due = connection.prepare_cached(
        "SELECT id FROM queue WHERE domain = ?1 AND due <= ?2 ORDER BY due, id LIMIT ?3",
    )?;
    let due = due.query((&schedule.domain, now, room))?;
    collect(due, |row| Ok(QueueId(row.get(0)?)))
}

/// Entries of a domain that somebody works on, and when the first of their leases ends.
fn leased(
    connection: &Connection,
    domain: &str,
    now: u64,
) -> Result<(u32, Option<u64>), StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT count(*), min(leased_until) FROM queue WHERE domain = ?1 AND leased_until > ?2",
    )?;
    Ok(select.query_row((domain, now), |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Claims those of `ids` that nobody works on.
pub(super) fn claim_free(
    connection: &Connection,
    ids: &[QueueId],
    lease: Lease,
) -> Result<Vec<Claimed>, StoreError> {
    let (now, until) = (lease.now, lease.now + lease.seconds);
    let mut take = connection.prepare_cached(
        "UPDATE queue SET leased_until = ?2, due = ?2, epoch = epoch + 1, attempts = attempts + 1,
         worker = ?4
         WHERE id = ?1 AND NOT held AND (leased_until IS NULL OR leased_until <= ?3) RETURNING domain",
    )?;
    let sql = format!("{} WHERE id = ?1", row::SELECT);
    let mut select = connection.prepare_cached(&sql)?;
    let mut claimed = Vec::new();
    for id in ids {
        let taken: Option<String> = take
            .query_row((id.0, until, now, lease.worker), |row| row.get(0))
            .optional()?;
        let Some(domain) = taken else { continue };
        let read = |found: &rusqlite::Row<'_>| row::claimed(connection, found);
        let Some(mut claim) = first(select.query([id.0])?, read)? else {
            continue;
        };
        if let Some(schedule) = schedule_of(connection, &domain)? {
            claim.domain = schedule.state;
            claim.why = schedule.why;
        }
        claimed.push(claim);
    }
    Ok(claimed)
}

/// What an attempt says about the domain of an entry.
pub(super) fn take_news(
    connection: &Connection,
    domain: &str,
    entry: QueueId,
    news: &DomainNews,
    now: u64,
) -> Result<(), StoreError> {
    match news {
        DomainNews::Nothing => {}
        DomainNews::Accepted => {
            let sql = "UPDATE queue_domain SET failures = 0, blocked_until = 0, probe = NULL,
                       why = NULL, accepted = ?2 WHERE domain = ?1";
            connection.prepare_cached(sql)?.execute((domain, now))?;
        }
        DomainNews::Failed { before, until, why } => {
            // Of several that failed side by side, the first one counts.
            let sql = "UPDATE queue_domain SET failures = failures + 1, blocked_until = ?3,
                       probe = ?4, why = ?5 WHERE domain = ?1 AND failures <= ?2";
            let mut update = connection.prepare_cached(sql)?;
            update.execute((domain, before, until, entry.0, why))?;
        }
    }
    Ok(())
}

/// Says anew when the domain is due, after anything about its entries changed.
pub(super) fn reschedule(
    connection: &Connection,
    domain: &str,
    now: u64,
) -> Result<(), StoreError> {
    let mut earliest = connection.prepare_cached(
        "SELECT due FROM queue WHERE domain = ?1 AND due IS NOT NULL ORDER BY due LIMIT 1",
    )?;
    let earliest: Option<u64> = earliest.query_row([domain], |row| row.get(0)).optional()?;
    let (leased, ends) = leased(connection, domain, now)?;
    let schedule = schedule_of(connection, domain)?;
    let bears = schedule.as_ref().map_or(1, Schedule::bears);
    let full = if leased >= bears {
        ends.unwrap_or(0)
    } else {
        0
    };
    let not_before = schedule.as_ref().map_or(0, Schedule::left_alone).max(full);
    let due = earliest.map(|due| due.max(not_before));
    let mut keep = connection.prepare_cached(
        "INSERT INTO queue_domain (domain, due) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET due = excluded.due",
    )?;
    keep.execute((domain, due))?;
    Ok(())
}

/// Lets a domain be tried whatever pause it has.
pub(super) fn unblock(connection: &Connection, domain: &str) -> Result<(), StoreError> {
    let sql = "UPDATE queue_domain SET blocked_until = 0 WHERE domain = ?1";
    connection.prepare_cached(sql)?.execute([domain])?;
    Ok(())
}
