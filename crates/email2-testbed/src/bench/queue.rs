//! The server that carries mail on: a long queue, how soon a restart goes on with it, in order or
//! after a kill, how fast it goes out to another server of ours, and what memory that takes.

use std::time::Duration;

use email2::address::{Address, Identity, ReversePath};
use email2::limits;
use email2::seal::Role;
use email2_store::queue::{EntryFilter, NewEntry, QueueId, QueueRecipient, RecipientState};
use email2_store::{Opening, SpooledBody, Store};
use serde::Serialize;

use super::letters::{Letter, Text};
use super::stage::{MAILBOXES, Stage, mailbox};
use crate::failure::{Outcome, Step};

/// Entries that are put in at once.
const AT_ONCE: usize = 1000;
/// Octets of a message.
const OCTETS: usize = 2048;
/// How long a thousand deliveries may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often the recipients' mailboxes are looked at.
const PAUSE: Duration = Duration::from_millis(20);
/// When whatever a killed server had sent off has come to rest at the other.
const REST: Duration = Duration::from_millis(500);
/// Among so many of the oldest entries stand all that are under way.
const OLDEST: u32 = 1000;

/// What is to be measured.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Entries in the queue.
    pub entries: usize,
    /// Entries that have a message of their own, the first ones; the others share one.
    pub own: usize,
    /// Messages that are waited for, of the former.
    pub counted: usize,
}

/// What was measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Figures {
    /// Entries in the queue.
    pub entries: usize,
    /// Putting them in, entries a second.
    pub filled_per_second: f64,
    /// From the start of the server to the first message in its recipient's mailbox, seconds.
    pub first_after: f64,
    /// Messages a second that arrived, of [`Figures::counted`].
    pub delivered_per_second: f64,
    /// Messages that were waited for.
    pub counted: usize,
    /// Memory of the server then, octets.
    pub memory: u64,
    /// Deliveries that were cut off when it was killed after that.
    pub cut_off: usize,
    /// From its next start to the next message in its recipient's mailbox, seconds.
    pub first_after_kill: f64,
}

impl Figures {
    /// For people.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "queue of {}: filled with {:.0}/s, first delivery {:.2} s after the start, {:.0} \
             messages/s to the other server (over {}), {:.1} MiB of memory; killed with {} \
             deliveries under way, first delivery {:.2} s after the next start",
            self.entries,
            self.filled_per_second,
            self.first_after,
            self.delivered_per_second,
            self.counted,
            self.memory as f64 / (1024.0 * 1024.0),
            self.cut_off,
            self.first_after_kill
        )
    }
}

/// Measures a long queue.
///
/// # Errors
/// A server does not start, or does not deliver.
pub async fn measure(stage: &mut Stage, order: Order) -> Outcome<Figures> {
    let Order {
        entries, counted, ..
    } = order;
    let world = stage.testbed.world.clone();
    stage.stop_home()?;
    let mut receiver = stage.receive().await?;
    let filled = fill(stage, order).await?;
    let first = first_after_start(stage).await?;
    let began = world.clock.monotonic();
    arrived(stage, counted).await?;
    let delivering = world.clock.monotonic() - began;
    let memory = stage.home_memory()?;
    stage.kill_home()?;
    let cut_off = under_way(stage).await?;
    world.clock.sleep(REST).await;
    let first_after_kill = first_after_start(stage).await?;
    receiver.stop()?;
    Ok(Figures {
        entries,
        filled_per_second: entries as f64 / filled.as_secs_f64(),
        first_after: first.as_secs_f64(),
        delivered_per_second: counted as f64 / delivering.as_secs_f64(),
        counted,
        memory,
        cut_off,
        first_after_kill: first_after_kill.as_secs_f64(),
    })
}

/// Starts the server; how long it took until one message more had arrived.
async fn first_after_start(stage: &mut Stage) -> Outcome<Duration> {
    let clock = stage.testbed.world.clock.clone();
    let before = count(&receiving(stage)?).await?;
    let began = clock.monotonic();
    stage.start_home().await?;
    arrived(stage, before + 1).await?;
    Ok(clock.monotonic() - began)
}

/// Entries that somebody holds a claim on.
async fn under_way(stage: &Stage) -> Outcome<usize> {
    let now = stage.testbed.world.now();
    let store = Store::open(&stage.home_data(), Opening::Visit, now).step("store")?;
    let all = EntryFilter::default();
    let oldest = store.entries_after(QueueId(0), &all, OLDEST).await;
    let oldest = oldest.step("queue")?;
    let claimed = oldest.iter().filter(|entry| entry.leased_until.is_some());
    Ok(claimed.count())
}

/// Fills the queue; how long that took, without sealing.
async fn fill(stage: &Stage, Order { entries, own, .. }: Order) -> Outcome<Duration> {
    let world = &stage.testbed.world;
    let store = Store::open(&stage.home_data(), Opening::Visit, world.now()).step("store")?;
    let text = Text::new(&stage.sender.address, OCTETS)?;
    let mut taken = Duration::ZERO;
    let mut last: Option<(Address, SpooledBody)> = None;
    let mut put = 0;
    while put < entries {
        let mut batch = Vec::with_capacity(AT_ONCE);
        for number in put..entries.min(put + AT_ONCE) {
            // What is not waited for is the same message again and again.
            let (to, body) = match last.clone().filter(|_| number >= own) {
                Some(last) => last,
                None => {
                    let to = mailbox(number % MAILBOXES)?;
                    let letter = stage.sender.letter(world, &to, &text)?;
                    (to, spool(&store, &letter).await?)
                }
            };
            last = Some((to.clone(), body.clone()));
            batch.push(entry(stage, to, body));
        }
        put += batch.len();
        let began = world.clock.monotonic();
        store.enqueue(batch).await.step("queue")?;
        taken += world.clock.monotonic() - began;
    }
    Ok(taken)
}

async fn spool(store: &Store, letter: &Letter) -> Outcome<SpooledBody> {
    let content = letter.content.strip_suffix(b".\r\n").step("content")?;
    let mut writer = store.write_body().await.step("body")?;
    writer.push(&letter.seal).await.step("body")?;
    writer.push(content).await.step("body")?;
    writer.finish().await.step("body")
}

fn entry(stage: &Stage, to: Address, body: SpooledBody) -> NewEntry {
    let (now, from) = (stage.testbed.world.now(), &stage.sender.address);
    NewEntry {
        group: "bench".to_owned(),
        domain: to.domain().clone(),
        mail_from: ReversePath::Address(from.clone()),
        announced: Some((Role::Author, Identity::Address(from.clone()))),
        recipients: vec![QueueRecipient {
            address: to,
            etag: None,
            state: RecipientState::Waiting,
            reply: None,
        }],
        body,
        front: Vec::new(),
        details: String::new(),
        created: now,
        expires: now + limits::QUEUE_LIFETIME,
        next_attempt: now,
    }
}

/// Waits until so many messages are in the recipients' mailboxes.
async fn arrived(stage: &Stage, wanted: usize) -> Outcome<()> {
    let clock = &stage.testbed.world.clock;
    let (store, began) = (receiving(stage)?, clock.monotonic());
    while clock.monotonic() - began < PATIENCE {
        if count(&store).await? >= wanted {
            return Ok(());
        }
        clock.sleep(PAUSE).await;
    }
    None.step(format!("{wanted} messages"))
}

/// The store of the server that receives.
fn receiving(stage: &Stage) -> Outcome<Store> {
    let data = stage.receiver.folder.join("data");
    Store::open(&data, Opening::Visit, stage.testbed.world.now()).step("store")
}

/// Messages in the recipients' mailboxes.
async fn count(store: &Store) -> Outcome<usize> {
    let mut found = 0;
    for number in 0..MAILBOXES {
        let account = store.account(&mailbox(number)?).await.step("account")?;
        let id = account.step("account")?.id;
        let inbox = store.mailbox(id, "INBOX").await.step("INBOX")?;
        found += inbox.step("INBOX")?.messages as usize;
    }
    Ok(found)
}
