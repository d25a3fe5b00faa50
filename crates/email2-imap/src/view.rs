//! A selected mailbox as its client knows it: which message has which number.
//!
//! Numbers move only when the client is told; what others do to the mailbox
//! waits until then (RFC 9051 §5.5, §7.5.1).

use crate::grammar::{Bad, Parsed};
use crate::request::{Changes, MailboxKey, MessageInfo};
use crate::sequence_set::SequenceSet;
use crate::writer::{Writer, flags};

/// How a command names messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// By their place in the mailbox.
    Sequence,
    /// By UID.
    Uid,
}

/// A message that the client knows of.
#[derive(Clone, Copy, Debug)]
struct Known {
    uid: u32,
    /// What the client was told last.
    modseq: u64,
}

/// A selected mailbox.
#[derive(Debug)]
pub(crate) struct View {
    /// The driver's name for it.
    pub(crate) mailbox: MailboxKey,
    /// Selected by EXAMINE.
    pub(crate) read_only: bool,
    since: u64,
    known: Vec<Known>,
    vanished: Vec<u32>,
}

impl View {
    /// A mailbox with these messages, as of modification sequence `since`.
    pub(crate) fn new(
        mailbox: MailboxKey,
        read_only: bool,
        since: u64,
        messages: &[MessageInfo],
    ) -> Self {
        Self {
            mailbox,
            read_only,
            since,
            known: messages.iter().map(known).collect(),
            vanished: Vec::new(),
        }
    }

    /// From where changes are news.
    pub(crate) fn since(&self) -> u64 {
        self.since
    }

    /// The place of a message, from 1.
    pub(crate) fn sequence_of(&self, uid: u32) -> Option<usize> {
        self.index_of(uid).map(|index| index + 1)
    }

    fn index_of(&self, uid: u32) -> Option<usize> {
        self.known
            .binary_search_by_key(&uid, |known| known.uid)
            .ok()
    }

    /// The UIDs that a set names, ascending. UIDs that nobody has are left out;
    /// a place beyond the last is an error.
    pub(crate) fn resolve(&self, set: &SequenceSet, numbers: Numbers) -> Parsed<Vec<u32>> {
        let count = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        let largest = match numbers {
            Numbers::Sequence => count,
            Numbers::Uid => self.known.last().map_or(0, |known| known.uid),
        };
        let ranges = set.ranges(largest);
        if numbers == Numbers::Sequence && ranges.largest() > count.max(1) {
            return Err(Bad("there is no message of that number"));
        }
        let named = |(place, known): &(u32, &Known)| match numbers {
            Numbers::Sequence => ranges.contains(*place),
            Numbers::Uid => ranges.contains(known.uid),
        };
        let found = (1..).zip(&self.known).filter(named);
        Ok(found.map(|(_, known)| known.uid).collect())
    }

    /// All UIDs.
    pub(crate) fn uids(&self) -> Vec<u32> {
        self.known.iter().map(|known| known.uid).collect()
    }

    /// The client is being told the state of this message.
    pub(crate) fn told(&mut self, message: &MessageInfo) {
        let index = self.index_of(message.uid);
        if let Some(known) = index.and_then(|index| self.known.get_mut(index)) {
            known.modseq = known.modseq.max(message.modseq);
        }
    }

    /// Tells the client what changed. Numbers move only when `may_expunge`.
    pub(crate) fn tell(&mut self, changes: &Changes, may_expunge: bool, out: &mut Writer) {
        self.since = self.since.max(changes.highest_modseq);
        self.vanished.extend_from_slice(&changes.vanished);
        if may_expunge {
            self.tell_vanished(out);
        }
        self.tell_new(changes, out);
        for message in &changes.changed {
            self.tell_changed(message, out);
        }
    }

    fn tell_vanished(&mut self, out: &mut Writer) {
        let mut vanished = std::mem::take(&mut self.vanished);
        vanished.sort_unstable();
        let mut place = 1;
        self.known.retain(|known| {
            let gone = vanished.binary_search(&known.uid).is_ok();
            if gone {
                out.untagged(&format!("{place} EXPUNGE"));
            } else {
                place += 1;
            }
            !gone
        });
    }

    fn tell_new(&mut self, changes: &Changes, out: &mut Writer) {
        let last = self.known.last().map_or(0, |known| known.uid);
        let new = changes.changed.iter().filter(|message| message.uid > last);
        let before = self.known.len();
        self.known.extend(new.map(known));
        if self.known.len() > before {
            out.untagged(&format!("{} EXISTS", self.known.len()));
        }
    }

    fn tell_changed(&mut self, message: &MessageInfo, out: &mut Writer) {
        let Some(index) = self.index_of(message.uid) else {
            return;
        };
        let Some(known) = self.known.get_mut(index) else {
            return;
        };
        if known.modseq < message.modseq {
            known.modseq = message.modseq;
            let flags = flags(&message.flags, message.verified);
            let (place, uid) = (index + 1, message.uid);
            out.untagged(&format!("{place} FETCH (UID {uid} FLAGS {flags})"));
        }
    }
}

fn known(message: &MessageInfo) -> Known {
    Known {
        uid: message.uid,
        modseq: message.modseq,
    }
}
