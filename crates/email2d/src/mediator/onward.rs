//! A message goes on: sealed mail under a seal of the domain's service (spec §4.6, §14.2),
//! ordinary mail with a reverse-path of ours.

use std::collections::BTreeMap;

use email2::address::{Address, Domain, Identity, ReversePath};
use email2::limits;
use email2::rejection::Rejection;
use email2::seal::{ContentDigest, Nonce, Role, Seal, SealError, SealRequest, sign};
use email2::secret::SecretKey;
use email2_io::aside::aside;
use email2_store::SpooledBody;
use email2_store::queue::{NewEntry, QueueRecipient, RecipientState};
use rand_core::{CryptoRng, RngCore};

use super::original::{Original, Pieces};
use super::unsubscribe::Links;
use super::{return_path, store_failed};
use crate::inbound::envelope::Envelope;
use crate::outbound::enqueue;
use crate::service_key;
use crate::session::Caller;
use crate::site::Site;
use crate::trace;

/// Octets of trace fields that go on: the newest, enough to see a loop in.
const TRACE_OCTETS: usize = 8 * 1024;

/// How a message goes on.
pub(crate) struct Onward<'a> {
    /// The address that it came to.
    pub(crate) by: &'a Address,
    /// Where it goes.
    pub(crate) to: Vec<Address>,
    /// The fields of a list, each with its CRLF.
    pub(crate) fields: &'a str,
    /// What stands in each member's own copy above them.
    pub(crate) own: Option<&'a Links<'a>>,
    /// Most recipients of one copy.
    pub(crate) together: usize,
    /// Names this reception.
    pub(crate) id: String,
}

impl<'a> Onward<'a> {
    /// To these addresses, as it came.
    pub(crate) fn new(site: &Site, by: &'a Address, to: &[Address]) -> Onward<'a> {
        Onward {
            by,
            to: to.to_vec(),
            fields: "",
            own: None,
            together: limits::SEAL_RECIPIENTS,
            id: site.new_id(),
        }
    }

    /// One transaction each.
    fn groups(&self) -> Vec<Vec<Address>> {
        let mut domains: BTreeMap<&Domain, Vec<Address>> = BTreeMap::new();
        for address in &self.to {
            let group = domains.entry(address.domain()).or_default();
            if !group.contains(address) {
                group.push(address.clone());
            }
        }
        let whole = domains.into_values();
        whole
            .flat_map(|group| {
                let parts = group.chunks(self.together.max(1));
                parts.map(<[Address]>::to_vec).collect::<Vec<_>>()
            })
            .collect()
    }
}

/// The entries of a sealed message: one a domain, each under a seal of its own.
///
/// # Errors
/// The stack would break a rule (spec §4.6), or the store failed.
pub(crate) async fn sealed(
    caller: &Caller,
    envelope: &Envelope,
    onward: &Onward<'_>,
    original: &Original,
) -> Result<Vec<NewEntry>, Rejection> {
    let site = &*caller.site;
    let copies = copies(site, onward, original).await?;
    let stack = Stack::on(site, onward, &original.seals).await?;
    let latest = stack.now + limits::QUEUE_LIFETIME;
    let mut rng = site.world.rng();
    // A list of thousands has as many seals.
    let seals = aside(move || stack.seals(copies, &mut rng)).await;
    let seals = seals.map_err(|error| given_up(&error))?;
    let mut trace = front(caller, envelope, onward);
    trace.extend(original.above(site, TRACE_OCTETS).await?);
    let shared = match onward.own {
        Some(_) => onward.fields.to_owned(),
        None => format!("{}{}", original.key_field(), onward.fields),
    };
    let body = write(site, shared.as_bytes(), original.sealed(site).await?).await?;
    let each = seals.map_err(|error| unsealable(&error))?.into_iter();
    let each = each.map(|(copy, seal)| {
        Ok(NewEntry {
            front: [&*trace, seal.field().as_bytes(), copy.fields.as_bytes()].concat(),
            announced: Some((Role::Forward, seal.signer)),
            mail_from: seal.reverse_path,
            expires: seal.expires.min(latest),
            ..entry(site, envelope, onward, copy.to, body.clone())?
        })
    });
    each.collect()
}

/// What of a message is one copy's alone.
#[derive(Clone)]
struct Copy {
    to: Vec<Address>,
    /// Directly below its seal, behind the author's key (spec §4.6.5): all other fields are
    /// shared, and the key too where nothing stands here.
    fields: String,
    /// `h` of its seal.
    digest: [u8; 32],
}

/// One copy for each group; where each member has fields of their own, the message is hashed for
/// each.
async fn copies(
    site: &Site,
    onward: &Onward<'_>,
    original: &Original,
) -> Result<Vec<Copy>, Rejection> {
    let key = original.key_field();
    let mut copy = Copy {
        to: Vec::new(),
        fields: String::new(),
        digest: digest(site, &format!("{key}{}", onward.fields), original).await?,
    };
    let mut copies = Vec::new();
    for group in onward.groups() {
        if let (Some(links), Some(member)) = (onward.own, group.first()) {
            copy.fields = format!("{key}{}", links.fields(site, member));
            let prefix = format!("{}{}", copy.fields, onward.fields);
            copy.digest = digest(site, &prefix, original).await?;
        }
        copies.push(Copy {
            to: group,
            ..copy.clone()
        });
    }
    Ok(copies)
}

/// The entries of ordinary mail: never sealed, with a reverse-path of this domain
/// (spec §14.2.6).
///
/// # Errors
/// The store failed.
pub(crate) async fn ordinary(
    caller: &Caller,
    envelope: &Envelope,
    onward: &Onward<'_>,
    original: &Original,
) -> Result<Vec<NewEntry>, Rejection> {
    let site = &*caller.site;
    let proved = original.mail.spf_passed;
    let from = return_path::ours(site, onward.by, envelope.mail_from(), proved);
    let front = front(caller, envelope, onward);
    let each = onward.groups().into_iter().map(|group| {
        Ok(NewEntry {
            mail_from: from.clone(),
            front: front.clone(),
            ..entry(site, envelope, onward, group, original.mail.body.clone())?
        })
    });
    each.collect()
}

/// Our trace fields: what came here for `by` must not come again (RFC 5321 §6.3).
fn front(caller: &Caller, envelope: &Envelope, onward: &Onward<'_>) -> Vec<u8> {
    let mut fields = format!("Delivered-To: {}\r\n", onward.by).into_bytes();
    fields.extend(trace::carried(caller, envelope, &onward.id));
    fields
}

fn entry(
    site: &Site,
    envelope: &Envelope,
    onward: &Onward<'_>,
    group: Vec<Address>,
    body: SpooledBody,
) -> Result<NewEntry, Rejection> {
    let now = site.world.now();
    let first = group.first().ok_or(Rejection::NoRecipients)?;
    Ok(NewEntry {
        group: onward.id.clone(),
        domain: first.domain().clone(),
        mail_from: ReversePath::Null,
        announced: None,
        recipients: group.into_iter().map(waiting).collect(),
        body,
        front: Vec::new(),
        details: enqueue::details(envelope),
        created: now,
        expires: now + limits::QUEUE_LIFETIME,
        next_attempt: now,
    })
}

/// Somebody to whom it goes.
pub(crate) fn waiting(address: Address) -> QueueRecipient {
    QueueRecipient {
        address,
        etag: None,
        state: RecipientState::Waiting,
        reply: None,
    }
}

/// `h` of a seal above the prefix and the original from its top seal on.
async fn digest(site: &Site, prefix: &str, original: &Original) -> Result<[u8; 32], Rejection> {
    let mut digest = ContentDigest::new();
    let mut push = |octets: &[u8]| digest.push(octets).map_err(|error| unsealable(&error));
    push(prefix.as_bytes())?;
    let mut pieces = original.sealed(site).await?;
    loop {
        let piece = pieces.next().await?;
        if piece.is_empty() {
            break;
        }
        push(&piece)?;
    }
    digest.finish().map_err(|error| unsealable(&error))
}

/// The pieces of the original behind `front`.
async fn write(site: &Site, front: &[u8], mut pieces: Pieces) -> Result<SpooledBody, Rejection> {
    let mut writer = site.store.write_body().await.map_err(store_failed)?;
    writer.push(front).await.map_err(store_failed)?;
    loop {
        let piece = pieces.next().await?;
        if piece.is_empty() {
            return writer.finish().await.map_err(store_failed);
        }
        writer.push(&piece).await.map_err(store_failed)?;
    }
}

/// A stack that grows by one seal.
struct Stack {
    by: Address,
    key: SecretKey,
    now: u64,
    created: u64,
    expires: u64,
}

impl Stack {
    /// By the service key of the domain that the message came to (spec §4.5.2), no earlier than
    /// the seal below (spec §4.6.2), within the time of the whole stack (spec §4.6.1).
    async fn on(site: &Site, onward: &Onward<'_>, seals: &[Seal]) -> Result<Stack, Rejection> {
        let (Some(top), Some(innermost)) = (seals.first(), seals.last()) else {
            return Err(Rejection::SealMissing);
        };
        if seals.len() >= limits::SEALS {
            return Err(Rejection::TooManySeals);
        }
        let now = site.world.now();
        let created = now.max(top.created);
        if created > top.expires {
            return Err(Rejection::SealExpired { clock: now });
        }
        let end = innermost.created.saturating_add(limits::STACK_LIFETIME);
        let data = &site.config.data_directory;
        let (domain, mut rng) = (onward.by.domain(), site.world.rng());
        let key = service_key::ensure(data, domain, &site.store, now, &mut rng).await;
        let key = key.map_err(|error| Rejection::LocalError {
            why: error.to_string(),
        })?;
        Ok(Stack {
            by: onward.by.clone(),
            key,
            now,
            created,
            expires: end.min(created + limits::SEAL_LIFETIME),
        })
    }

    /// The seals of all copies, each with those that it is for.
    fn seals(
        &self,
        mut copies: Vec<Copy>,
        rng: &mut (impl CryptoRng + RngCore),
    ) -> Result<Vec<(Copy, Seal)>, SealError> {
        let mut sealed = Vec::new();
        while let Some(copy) = copies.pop() {
            match self.seal(&copy, rng) {
                Ok(seal) => sealed.push((copy, seal)),
                // Too many long addresses for one field: two then.
                Err(SealError::Request(_)) if copy.to.len() > 1 => {
                    let (first, second) = copy.to.split_at(copy.to.len() / 2);
                    let halves = [first, second].map(|half| Copy {
                        to: half.to_vec(),
                        ..copy.clone()
                    });
                    copies.extend(halves);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(sealed)
    }

    /// The seal of one copy: whatever becomes of it is told to us (spec §14.2.7).
    fn seal(&self, copy: &Copy, rng: &mut (impl CryptoRng + RngCore)) -> Result<Seal, SealError> {
        let request = SealRequest {
            role: Role::Forward,
            signer: Identity::Service(self.by.domain().clone()),
            reverse_path: ReversePath::Address(self.by.clone()),
            recipients: copy.to.clone(),
            created: self.created,
            expires: self.expires,
            nonce: Nonce::random(rng),
            digest: copy.digest,
        };
        sign(&request, &self.key, rng)
    }
}

fn given_up(error: &tokio::task::JoinError) -> Rejection {
    Rejection::LocalError {
        why: format!("it cannot be passed on: {error}"),
    }
}

fn unsealable(error: &SealError) -> Rejection {
    Rejection::LocalError {
        why: format!("it cannot be passed on: {error}"),
    }
}
