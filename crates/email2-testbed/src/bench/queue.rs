//! The server that carries mail on: a long queue, how soon a restart goes on with it, how fast it
//! goes out to another server of ours, and what memory that takes.

use std::time::Duration;

use email2::address::{Address, Identity, ReversePath};
use email2::limits;
use email2::seal::Role;
use email2_store::queue::{NewEntry, QueueRecipient, RecipientState};
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
}

impl Figures {
    /// For people.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "queue of {}: filled with {:.0}/s, first delivery {:.2} s after the start, {:.0} \
             messages/s to the other server (over {}), {:.1} MiB of memory",
            self.entries,
            self.filled_per_second,
            self.first_after,
            self.delivered_per_second,
            self.counted,
            self.memory as f64 / (1024.0 * 1024.0)
        )
    }
}

/// Measures a queue of `entries` messages, of which the first `counted` are waited for.
///
/// # Errors
/// A server does not start, or does not deliver.
pub async fn measure(stage: &mut Stage, entries: usize, counted: usize) -> Outcome<Figures> {
    let counted = counted.clamp(1, entries.max(1));
    let world = stage.testbed.world.clone();
    stage.stop_home()?;
    let mut receiver = stage.receive().await?;
    let filled = fill(stage, entries, counted).await?;
    let began = world.clock.monotonic();
    stage.start_home().await?;
    arrived(stage, 1).await?;
    let first = world.clock.monotonic() - began;
    let began = world.clock.monotonic();
    arrived(stage, counted).await?;
    let delivering = world.clock.monotonic() - began;
    let memory = stage.home_memory()?;
    receiver.stop()?;
    Ok(Figures {
        entries,
        filled_per_second: entries as f64 / filled.as_secs_f64(),
        first_after: first.as_secs_f64(),
        delivered_per_second: counted as f64 / delivering.as_secs_f64(),
        counted,
        memory,
    })
}

/// Fills the queue; how long that took, without sealing.
async fn fill(stage: &Stage, entries: usize, counted: usize) -> Outcome<Duration> {
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
            let (to, body) = match last.clone().filter(|_| number >= counted) {
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
    let world = &stage.testbed.world;
    let data = stage.receiver.folder.join("data");
    let store = Store::open(&data, Opening::Visit, world.now()).step("store")?;
    let began = world.clock.monotonic();
    while world.clock.monotonic() - began < PATIENCE {
        let mut found = 0;
        for number in 0..MAILBOXES {
            let account = store.account(&mailbox(number)?).await.step("account")?;
            let id = account.step("account")?.id;
            let inbox = store.mailbox(id, "INBOX").await.step("INBOX")?;
            found += inbox.step("INBOX")?.messages as usize;
        }
        if found >= wanted {
            return Ok(());
        }
        world.clock.sleep(PAUSE).await;
    }
    None.step(format!("{wanted} messages"))
}
