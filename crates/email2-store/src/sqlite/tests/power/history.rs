//! The history of one seed: a store lives on a disk that loses power again and again, and
//! after each time it must hold everything that was acknowledged, exactly once, and of what
//! was under way all or nothing.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::cast::{LETTERS, cast, open, owner};
use super::disk::{Image, Power, PowerDisk};
use super::examine::{Wrong, check, examine};
use super::expected::{ACCOUNTS, Answer, Expected, Flag, Incoming, LEASE, Letter, Op};
use super::platter::{Lies, Plan};
use super::work::Worker;
use crate::account::{Accounts, NewAccount};
use crate::conformance::NOW;
use crate::error::StoreError;
use crate::sqlite::SqliteStore;

/// How often the power goes in one history.
const TIMES: usize = 2;

/// What is put under test: the store as it is, or something that must be found out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) lies: Lies,
    pub(crate) synchronous: &'static str,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Something acknowledged is not there.
    Lost(String),
    /// Something is there twice.
    Duplicated(String),
    /// It is otherwise not what it must be.
    Wrong(String),
}

struct History {
    rng: ChaCha8Rng,
    expected: Expected,
    /// Handed in and never answered: all of it happened, or nothing.
    under_way: Vec<Op>,
    has_accounts: bool,
    now: u64,
}

/// Lives through the history of a seed.
pub(crate) fn live(seed: u64, subject: Subject) -> Result<(), Finding> {
    let mut history = History {
        rng: ChaCha8Rng::seed_from_u64(seed),
        expected: Expected::default(),
        under_way: Vec::new(),
        has_accounts: true,
        now: NOW,
    };
    let mut image = cast().image.clone();
    if history.below(16) == 0 {
        (image, history.has_accounts) = (Image::empty(), false);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for time in 0..=TIMES {
        let is_last = time == TIMES;
        let plan = history.plan(subject, is_last);
        let disk = image.start(plan.clone(), history.rng.next_u64());
        let lived = match open(&disk, subject.synchronous) {
            Ok(store) => runtime.block_on(history.round(&store, &disk, is_last)),
            Err(error) => excuse(&disk, &plan, &error),
        };
        image = disk.lose_power();
        lived?;
    }
    Ok(())
}

/// A store need not open while its disk fails.
fn excuse(disk: &PowerDisk, plan: &Plan, error: &StoreError) -> Result<(), Finding> {
    let fails = !plan.full.is_empty() || plan.sync_fails_from.is_some();
    match error {
        _ if disk.is_out() => Ok(()),
        StoreError::Full | StoreError::Io { .. } | StoreError::Stopped(_) if fails => Ok(()),
        error => {
            let said = error
                .to_string()
                .replace(&disk.directory().display().to_string(), "");
            Err(Finding::Wrong(format!("it does not open: {said}")))
        }
    }
}

/// Adds those accounts that are not there.
pub(crate) async fn add_accounts(store: &SqliteStore) -> Result<(), StoreError> {
    for number in 0..ACCOUNTS {
        if store.account(&owner(number)).await?.is_none() {
            let new = NewAccount {
                address: owner(number),
                quota: None,
                strict: false,
                unlisted: false,
            };
            store.add_account(&new, NOW).await?;
        }
    }
    Ok(())
}

impl History {
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.next_u32()).unwrap() % bound
    }

    fn plan(&mut self, subject: Subject, is_last: bool) -> Plan {
        let mut plan = Plan {
            lies: subject.lies,
            ..Plan::default()
        };
        if is_last {
            return plan;
        }
        let at = |number: usize| number as u64;
        match self.below(20) {
            0..=1 => {}
            2..=4 => {
                let begin = at(5 + self.below(80));
                plan.full = begin..begin + at(1 + self.below(30));
                plan.out_at = Some(plan.full.end + at(1 + self.below(60)));
            }
            5..=7 => plan.sync_fails_from = Some(at(5 + self.below(100))),
            _ => plan.out_at = Some(at(1 + self.below(180))),
        }
        plan
    }

    async fn round(
        &mut self,
        store: &SqliteStore,
        disk: &Arc<PowerDisk>,
        is_last: bool,
    ) -> Result<(), Finding> {
        let had = self.has_accounts;
        match (Worker::find(store).await, had) {
            (Err(StoreError::NotFound(_)), false) | (Ok(_), _) => {}
            (Err(_), _) if disk.is_out() => return Ok(()),
            (Err(error), _) => return Err(Finding::Lost(error.to_string())),
        }
        if !had && add_accounts(store).await.is_err() {
            return Ok(());
        }
        self.has_accounts = true;
        let worker = match Worker::find(store).await {
            Ok(worker) => worker,
            Err(_) if disk.is_out() => return Ok(()),
            Err(error) => return Err(Finding::Lost(error.to_string())),
        };
        self.look(&worker, disk).await?;
        if is_last {
            let checked = check(&worker, &Power(Arc::clone(disk))).await;
            return checked.map_err(Finding::Wrong);
        }
        let groups = 3 + self.below(6);
        for _ in 0..groups {
            if !self.group(&worker, disk).await? {
                break;
            }
        }
        Ok(())
    }

    /// Looks at everything; what was under way is decided then.
    async fn look(&mut self, worker: &Worker<'_>, disk: &PowerDisk) -> Result<(), Finding> {
        let found = examine(worker).await;
        if disk.is_out() {
            return Ok(());
        }
        let found = found.map_err(|wrong: Wrong| Finding::Wrong(wrong))?;
        let mut after = self.expected.clone();
        for op in std::mem::take(&mut self.under_way) {
            after.apply(&op);
        }
        if found == after {
            self.expected = after.clone();
        }
        match found == self.expected {
            true => Ok(()),
            false => Err(classify(&found, &self.expected, &after)),
        }
    }

    /// Some changes in one commit. `false`: the store takes no more.
    async fn group(&mut self, worker: &Worker<'_>, disk: &PowerDisk) -> Result<bool, Finding> {
        let (mut ops, mut ready) = (Vec::new(), Vec::new());
        let mut after = self.expected.clone();
        for _ in 0..=self.below(4) {
            let op = self.op(&after);
            match worker.prepare(&op).await {
                Ok(prepared) => ready.push(prepared),
                Err(StoreError::Full) => continue,
                Err(_) => return Ok(false),
            }
            after.apply(&op);
            ops.push(op);
        }
        let answers = worker.together(ready).await;
        let goes_on = self.judge(ops, answers)?;
        worker.settle_down().await;
        if goes_on && self.below(6) == 0 {
            self.look(worker, disk).await?;
        }
        Ok(goes_on)
    }

    /// Compares what was answered with what must be; what was not answered is under way.
    fn judge(
        &mut self,
        ops: Vec<Op>,
        answers: Vec<Result<Answer, StoreError>>,
    ) -> Result<bool, Finding> {
        let mut goes_on = true;
        for (op, answer) in ops.into_iter().zip(answers) {
            match answer {
                Ok(answer) => {
                    let must = self.expected.apply(&op);
                    if answer != must {
                        let said = format!("{op:?}: {answer:?} instead of {must:?}");
                        return Err(Finding::Wrong(said));
                    }
                }
                Err(StoreError::Full) => {}
                Err(StoreError::Io { .. } | StoreError::Stopped(_)) => {
                    goes_on = false;
                    self.under_way.push(op);
                }
                Err(other) => return Err(Finding::Wrong(format!("{op:?}: {other}"))),
            }
        }
        Ok(goes_on)
    }

    fn op(&mut self, expected: &Expected) -> Op {
        let account = self.below(ACCOUNTS);
        match self.below(16) {
            0..=6 => Op::Deliver((0..=self.below(4)).map(|_| self.incoming()).collect()),
            7..=8 => self.flag(expected, account),
            9 => Op::Expunge { account },
            10..=11 => Op::Enqueue((0..=self.below(2)).map(|_| self.below(LETTERS)).collect()),
            12 => {
                self.now += 20 * self.below(2) as u64 + LEASE * (self.below(3) as u64 / 2);
                Op::Claim {
                    limit: 1 + u32::from(self.below(2) == 0),
                    now: self.now,
                }
            }
            13..=14 => self.settle(expected),
            _ => Op::Publish {
                version: self.below(cast().versions.len()),
            },
        }
    }

    fn incoming(&mut self) -> Incoming {
        Incoming {
            account: self.below(ACCOUNTS),
            letter: Letter {
                nonce: self.below(LETTERS),
                text: usize::from(self.below(8) == 0),
            },
            direct: self.below(3) > 0,
        }
    }

    fn flag(&mut self, expected: &Expected, account: usize) -> Op {
        let there: Vec<u32> = expected.inboxes[account].messages.keys().copied().collect();
        let mut uids: Vec<u32> = there.into_iter().filter(|_| self.below(3) == 0).collect();
        uids.truncate(3);
        let flag = [Flag::Seen, Flag::Unseen, Flag::Deleted][self.below(3)];
        Op::Flag {
            account,
            uids,
            flag,
        }
    }

    /// Settles what is claimed, sometimes by a claim that was lost.
    fn settle(&mut self, expected: &Expected) -> Op {
        let claimed = expected.queue.iter().filter(|(_, entry)| entry.epoch > 0);
        let claimed: Vec<(i64, u64)> = claimed.map(|(id, entry)| (*id, entry.epoch)).collect();
        let finished = self.below(2) == 0;
        if claimed.is_empty() {
            return Op::Claim {
                limit: 2,
                now: self.now,
            };
        }
        let (id, epoch) = claimed[self.below(claimed.len())];
        let lost = u64::from(self.below(5) == 0);
        Op::Settle {
            id,
            epoch: epoch - lost,
            finished,
        }
    }
}

/// Says what is missing and what is there twice.
fn classify(found: &Expected, before: &Expected, after: &Expected) -> Finding {
    for account in 0..ACCOUNTS {
        let letters = |of: &Expected| {
            let kept = of.inboxes[account].messages.values();
            kept.filter_map(|kept| kept.letter).collect::<Vec<_>>()
        };
        let (is, was) = (letters(found), letters(before));
        let twice = is
            .iter()
            .find(|letter| is.iter().filter(|other| other == letter).count() > 1);
        if let Some(twice) = twice {
            return Finding::Duplicated(format!("{twice:?} for {}", owner(account)));
        }
        let gone = was.iter().find(|letter| !is.contains(letter));
        if let Some(gone) = gone.filter(|gone| letters(after).contains(gone)) {
            return Finding::Lost(format!("{gone:?} for {}", owner(account)));
        }
    }
    if let Some(entry) = before.queue.keys().find(|id| !found.queue.contains_key(id))
        && after.queue.contains_key(entry)
    {
        return Finding::Lost(format!("queue entry {entry}"));
    }
    Finding::Wrong(format!(
        "found {found:?}\ninstead of {before:?}\nor {after:?}"
    ))
}
