//! Threads: messages that answer each other, by the References and In-Reply-To that their
//! authors signed (spec §5.6.3), not by those that stand outside.

use std::collections::HashMap;

use email2::secret::SecretKey;
use serde::Serialize;

use crate::Client;
use crate::imap::{ImapError, Mailboxes};
use crate::inbox::{self, Entry, Page, inside};

/// References of a message that are followed, the last ones: a hostile list costs no more.
const REFERENCES: usize = 100;

/// Messages that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Thread {
    /// Its messages, each below what it answers.
    pub messages: Vec<Threaded>,
}

/// A message in its thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Threaded {
    /// The message; subject as its protection holds it, where it could be opened.
    #[serde(flatten)]
    pub entry: Entry,
    /// How many messages of the thread stand above it.
    pub depth: usize,
}

/// A message and what it says of its thread.
#[derive(Clone, Debug)]
pub struct Node {
    /// The message.
    pub entry: Entry,
    /// Its own Message-ID.
    pub message_id: Option<String>,
    /// What it answers, oldest first.
    pub references: Vec<String>,
}

/// A page of a mailbox in threads, the one with the newest message first. Encrypted messages are
/// opened with `key`; without it each stands alone.
///
/// # Errors
/// See [`ImapError`].
pub async fn page(
    client: &Client,
    key: Option<&SecretKey>,
    mailbox: &str,
    page: &Page,
) -> Result<Vec<Thread>, ImapError> {
    let mut mailboxes = Mailboxes::open(client).await?;
    let opened = mailboxes.select(mailbox).await?;
    let mut nodes = Vec::new();
    for entry in inbox::newest(&mut mailboxes, opened, page).await? {
        let shown = inside::open(client, &mut mailboxes, &entry, key).await?;
        nodes.push(node(entry, shown));
    }
    mailboxes.close().await;
    nodes.reverse();
    Ok(arrange(nodes))
}

fn node(mut entry: Entry, shown: Option<crate::read::Shown>) -> Node {
    let Some(shown) = shown else {
        return Node {
            entry,
            message_id: None,
            references: Vec::new(),
        };
    };
    entry.subject = shown.subject;
    Node {
        entry,
        message_id: shown.message_id,
        references: shown.references,
    }
}

/// Puts messages, oldest first, into threads. A message stands below the last of its references
/// that is there; those whose first reference is the same, and not there, stand together. Nothing
/// a message says joins others than itself.
#[must_use]
pub fn arrange(nodes: Vec<Node>) -> Vec<Thread> {
    let parents = parents(&nodes);
    let roots = roots(&nodes, &parents);
    let mut threads: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut places = HashMap::new();
    for (at, root) in roots.iter().enumerate() {
        let place = *places.entry(*root).or_insert_with(|| {
            threads.push((at, Vec::new()));
            threads.len() - 1
        });
        if let Some((newest, members)) = threads.get_mut(place) {
            *newest = at;
            members.push(at);
        }
    }
    threads.sort_by_key(|(newest, _)| std::cmp::Reverse(*newest));
    let threads = threads.into_iter();
    threads
        .map(|(_, members)| thread(&nodes, &parents, &members))
        .collect()
}

/// What each message stands below.
fn parents(nodes: &[Node]) -> Vec<Option<usize>> {
    let mut by_id = HashMap::new();
    for (at, node) in nodes.iter().enumerate() {
        if let Some(id) = &node.message_id {
            by_id.entry(id.as_str()).or_insert(at);
        }
    }
    let mut parents = vec![None; nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
        let last = node.references.iter().rev().take(REFERENCES);
        let mut there = last.filter_map(|id| by_id.get(id.as_str()).copied());
        let parent = there.find(|above| top(&parents, *above) != at);
        if let Some(place) = parents.get_mut(at) {
            *place = parent;
        }
    }
    parents
}

/// The message at the top of the one at `at`. No message is ever put below one of its own, so
/// this ends.
fn top(parents: &[Option<usize>], at: usize) -> usize {
    let mut top = at;
    while let Some(above) = parents.get(top).copied().flatten() {
        top = above;
    }
    top
}

/// The thread of each message, named by one of its members.
fn roots(nodes: &[Node], parents: &[Option<usize>]) -> Vec<usize> {
    let mut absent = HashMap::new();
    let tops = (0..nodes.len()).map(|at| top(parents, at));
    let roots = tops.map(|top| {
        let first = nodes.get(top).and_then(|node| node.references.first());
        first.map_or(top, |id| *absent.entry(id.as_str()).or_insert(top))
    });
    roots.collect()
}

/// The messages of one thread in order; an explicit stack, as depth is the authors' choice.
fn thread(nodes: &[Node], parents: &[Option<usize>], members: &[usize]) -> Thread {
    let mut below: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    for at in members {
        let parent = parents.get(*at).copied().flatten();
        below.entry(parent).or_default().push(*at);
    }
    let mut waiting: Vec<(usize, usize)> = Vec::new();
    let mut push = |waiting: &mut Vec<(usize, usize)>, parent, depth| {
        let children = below.remove(&parent).unwrap_or_default();
        waiting.extend(children.into_iter().rev().map(|at| (at, depth)));
    };
    push(&mut waiting, None, 0);
    let mut messages = Vec::with_capacity(members.len());
    while let Some((at, depth)) = waiting.pop() {
        if let Some(node) = nodes.get(at) {
            let entry = node.entry.clone();
            messages.push(Threaded { entry, depth });
        }
        push(&mut waiting, Some(at), depth + 1);
    }
    Thread { messages }
}
