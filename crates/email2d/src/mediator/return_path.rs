//! The reverse-path of ordinary mail that is passed on (spec §14.2.6): an address of this domain
//! that names the sender, for a time, so that reports find back and nobody else's do.

use aws_lc_rs::hmac;
use email2::address::{Address, Domain, ReversePath};
use email2::limits;
use email2::rejection::Rejection;
use email2::verdict::Accepted;
use email2_store::Passage;

use super::onward::{Onward, ordinary};
use super::original::Original;
use super::{refuse_doubtful, secret, store_failed, taken};
use crate::inbound::envelope::Envelope;
use crate::session::Caller;
use crate::site::Site;

/// How such a local part begins.
const MARK: &str = "r=";
/// Octets of the code that are kept.
const CODE: usize = 10;
/// Octets of a local part (RFC 5321 §4.5.3.1.1).
const LOCAL_PART: usize = 64;
const DAY: u64 = 86_400;

/// The reverse-path under which the mail of `sender` goes on from `by`: none for a report, `by`
/// itself where no local part holds the sender.
pub(super) fn ours(site: &Site, by: &Address, sender: &ReversePath) -> ReversePath {
    let ReversePath::Address(sender) = sender else {
        return ReversePath::Null;
    };
    let named = name(site, by.domain(), sender);
    ReversePath::Address(named.unwrap_or_else(|| by.clone()))
}

fn name(site: &Site, domain: &Domain, sender: &Address) -> Option<Address> {
    let day = site.world.now() / DAY;
    let code = code(site, domain, day, sender)?;
    let local = format!(
        "{MARK}{code}={day:x}={}={}",
        sender.domain(),
        sender.local()
    );
    if local.len() > LOCAL_PART || sender.needs_smtputf8() {
        return None;
    }
    Address::from_parts(local, domain.clone()).ok()
}

/// Whose mail went on under this reverse-path, if it is one of ours and its time is not over.
pub(crate) fn original(site: &Site, address: &Address) -> Option<Address> {
    let named = address.local().strip_prefix(MARK)?;
    let mut parts = named.splitn(4, '=');
    let (code, day) = (parts.next()?, parts.next()?);
    let (domain, local) = (parts.next()?, parts.next()?);
    let sender = Address::from_parts(local.to_owned(), Domain::parse(domain).ok()?).ok()?;
    let day = u64::from_str_radix(day, 16).ok()?;
    let today = site.world.now() / DAY;
    let over = today.saturating_sub(day).saturating_mul(DAY) > limits::RETURN_PATH_LIFETIME;
    let ours = self::code(site, address.domain(), day, &sender)?;
    (day <= today && !over && ours == code).then_some(sender)
}

/// What only this server can write: 80 bits in 16 characters.
fn code(site: &Site, domain: &Domain, day: u64, sender: &Address) -> Option<String> {
    let key = secret::octets(site, "return-path");
    let key = key.inspect_err(|error| tracing::error!(%error, "keys/return-path.key"));
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key.ok()?);
    let code = hmac::sign(&key, format!("{domain}\0{day}\0{sender}").as_bytes());
    let bits = code.as_ref().iter().take(CODE);
    Some(base32(
        bits.fold(0, |bits, octet| bits << 8 | u128::from(*octet)),
    ))
}

/// The 80 lowest bits (RFC 4648 §6, in lower case: some servers write local parts so).
fn base32(bits: u128) -> String {
    let digit = |place: u32| match u8::try_from(bits >> (place * 5) & 31) {
        Ok(digit @ 0..26) => char::from(b'a' + digit),
        Ok(digit) => char::from(b'2' + digit - 26),
        Err(_) => '?',
    };
    (0..16).rev().map(digit).collect()
}

/// A report about ordinary mail goes back to its sender, with an empty reverse-path: it causes no
/// other (RFC 5321 §6.1).
pub(super) async fn back(
    caller: &Caller,
    envelope: &Envelope,
    sender: &Address,
    original: &Original,
    accepted: Accepted,
) -> Result<String, Rejection> {
    refuse_doubtful(&accepted)?;
    let by = accepted.mailbox().clone();
    if envelope.mail_from().address().is_some() {
        return Err(Rejection::NoSuchMailbox { recipient: by });
    }
    let site = &*caller.site;
    let onward = Onward::new(site, &by, std::slice::from_ref(sender));
    let entries = ordinary(caller, envelope, &onward, original).await?;
    let text = taken(&onward.id, &accepted);
    let passage = Passage {
        by,
        accepted,
        entries,
        held: false,
    };
    site.store
        .pass_on(Vec::new(), vec![passage])
        .await
        .map_err(store_failed)?;
    site.departures.announce();
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eighty_bits_are_sixteen_characters() {
        assert_eq!(base32(0), "a".repeat(16));
        assert_eq!(base32((1 << 80) - 1), "7".repeat(16));
        assert_eq!(base32(32), format!("{}ba", "a".repeat(14)));
    }
}
