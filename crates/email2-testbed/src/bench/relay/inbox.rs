//! Where mail arrives, and when.

use std::path::PathBuf;
use std::time::Duration;

use email2_io::world::World;
use email2_store::{AccountId, Store};

use crate::bench::script::Script;
use crate::bench::stage::{MAILBOXES, mailbox};
use crate::failure::{Failure, Outcome, Step};

/// How often it is looked at.
const PAUSE: Duration = Duration::from_millis(10);
/// How long all may take to arrive.
const PATIENCE: Duration = Duration::from_secs(240);

/// Where mail arrives.
pub(super) enum Inbox {
    /// The mailboxes of a server of ours, which runs.
    Ours(Store, Vec<AccountId>),
    /// A Maildir, whose files are counted.
    Folder(PathBuf),
}

impl Inbox {
    pub(super) async fn ours(store: Store) -> Outcome<Inbox> {
        let mut accounts = Vec::with_capacity(MAILBOXES);
        for number in 0..MAILBOXES {
            let account = store.account(&mailbox(number)?).await.step("account")?;
            accounts.push(account.step("account")?.id);
        }
        Ok(Inbox::Ours(store, accounts))
    }

    pub(super) fn folder(script: &Script) -> Inbox {
        Inbox::Folder(script.folder.join("mail/all/new"))
    }

    /// How many messages lie there.
    pub(super) async fn count(&self) -> Outcome<usize> {
        match self {
            Inbox::Ours(store, accounts) => {
                let mut count = 0;
                for account in accounts {
                    let inbox = store.mailbox(*account, "INBOX").await.step("INBOX")?;
                    count += inbox.step("INBOX")?.messages as usize;
                }
                Ok(count)
            }
            // Made with the first message.
            Inbox::Folder(folder) => Ok(std::fs::read_dir(folder).map_or(0, Iterator::count)),
        }
    }

    /// When each of `wanted` messages arrived that come to the `before` that lie there, ascending,
    /// monotonic time; as exact as it is looked at.
    pub(super) async fn watch(
        &self,
        world: &World,
        before: usize,
        wanted: usize,
    ) -> Outcome<Vec<Duration>> {
        let (mut arrived, began) = (Vec::with_capacity(wanted), world.clock.monotonic());
        while arrived.len() < wanted {
            let here = self.count().await?.saturating_sub(before).min(wanted);
            let now = world.clock.monotonic();
            if now - began > PATIENCE {
                return Err(Failure {
                    step: "arrival".to_owned(),
                    why: format!("{here} of {wanted} messages after {PATIENCE:?}"),
                });
            }
            arrived.resize(here.max(arrived.len()), now);
            world.clock.sleep(PAUSE).await;
        }
        Ok(arrived)
    }
}
