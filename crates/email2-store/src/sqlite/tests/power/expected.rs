//! What must be there, worked out without a store: every acknowledged change, exactly once.

use std::collections::{BTreeMap, BTreeSet};

use crate::conformance::NOW;

/// For how long the queue's entries are claimed, seconds.
pub(crate) const LEASE: u64 = 60;

/// Accounts.
pub(crate) const ACCOUNTS: usize = 2;

/// One of the prepared messages: two texts under one seal's nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Letter {
    pub(crate) nonce: usize,
    pub(crate) text: usize,
}

/// One delivery.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming {
    pub(crate) account: usize,
    pub(crate) letter: Letter,
    /// It came from its author, not by an ordinary hop.
    pub(crate) direct: bool,
}

/// One change of the store.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Deliver(Vec<Incoming>),
    /// Sets `\Seen` or `\Deleted`, or takes `\Seen` away.
    Flag {
        account: usize,
        uids: Vec<u32>,
        flag: Flag,
    },
    Expunge {
        account: usize,
    },
    Enqueue(Vec<usize>),
    Claim {
        limit: u32,
        now: u64,
    },
    Settle {
        id: i64,
        epoch: u64,
        finished: bool,
    },
    Publish {
        version: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    Seen,
    Unseen,
    Deleted,
}

/// What the store must answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Delivered(Vec<Delivered>),
    Flagged(Vec<(u32, u64)>),
    Expunged(Vec<u32>),
    Enqueued(Vec<i64>),
    Claimed(Vec<(i64, u64)>),
    Settled(bool),
    Published(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    Stored { uid: u32, replaced: bool },
    Duplicate,
    DifferentContent,
}

/// A message as it must be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// `None`: a report.
    pub(crate) letter: Option<Letter>,
    pub(crate) modseq: u64,
    pub(crate) seen: bool,
    pub(crate) deleted: bool,
}

/// An INBOX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inbox {
    pub(crate) uid_next: u32,
    pub(crate) modseq: u64,
    pub(crate) messages: BTreeMap<u32, Kept>,
    pub(crate) vanished: BTreeSet<u32>,
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            uid_next: 1,
            modseq: 1,
            messages: BTreeMap::new(),
            vanished: BTreeSet::new(),
        }
    }
}

/// A seal that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) text: usize,
    pub(crate) direct: bool,
}

/// An entry of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) nonce: usize,
    pub(crate) attempts: u32,
    pub(crate) epoch: u64,
    pub(crate) leased_until: Option<u64>,
    pub(crate) next_attempt: u64,
    pub(crate) delivered: bool,
}

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) inboxes: [Inbox; ACCOUNTS],
    pub(crate) seals: BTreeMap<(usize, usize), Remembered>,
    pub(crate) queue: BTreeMap<i64, Entry>,
    pub(crate) versions: Vec<usize>,
    /// The highest number that an entry ever had.
    pub(crate) last_entry: i64,
}

impl Inbox {
    fn modseq(&mut self) -> u64 {
        self.modseq += 1;
        self.modseq
    }

    fn store(&mut self, letter: Option<Letter>) -> u32 {
        let uid = self.uid_next;
        self.uid_next += 1;
        let kept = Kept {
            letter,
            modseq: self.modseq(),
            seen: false,
            deleted: false,
        };
        self.messages.insert(uid, kept);
        uid
    }

    fn vanish(&mut self, uid: u32) {
        self.modseq();
        self.messages.remove(&uid);
        self.vanished.insert(uid);
    }

    fn uids(&self, wanted: impl Fn(&Kept) -> bool) -> Vec<u32> {
        let found = self.messages.iter().filter(|(_, kept)| wanted(kept));
        found.map(|(uid, _)| *uid).collect()
    }
}

impl Expected {
    /// Does it; what the store must answer.
    pub(crate) fn apply(&mut self, op: &Op) -> Answer {
        match op {
            Op::Deliver(all) => {
                Answer::Delivered(all.iter().map(|incoming| self.deliver(incoming)).collect())
            }
            Op::Flag {
                account,
                uids,
                flag,
            } => Answer::Flagged(self.flag(*account, uids, *flag)),
            Op::Expunge { account } => {
                let inbox = &mut self.inboxes[*account];
                let uids = inbox.uids(|kept| kept.deleted);
                uids.iter().for_each(|uid| inbox.vanish(*uid));
                Answer::Expunged(uids)
            }
            Op::Enqueue(letters) => {
                Answer::Enqueued(letters.iter().map(|nonce| self.enqueue(*nonce)).collect())
            }
            Op::Claim { limit, now } => Answer::Claimed(self.claim(*limit, *now)),
            Op::Settle {
                id,
                epoch,
                finished,
            } => Answer::Settled(self.settle(*id, *epoch, *finished)),
            Op::Publish { version } => {
                if self.versions.last() != Some(version) {
                    self.versions.push(*version);
                }
                Answer::Published(true)
            }
        }
    }

    fn deliver(&mut self, incoming: &Incoming) -> Delivered {
        let Incoming {
            account,
            letter,
            direct,
        } = *incoming;
        let key = (account, letter.nonce);
        let before = self.seals.get(&key).copied();
        match before {
            Some(before) if before.text != letter.text => return Delivered::DifferentContent,
            Some(before) if before.direct || !direct => return Delivered::Duplicate,
            _ => {}
        }
        let text = letter.text;
        self.seals.insert(key, Remembered { text, direct });
        let inbox = &mut self.inboxes[account];
        // A copy that came a worse way goes, wherever it stands.
        let worse = inbox.uids(|kept| kept.letter == Some(letter));
        let uid = inbox.store(Some(letter));
        worse.iter().for_each(|uid| inbox.vanish(*uid));
        Delivered::Stored {
            uid,
            replaced: before.is_some(),
        }
    }

    fn flag(&mut self, account: usize, uids: &[u32], flag: Flag) -> Vec<(u32, u64)> {
        let inbox = &mut self.inboxes[account];
        let mut changed = Vec::new();
        for uid in uids {
            let Some(mut kept) = inbox.messages.get(uid).copied() else {
                continue;
            };
            let before = kept;
            match flag {
                Flag::Seen => kept.seen = true,
                Flag::Unseen => kept.seen = false,
                Flag::Deleted => kept.deleted = true,
            }
            if kept != before {
                kept.modseq = inbox.modseq();
            }
            inbox.messages.insert(*uid, kept);
            changed.push((*uid, kept.modseq));
        }
        changed
    }

    fn enqueue(&mut self, nonce: usize) -> i64 {
        self.last_entry += 1;
        let entry = Entry {
            nonce,
            attempts: 0,
            epoch: 0,
            leased_until: None,
            next_attempt: NOW,
            delivered: false,
        };
        self.queue.insert(self.last_entry, entry);
        self.last_entry
    }

    fn claim(&mut self, limit: u32, now: u64) -> Vec<(i64, u64)> {
        let due_at = |entry: &Entry| entry.leased_until.unwrap_or(entry.next_attempt);
        let is_leased = |entry: &&Entry| entry.leased_until.is_some_and(|until| until > now);
        // They are all for one domain, which never took anything.
        let leased = self.queue.values().filter(is_leased).count();
        let room = 1_usize.saturating_sub(leased);
        let due = self.queue.iter().filter(|(_, entry)| due_at(entry) <= now);
        let mut due: Vec<(u64, i64)> = due.map(|(id, entry)| (due_at(entry), *id)).collect();
        due.sort_unstable();
        due.truncate(room.min(limit as usize));
        let mut claimed = Vec::new();
        for (_, id) in due {
            let entry = self.queue.get_mut(&id).unwrap();
            entry.epoch += 1;
            entry.attempts += 1;
            entry.leased_until = Some(now + LEASE);
            claimed.push((id, entry.epoch));
        }
        claimed
    }

    /// A finished entry goes, and a report comes into the first INBOX.
    fn settle(&mut self, id: i64, epoch: u64, finished: bool) -> bool {
        let claimed = |entry: &&mut Entry| entry.epoch == epoch && entry.leased_until.is_some();
        let Some(entry) = self.queue.get_mut(&id).filter(claimed) else {
            return false;
        };
        entry.leased_until = None;
        entry.next_attempt = NOW + 10 * epoch;
        entry.delivered = true;
        if finished {
            self.queue.remove(&id);
            self.inboxes[0].store(None);
        }
        true
    }
}
