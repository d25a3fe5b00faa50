//! Does changes with the real store, many in one commit.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::mpsc::channel;
use std::task::Poll;

use email2::{Domain, ReversePath};

use super::cast::{cast, owner};
use super::expected::{Answer, Delivered, Flag, Incoming, LEASE, Letter, Op};
use crate::account::Accounts;
use crate::body::{Bodies, SpooledBody};
use crate::certificate::{Certificates, Replaces};
use crate::conformance::NOW;
use crate::error::StoreError;
use crate::mailbox::{INBOX, MailboxId, Mailboxes};
use crate::message::{Delivery, FlagAction, FlagChange, Flags, Generate, Messages, Outcome};
use crate::provenance::Generated;
use crate::queue::{NewEntry, Queue, QueueId, QueueRecipient, RecipientState, Settlement};
use crate::sqlite::SqliteStore;
use crate::{Account, AccountId};

type Doing<'a> = Pin<Box<dyn Future<Output = Result<Answer, StoreError>> + 'a>>;

/// A store and who has mail in it.
pub(crate) struct Worker<'a> {
    pub(crate) store: &'a SqliteStore,
    pub(crate) accounts: Vec<Account>,
    pub(crate) inboxes: Vec<MailboxId>,
}

/// A change whose octets are spooled.
pub(crate) enum Ready {
    Deliver(Vec<Delivery>),
    Enqueue(Vec<NewEntry>),
    Settle(Settlement),
    Other(Op),
}

impl<'a> Worker<'a> {
    /// Finds the accounts.
    pub(crate) async fn find(store: &'a SqliteStore) -> Result<Worker<'a>, StoreError> {
        let (mut accounts, mut inboxes) = (Vec::new(), Vec::new());
        for number in 0..super::expected::ACCOUNTS {
            let missing = || StoreError::NotFound(format!("account {}", owner(number)));
            let account = store.account(&owner(number)).await?.ok_or_else(missing)?;
            let inbox = store.mailbox(account.id, INBOX).await?;
            inboxes.push(inbox.ok_or_else(missing)?.id);
            accounts.push(account);
        }
        Ok(Worker {
            store,
            accounts,
            inboxes,
        })
    }

    fn id(&self, account: usize) -> AccountId {
        self.accounts[account].id
    }

    async fn spool(&self, octets: &[u8]) -> Result<SpooledBody, StoreError> {
        let mut writer = self.store.write_body().await?;
        for chunk in octets.chunks(9_000) {
            writer.push(chunk).await?;
        }
        writer.finish().await
    }

    /// Brings the octets of a change to the disk.
    pub(crate) async fn prepare(&self, op: &Op) -> Result<Ready, StoreError> {
        match op {
            Op::Deliver(all) => Ok(Ready::Deliver(self.deliveries(all).await?)),
            Op::Enqueue(nonces) => {
                let mut entries = Vec::new();
                for nonce in nonces {
                    let body = self.spool(&cast().letters[&(*nonce, 0)].octets).await?;
                    entries.push(entry(*nonce, body));
                }
                Ok(Ready::Enqueue(entries))
            }
            Op::Settle {
                id,
                epoch,
                finished,
            } => Ok(Ready::Settle(
                self.settlement(*id, *epoch, *finished).await?,
            )),
            other => Ok(Ready::Other(other.clone())),
        }
    }

    /// Recipients of one message share its octets.
    async fn deliveries(&self, all: &[Incoming]) -> Result<Vec<Delivery>, StoreError> {
        let mut bodies: BTreeMap<(Letter, usize), SpooledBody> = BTreeMap::new();
        let mut copies: BTreeMap<(Letter, usize), usize> = BTreeMap::new();
        let mut deliveries = Vec::new();
        for incoming in all {
            let Incoming {
                account,
                letter,
                direct,
            } = *incoming;
            let prepared = &cast().letters[&(letter.nonce, letter.text)];
            let copy = copies.entry((letter, account)).or_default();
            *copy += 1;
            let known = bodies.get(&(letter, *copy)).cloned();
            let body = match known {
                Some(body) => body,
                None => self.spool(&prepared.octets).await?,
            };
            bodies.insert((letter, *copy), body.clone());
            let accepted = if direct {
                &prepared.direct
            } else {
                &prepared.hop
            };
            deliveries.push(Delivery {
                account: self.id(account),
                mailbox: INBOX.to_owned(),
                accepted: accepted.clone(),
                trace: super::TRACE.to_vec(),
                body,
                received: NOW,
            });
        }
        Ok(deliveries)
    }

    async fn settlement(
        &self,
        id: i64,
        epoch: u64,
        finished: bool,
    ) -> Result<Settlement, StoreError> {
        let mut reports = Vec::new();
        if finished {
            reports.push(Generate {
                door: Generated::by(Domain::parse("example.com").unwrap()),
                account: self.id(0),
                mailbox: INBOX.to_owned(),
                body: self.spool(super::REPORT).await?,
                received: NOW,
            });
        }
        Ok(Settlement {
            recipients: vec![recipient(RecipientState::Delivered)],
            next_attempt: Some(NOW + 10 * epoch),
            finished,
            reports,
            ..Settlement::of(QueueId(id), epoch, NOW)
        })
    }

    fn start(&self, ready: Ready) -> Doing<'_> {
        match ready {
            Ready::Deliver(all) => Box::pin(async move {
                let outcomes = self.store.deliver(all).await?;
                Ok(Answer::Delivered(outcomes.iter().map(delivered).collect()))
            }),
            Ready::Enqueue(entries) => Box::pin(async move {
                let ids = self.store.enqueue(entries).await?;
                Ok(Answer::Enqueued(ids.iter().map(|id| id.0).collect()))
            }),
            Ready::Settle(settlement) => Box::pin(async move {
                let settled = self.store.settle(vec![settlement]).await?;
                Ok(Answer::Settled(settled[0]))
            }),
            Ready::Other(op) => Box::pin(self.other(op)),
        }
    }

    async fn other(&self, op: Op) -> Result<Answer, StoreError> {
        match op {
            Op::Flag {
                account,
                uids,
                flag,
            } => self.flag(account, uids, flag).await,
            Op::Expunge { account } => {
                let gone = self.store.expunge(self.inboxes[account], None).await?;
                Ok(Answer::Expunged(gone))
            }
            Op::Claim { limit, now } => {
                let claimed = self.store.claim(now, LEASE, limit).await?;
                let claimed = claimed.iter().map(|claim| (claim.entry.id.0, claim.epoch));
                Ok(Answer::Claimed(claimed.collect()))
            }
            Op::Publish { version } => {
                let version = cast().versions[version].clone();
                let kept = self.store.publish(version, Replaces::Keep, NOW).await?;
                Ok(Answer::Published(kept))
            }
            Op::Deliver(_) | Op::Enqueue(_) | Op::Settle { .. } => unreachable!("spooled"),
        }
    }

    async fn flag(&self, account: usize, uids: Vec<u32>, flag: Flag) -> Result<Answer, StoreError> {
        let change = FlagChange {
            uids,
            action: match flag {
                Flag::Seen | Flag::Deleted => FlagAction::Add,
                Flag::Unseen => FlagAction::Remove,
            },
            flags: Flags {
                seen: flag != Flag::Deleted,
                deleted: flag == Flag::Deleted,
                ..Flags::default()
            },
            unchanged_since: None,
        };
        let changed = self
            .store
            .change_flags(self.inboxes[account], change)
            .await?;
        let changed = changed.iter().map(|message| (message.uid, message.modseq));
        Ok(Answer::Flagged(changed.collect()))
    }

    /// All in one commit: the writer is held up until all are handed in. What each was
    /// answered, in order.
    pub(crate) async fn together(&self, all: Vec<Ready>) -> Vec<Result<Answer, StoreError>> {
        let (entered, is_in) = channel();
        let (open, gate) = channel::<()>();
        let mut hold = Box::pin(self.store.write(move |_| {
            let _ = entered.send(());
            let _ = gate.recv();
            Ok(())
        }));
        let mut doing: Vec<Doing<'_>> = all.into_iter().map(|ready| self.start(ready)).collect();
        let mut answers: Vec<Option<Result<Answer, StoreError>>> = Vec::new();
        answers.resize_with(doing.len(), || None);
        let mut held = None;
        let mut open = Some(open);
        poll_fn(|context| {
            if held.is_none()
                && let Poll::Ready(result) = hold.as_mut().poll(context)
            {
                held = Some(result);
            }
            if open.is_some() {
                // Dropped unsent when the store has stopped.
                let _ = is_in.recv();
            }
            for (doing, answer) in doing.iter_mut().zip(&mut answers) {
                if answer.is_none()
                    && let Poll::Ready(result) = doing.as_mut().poll(context)
                {
                    *answer = Some(result);
                }
            }
            drop(open.take());
            match held.is_some() && answers.iter().all(Option::is_some) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
        answers.into_iter().flatten().collect()
    }

    /// Waits until the writer does nothing any more: after a commit it may move the log.
    pub(crate) async fn settle_down(&self) {
        // Whether it still accepts does not matter.
        let _ = self.store.write(|_| Ok(())).await;
    }
}

fn recipient(state: RecipientState) -> QueueRecipient {
    QueueRecipient {
        address: owner(1),
        etag: None,
        state,
        reply: None,
    }
}

fn entry(nonce: usize, body: SpooledBody) -> NewEntry {
    NewEntry {
        group: format!("{nonce}"),
        domain: Domain::parse("example.com").unwrap(),
        mail_from: ReversePath::Address(owner(0)),
        announced: None,
        recipients: vec![recipient(RecipientState::Waiting)],
        body,
        front: Vec::new(),
        details: String::new(),
        created: NOW,
        expires: NOW + 1000,
        next_attempt: NOW,
    }
}

fn delivered(outcome: &Outcome) -> Delivered {
    match outcome {
        Outcome::Stored { uid, replaced, .. } => Delivered::Stored {
            uid: *uid,
            replaced: *replaced,
        },
        Outcome::Duplicate => Delivered::Duplicate,
        Outcome::DifferentContent => Delivered::DifferentContent,
        other => panic!("{other:?}"),
    }
}
