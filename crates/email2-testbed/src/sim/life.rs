//! What somebody does with the program: writes when there is something to write, and looks now
//! and then whether the outbox has something to try again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use email2::address::Address;
use email2::secret::SecretKey;
use email2_client::Client;
use email2_client::send::compose::{Letter as Draft, Source};
use email2_client::send::deliver::Trying;
use email2_client::send::outbox::Kind;
use email2_client::send::report::Unwatched;
use email2_client::send::{self, Author, Options, Way, deliver, settle};
use email2_io::{NetworkConfig, World};
use email2_store::QueueEntry;

use super::ledger::{Ledger, Letter};
use super::town::{self, Citizen};
use crate::failure::{Outcome, Step};

/// How long somebody sleeps who has nothing to do.
const LONG: Duration = Duration::from_secs(24 * 3600);

/// Somebody at work.
pub struct Life {
    client: Client,
    address: Address,
    key: Arc<SecretKey>,
    ledger: Ledger,
    /// How long after something was due the outbox is looked at, at the earliest.
    pause: Duration,
}

impl Life {
    /// Opens the program of `citizen`.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn begin(
        citizen: &Citizen,
        world: World,
        network: &NetworkConfig,
        ledger: Ledger,
        pause: Duration,
    ) -> Outcome<Life> {
        Ok(Life {
            client: town::open(&citizen.home, world, network)?,
            address: citizen.address.clone(),
            key: Arc::clone(&citizen.key),
            ledger,
            pause,
        })
    }

    /// Until the machine goes down.
    ///
    /// # Errors
    /// The store fails, which it does not here.
    pub async fn go_on(self) -> Outcome<()> {
        let clock = Arc::clone(&self.client.world().clock);
        loop {
            let due = self.look_after_outbox().await?;
            let next = self.ledger.next(&self.address);
            let now = clock.monotonic();
            if let Some(letter) = next.as_ref().filter(|letter| letter.at <= now) {
                self.write(letter).await?;
                continue;
            }
            let until_letter = next.map_or(LONG, |letter| letter.at - now);
            let until_due = due.map_or(LONG, |due| self.time_until(due).max(self.pause));
            clock.sleep(until_letter.min(until_due)).await;
        }
    }

    async fn write(&self, letter: &Letter) -> Outcome<()> {
        self.ledger.begin(letter);
        // Until the outbox has been looked at again.
        self.ledger.note_rest(&self.address, false);
        let draft = Draft {
            to: letter.to.iter().map(ToString::to_string).collect(),
            subject: letter.subject(),
            body: letter.body(),
            ..Draft::default()
        };
        let options = Options {
            encryption: letter.encryption,
            wait: letter.wait,
            way: match letter.by_server {
                true => Way::Server,
                false => Way::Direct,
            },
            ..Options::default()
        };
        let source = Source::Letter(draft);
        let sent = send::send(&self.client, &self.author(), source, &options, &Unwatched).await;
        match sent {
            Ok(reports) => reports
                .iter()
                .for_each(|report| self.ledger.tell(letter.number, report)),
            Err(error) => self.ledger.tell_failure(letter, &error.to_string()),
        }
        self.entries().await.map(drop)
    }

    fn time_until(&self, moment: u64) -> Duration {
        Duration::from_secs(moment.saturating_sub(self.client.world().now()))
    }

    /// What `email2` does before every command: whatever is due is tried. When the next entry is
    /// due, Unix seconds; `None` when there is none.
    async fn look_after_outbox(&self) -> Outcome<Option<u64>> {
        let entries = self.entries().await?;
        let due = deliver::due_now(&self.client).await.step("outbox")?;
        for entry in entries.iter().filter(|entry| due.contains(&entry.id)) {
            self.try_again(entry).await?;
        }
        let entries = self.entries().await?;
        let at_rest = !entries
            .iter()
            .any(|entry| settle::is_waiting(entry) && !is_copy(entry));
        self.ledger.note_rest(&self.address, at_rest);
        let waiting = entries.iter().filter(|entry| settle::is_waiting(entry));
        Ok(waiting.map(|entry| entry.next_attempt).min())
    }

    /// One entry at a time, so that it is known which letter a report is about.
    async fn try_again(&self, entry: &QueueEntry) -> Outcome<()> {
        let author = self.author();
        let ids = [entry.id];
        let how = Trying {
            way: Way::Direct,
            ..Trying::default()
        };
        let reports = deliver::until(&self.client, Some(&author), &ids, how, &Unwatched);
        let reports = reports.await.step("outbox")?;
        let number = self.ledger.letter_of(&self.address, &entry.group);
        let number = number.step("letter of an entry")?;
        if !is_copy(entry) {
            reports
                .iter()
                .for_each(|report| self.ledger.tell(number, report));
        }
        Ok(())
    }

    async fn entries(&self) -> Outcome<Vec<QueueEntry>> {
        let entries = self.client.store().entries().await.step("outbox")?;
        let groups: BTreeSet<_> = entries.iter().map(|entry| entry.group.clone()).collect();
        self.ledger.note_groups(&self.address, groups);
        Ok(entries)
    }

    fn author(&self) -> Author<'_> {
        Author {
            key: &self.key,
            address: &self.address,
        }
    }
}

fn is_copy(entry: &QueueEntry) -> bool {
    matches!(Kind::of(entry), Some(Kind::Copy { .. }))
}
