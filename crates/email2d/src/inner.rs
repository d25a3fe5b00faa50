//! The mail system behind this server, which has the mailboxes of a domain (spec §15.1): asked
//! whom it takes mail for, and handed what was judged.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use email2::address::{Address, ReversePath};
use email2::rejection::Rejection;
use email2_io::clock::within;
use email2_io::drive::Driver;
use email2_io::net::Stream;
use email2_remote::connect::Content;
use email2_smtp::client::{Failure, PIECE_OCTETS};
use email2_smtp::lmtp::{Event, Handover, Lmtp};
use email2_smtp::{Envelope, Mail, Recipient, Reply};
use tokio::sync::Semaphore;

use crate::config::{Inner, InnerPlace};
use crate::site::Site;

/// What connecting may take: it is near.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// What a question may take in all.
const QUESTION_LIMIT: Duration = Duration::from_secs(20);
/// What handing a message over may take: within the lease of its claim.
const HANDOVER_LIMIT: Duration = Duration::from_secs(8 * 60);
/// Questions at once; whoever comes later waits for a turn, no longer than a question may take.
const QUESTIONS: usize = 8;
/// Octets of replies that are read.
const REPLY_OCTETS: usize = 256 * 1024;
/// Answers that are remembered; beyond, all are forgotten.
const REMEMBERED: usize = 16_384;
/// How long somebody who is there is not asked about again, seconds.
const THERE: u64 = 5 * 60;
/// How long somebody who is not, seconds: a new account takes mail soon.
const NOT_THERE: u64 = 60;

/// What became of each recipient.
pub(crate) type Answers = Vec<(Address, Result<Reply, Failure>)>;

/// What the systems behind were asked, and answered.
#[derive(Debug)]
pub(crate) struct Acquaintance {
    turns: Semaphore,
    known: Mutex<HashMap<Address, Known>>,
}

/// An answer, and until when it is remembered (monotonic seconds).
#[derive(Clone, Copy, Debug)]
struct Known {
    there: bool,
    until: u64,
}

impl Default for Acquaintance {
    fn default() -> Self {
        Acquaintance {
            turns: Semaphore::new(QUESTIONS),
            known: Mutex::default(),
        }
    }
}

impl Acquaintance {
    fn recall(&self, address: &Address, now: u64) -> Option<bool> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(address).filter(|known| now < known.until);
        found.map(|known| known.there)
    }

    fn remember(&self, address: &Address, there: bool, now: u64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let until = now + if there { THERE } else { NOT_THERE };
        known.insert(address.clone(), Known { there, until });
    }
}

/// Does the system behind take mail for this address (spec §15.1.1)? What it says is remembered
/// for some minutes.
///
/// # Errors
/// It cannot be asked now, or answers neither yes nor no.
pub(crate) async fn takes(
    site: &Site,
    inner: &Inner,
    address: &Address,
) -> Result<bool, Rejection> {
    let now = site.world.clock.monotonic().as_secs();
    if let Some(there) = site.acquaintance.recall(address, now) {
        return Ok(there);
    }
    let turn = site.acquaintance.turns.acquire();
    let Ok(_turn) = within(&*site.world.clock, QUESTION_LIMIT, turn).await else {
        return Err(crowded(inner));
    };
    let question = Handover {
        dialect: inner.dialect,
        name: site.config.hostname.to_string(),
        envelope: Envelope {
            mail: Mail::new(ReversePath::Null),
            recipients: vec![Recipient::new(address.clone())],
        },
        only_asks: true,
    };
    let nothing: Vec<u8> = Vec::new();
    let asked = hand_over(site, inner, question, &nothing);
    let answers = within(&*site.world.clock, QUESTION_LIMIT, asked).await;
    let answers = answers.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let there = match answers {
        Ok(answers) => understood(inner, address, answers)?,
        Err(error) => return Err(unanswered(inner, &error.to_string())),
    };
    site.acquaintance.remember(address, there, now);
    Ok(there)
}

fn understood(inner: &Inner, address: &Address, answers: Answers) -> Result<bool, Rejection> {
    let answer = answers.into_iter().find(|(to, _)| to == address);
    match answer.map(|(_, result)| result) {
        Some(Ok(_)) => Ok(true),
        Some(Err(Failure::Refused(reply))) if reply.is_permanent() => Ok(false),
        Some(Err(failure)) => Err(unanswered(inner, &failure.to_string())),
        None => Err(unanswered(inner, "no answer")),
    }
}

/// So many wait already that it is not asked: whoever wants to know comes again.
fn crowded(inner: &Inner) -> Rejection {
    tracing::warn!(%inner, "too many questions wait for the mail system behind");
    Rejection::Busy
}

fn unanswered(inner: &Inner, why: &str) -> Rejection {
    tracing::warn!(%inner, why, "the mail system behind cannot be asked");
    Rejection::LocalError {
        why: format!("{inner}: {why}"),
    }
}

/// Hands a message over, within the time of a claim.
///
/// # Errors
/// It cannot be reached.
pub(crate) async fn deliver(
    site: &Site,
    inner: &Inner,
    envelope: Envelope,
    content: &dyn Content,
) -> io::Result<Answers> {
    let handover = Handover {
        dialect: inner.dialect,
        name: site.config.hostname.to_string(),
        envelope,
        only_asks: false,
    };
    let handed = hand_over(site, inner, handover, content);
    let handed = within(&*site.world.clock, HANDOVER_LIMIT, handed).await;
    handed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// One connection.
async fn hand_over(
    site: &Site,
    inner: &Inner,
    handover: Handover,
    content: &dyn Content,
) -> io::Result<Answers> {
    let clock = Arc::clone(&site.world.clock);
    let stream = connect(site, inner).await?;
    let machine = Lmtp::new(handover, clock.monotonic());
    let mut driver = Driver::new(machine, stream, Arc::clone(&clock));
    driver.allow(REPLY_OCTETS);
    let mut offset = 0;
    loop {
        match driver.next().await? {
            Some(Event::WantsContent) => {
                let piece = content.read(offset, PIECE_OCTETS).await;
                let (machine, now) = (driver.machine(), clock.monotonic());
                match piece {
                    Ok(piece) if piece.is_empty() => machine.content_end(now),
                    Ok(piece) => {
                        offset += piece.len() as u64;
                        machine.content(&piece, now);
                    }
                    Err(_) => machine.content_failed(now),
                }
            }
            Some(Event::Done(answers)) => {
                driver.close().await;
                return Ok(answers);
            }
            Some(Event::Closed) => {}
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

async fn connect(site: &Site, inner: &Inner) -> io::Result<Stream> {
    let net = &site.world.net;
    let connecting = async {
        match &inner.place {
            InnerPlace::Path(path) => net.connect_path(path).await,
            InnerPlace::Address(address) => Ok(net.connect(*address).await?.stream),
            InnerPlace::Host(name, port) => connect_name(site, name, *port).await,
        }
    };
    let connected = within(&*site.world.clock, CONNECT_LIMIT, connecting).await;
    connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// At the first of the name's addresses where somebody listens. The administrator wrote the name:
/// it may lead anywhere, into the house above all.
async fn connect_name(site: &Site, name: &str, port: u16) -> io::Result<Stream> {
    let net = &site.world.net;
    let none = format!("{name}: it has no address");
    let mut last = io::Error::new(io::ErrorKind::NotFound, none);
    for address in net.look_up(name, port).await? {
        match net.connect(address).await {
            Ok(connection) => return Ok(connection.stream),
            Err(error) => last = io::Error::new(error.kind(), format!("{address}: {error}")),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_remembered_for_a_while() {
        let acquaintance = Acquaintance::default();
        let (carol, dave): (Address, Address) = (
            "carol@example.net".parse().unwrap(),
            "dave@example.net".parse().unwrap(),
        );
        acquaintance.remember(&carol, true, 10);
        acquaintance.remember(&dave, false, 10);
        assert_eq!(acquaintance.recall(&carol, 10 + THERE - 1), Some(true));
        assert_eq!(acquaintance.recall(&carol, 10 + THERE), None);
        assert_eq!(acquaintance.recall(&dave, 10 + NOT_THERE - 1), Some(false));
        assert_eq!(acquaintance.recall(&dave, 10 + NOT_THERE), None);
    }
}
