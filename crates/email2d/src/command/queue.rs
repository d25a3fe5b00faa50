//! `email2d queue`: mail that this server carries on.

mod shown;

use clap::{Args, Subcommand};
use email2::address::Domain;
use email2_store::{EntryFilter, QueueEntry, QueueId, Store, TlsCount};
use serde_json::json;

use super::{Desk, Failure};

/// Entries that are read at once, whatever the length of the queue.
const PAGE: u32 = 500;

/// How many days `tls` looks back unless it is told.
const DAYS: u64 = 7;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// What can be done to the queue.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what waits, oldest first
    List(Chosen),
    /// Show one entry: its recipients, what their servers said, and every attempt
    Show {
        /// Its number
        id: i64,
    },
    /// List the domains that mail waits for, and what is wrong with them
    Domains,
    /// Try entries again within seconds; all when none is named
    Retry(Chosen),
    /// Drop entries; their authors are not told
    Drop(Chosen),
    /// Hold entries back until they are released
    Hold(Chosen),
    /// Let held entries go; all when none is named
    Release(Chosen),
    /// Show how TLS with other domains' hosts went, by day (RFC 8460)
    Tls {
        /// How many days back
        #[arg(long, default_value_t = DAYS)]
        days: u64,
    },
}

/// Which entries.
#[derive(Debug, Args)]
pub(super) struct Chosen {
    /// Their numbers
    ids: Vec<i64>,
    /// Only those for this domain
    #[arg(long)]
    domain: Option<Domain>,
    /// Only those of this message: the name that its 250 gave
    #[arg(long)]
    group: Option<String>,
}

/// Does it.
pub(super) async fn run(command: &Command, desk: Desk) -> Result<(), Failure> {
    let (store, now) = (&desk.store, desk.now);
    match command {
        Command::List(chosen) => list(&desk, chosen).await,
        Command::Show { id } => show(&desk, *id).await,
        Command::Domains => domains(&desk).await,
        Command::Tls { days } => tls(&desk, *days).await,
        Command::Retry(chosen) => {
            let due = each(store, chosen, async |ids| store.retry_now(ids, now).await).await?;
            desk.output
                .print(&format!("{due} due now."), &json!({"due": due}))
        }
        Command::Drop(chosen) => {
            chosen.must_name_some()?;
            let dropped = each(store, chosen, async |ids| {
                store.drop_entries(ids, now).await
            });
            let dropped = dropped.await?;
            let text = format!("{dropped} dropped.");
            desk.output.print(&text, &json!({"dropped": dropped}))
        }
        Command::Hold(chosen) => {
            chosen.must_name_some()?;
            let held = each(store, chosen, async |ids| store.hold(ids, true, now).await).await?;
            desk.output
                .print(&format!("{held} held."), &json!({"held": held}))
        }
        Command::Release(chosen) => {
            let released = each(store, chosen, async |ids| store.hold(ids, false, now).await);
            let released = released.await?;
            let text = format!("{released} released.");
            desk.output.print(&text, &json!({"released": released}))
        }
    }
}

impl Chosen {
    fn filter(&self) -> EntryFilter {
        EntryFilter {
            domain: self.domain.clone(),
            group: self.group.clone(),
            held: None,
        }
    }

    fn must_name_some(&self) -> Result<(), Failure> {
        if self.ids.is_empty() && self.domain.is_none() && self.group.is_none() {
            return Err(Failure::usage(
                "name entries by their numbers, or choose them by --domain or --group".to_owned(),
            ));
        }
        Ok(())
    }

    fn has(&self, entry: &QueueEntry) -> bool {
        let domain = self.domain.as_ref();
        let group = self.group.as_ref();
        domain.is_none_or(|domain| *domain == entry.domain)
            && group.is_none_or(|group| *group == entry.group)
    }
}

/// Walks over the entries that were chosen, a page at a time.
struct Walk<'a> {
    store: &'a Store,
    chosen: &'a Chosen,
    after: QueueId,
    ended: bool,
}

impl<'a> Walk<'a> {
    fn over(store: &'a Store, chosen: &'a Chosen) -> Self {
        Walk {
            store,
            chosen,
            after: QueueId(i64::MIN),
            ended: false,
        }
    }

    /// The next page; empty at the end.
    async fn next(&mut self) -> Result<Vec<QueueEntry>, Failure> {
        if self.ended {
            return Ok(Vec::new());
        }
        if !self.chosen.ids.is_empty() {
            self.ended = true;
            return self.named().await;
        }
        let filter = self.chosen.filter();
        let page = self.store.entries_after(self.after, &filter, PAGE).await?;
        match page.last() {
            Some(last) => self.after = last.id,
            None => self.ended = true,
        }
        Ok(page)
    }

    async fn named(&self) -> Result<Vec<QueueEntry>, Failure> {
        let mut entries = Vec::new();
        for id in &self.chosen.ids {
            let entry = self.store.entry(QueueId(*id)).await?;
            entries.extend(entry.filter(|entry| self.chosen.has(entry)));
        }
        Ok(entries)
    }
}

/// Does `what` to all chosen entries; how many it was done to.
async fn each<F>(store: &Store, chosen: &Chosen, what: F) -> Result<u64, Failure>
where
    F: AsyncFn(&[QueueId]) -> Result<u64, email2_store::StoreError>,
{
    let mut walk = Walk::over(store, chosen);
    let mut count = 0;
    loop {
        let page = walk.next().await?;
        if page.is_empty() {
            return Ok(count);
        }
        let ids: Vec<QueueId> = page.iter().map(|entry| entry.id).collect();
        count += what(&ids).await?;
    }
}

async fn list(desk: &Desk, chosen: &Chosen) -> Result<(), Failure> {
    let mut walk = Walk::over(&desk.store, chosen);
    loop {
        let page = walk.next().await?;
        if page.is_empty() {
            return Ok(());
        }
        for entry in &page {
            desk.output
                .print(&shown::line(entry), &shown::object(entry))?;
        }
    }
}

async fn show(desk: &Desk, id: i64) -> Result<(), Failure> {
    let entry = desk.store.entry(QueueId(id)).await?.ok_or_else(|| {
        Failure::data(format!(
            "there is no entry {id} in the queue; `email2d queue list` shows what there is"
        ))
    })?;
    let attempts = desk.store.attempts(entry.id).await?;
    let text = shown::whole(&entry, &attempts);
    let mut object = shown::object(&entry);
    if let Some(fields) = object.as_object_mut() {
        let attempts = attempts.iter().map(shown::attempt).collect::<Vec<_>>();
        fields.insert("attempts_failed".to_owned(), json!(attempts));
    }
    desk.output.print(&text, &object)
}

async fn domains(desk: &Desk) -> Result<(), Failure> {
    let mut after: Option<Domain> = None;
    loop {
        let page = desk.store.waiting_domains(after.as_ref(), PAGE).await?;
        for domain in &page {
            let text = shown::domain(domain);
            desk.output.print(&text, &shown::domain_object(domain))?;
        }
        match page.into_iter().last() {
            Some(last) => after = Some(last.domain),
            None => return Ok(()),
        }
    }
}

async fn tls(desk: &Desk, days: u64) -> Result<(), Failure> {
    let since = (desk.now / DAY).saturating_sub(days);
    let mut after: Option<TlsCount> = None;
    loop {
        let page = desk.store.tls_counts(since, after.as_ref(), PAGE).await?;
        for count in &page {
            desk.output
                .print(&shown::tls(count), &shown::tls_object(count))?;
        }
        match page.into_iter().last() {
            Some(last) => after = Some(last),
            None => return Ok(()),
        }
    }
}
