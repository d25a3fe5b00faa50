//! The link by which a member leaves a list with one click (RFC 8058, spec §14.4.6): each copy
//! has one of its member's own. It says who and which list to this server alone, and nobody else
//! can make one.

use std::collections::HashMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use email2::address::Address;
use email2::limits;
use email2::rejection::Rejection;
use email2_store::{List, Member, StoreError};
use rand_core::RngCore as _;

use super::list::leaving;
use super::secret;
use crate::site::Site;

/// Where the links stand on this server's own host.
pub(crate) const PATH: &str = "/unsubscribe/";
/// What a click sends (RFC 8058 §3.2).
pub(crate) const WISH: (&str, &str) = ("List-Unsubscribe", "One-Click");
/// What is said for what, so that no other secret's text opens here.
const CONTEXT: &[u8] = b"email2d list link 1";
/// The longest line of the field, octets (RFC 5322 §2.1.1).
const LINE: usize = 998;
/// Characters of a link's end that are looked at.
const TOKEN: usize = 1024;

/// Who leaves what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leaving {
    /// The list.
    pub(crate) list: Address,
    member: Address,
    /// Since when they are on it: a link is worth nothing for who left and came again.
    since: u64,
}

/// The links of a list's members, for one message.
pub(crate) struct Links<'a> {
    list: &'a List,
    /// Since when each is on the list.
    members: HashMap<&'a Address, u64>,
    secret: [u8; secret::OCTETS],
}

impl<'a> Links<'a> {
    /// None where the list has none, this server serves no HTTPS, or `octets` for each member
    /// would be too many: then all of a domain get one copy.
    ///
    /// # Errors
    /// The secret cannot be read or made.
    pub(super) fn of(
        site: &Site,
        list: &'a List,
        members: &'a [Member],
        octets: u64,
    ) -> Result<Option<Links<'a>>, Rejection> {
        let listen = &site.config.listen;
        let is_served = !listen.https.is_empty() || !listen.direct.is_empty();
        if !list.one_click || !is_served || !may_have_own(members, octets) {
            return Ok(None);
        }
        let secret = secret::octets(site, NAME).map_err(|error| Rejection::LocalError {
            why: format!("keys/{NAME}.key: {error}"),
        })?;
        Ok(Some(Links {
            list,
            members: members
                .iter()
                .map(|member| (&member.address, member.since))
                .collect(),
            secret,
        }))
    }

    /// The fields of the copy for `address` (RFC 8058 §3.1), each with its CRLF.
    pub(super) fn fields(&self, site: &Site, address: &Address) -> String {
        let link = self.link(site, address);
        match link.filter(|link| link.len() + 4 <= LINE) {
            Some(link) => format!(
                "List-Unsubscribe: <{}>,\r\n <{link}>\r\nList-Unsubscribe-Post: {}={}\r\n",
                leaving(&self.list.address),
                WISH.0,
                WISH.1
            ),
            None => format!("List-Unsubscribe: <{}>\r\n", leaving(&self.list.address)),
        }
    }

    fn link(&self, site: &Site, address: &Address) -> Option<String> {
        let since = self.members.get(address)?;
        let mut nonce = [0; NONCE_LEN];
        site.world.rng().fill_bytes(&mut nonce);
        let text = format!("{since}\n{}\n{address}", self.list.address);
        let token = sealed(&self.secret, nonce, text)?;
        Some(format!("https://{}{PATH}{token}", site.config.hostname))
    }
}

/// The file of the secret.
const NAME: &str = "unsubscribe";

/// May the message be hashed for each of these?
fn may_have_own(members: &[Member], octets: u64) -> bool {
    let all = octets.saturating_mul(members.len() as u64);
    all <= limits::OWN_COPIES_OCTETS
}

/// Whose wish the end of a link is; none that this server made otherwise.
pub(crate) fn read(site: &Site, token: &str) -> Option<Leaving> {
    let secret = secret::octets(site, NAME).ok()?;
    let text = opened(&secret, token)?;
    let mut lines = text.splitn(3, '\n');
    Some(Leaving {
        since: lines.next()?.parse().ok()?,
        list: Address::parse(lines.next()?).ok()?,
        member: Address::parse(lines.next()?).ok()?,
    })
}

/// Takes the member off the list; whether they were on it.
///
/// # Errors
/// The store failed.
pub(crate) async fn leave(site: &Site, leaving: &Leaving) -> Result<bool, StoreError> {
    let Leaving {
        list,
        member,
        since,
    } = leaving;
    let members = site.store.members(list).await?;
    let mut members = members.iter();
    if !members.any(|known| known.address == *member && known.since == *since) {
        return Ok(false);
    }
    tracing::info!(%list, %member, "left by one click");
    site.store.remove_member(list, member).await
}

fn cipher(secret: &[u8; secret::OCTETS]) -> Option<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, secret).ok()?;
    Some(LessSafeKey::new(key))
}

fn sealed(secret: &[u8; secret::OCTETS], nonce: [u8; NONCE_LEN], text: String) -> Option<String> {
    let mut octets = text.into_bytes();
    let unique = Nonce::assume_unique_for_key(nonce);
    let cipher = cipher(secret)?;
    let sealed = cipher.seal_in_place_append_tag(unique, Aad::from(CONTEXT), &mut octets);
    sealed.ok()?;
    Some(URL_SAFE_NO_PAD.encode([&nonce[..], &octets].concat()))
}

fn opened(secret: &[u8; secret::OCTETS], token: &str) -> Option<String> {
    let octets = URL_SAFE_NO_PAD
        .decode(token.get(..token.len().min(TOKEN))?)
        .ok()?;
    let (nonce, sealed) = octets.split_at_checked(NONCE_LEN)?;
    let unique = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut sealed = sealed.to_vec();
    let cipher = cipher(secret)?;
    let text = cipher.open_in_place(unique, Aad::from(CONTEXT), &mut sealed);
    String::from_utf8(text.ok()?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_opens_here_only_and_shows_nobody() {
        let text = "7\nclub@example.com\nbob@example.org";
        let token = sealed(&[1; 32], [2; NONCE_LEN], text.to_owned()).unwrap();
        assert_eq!(opened(&[1; 32], &token).as_deref(), Some(text));
        assert_eq!(opened(&[2; 32], &token), None);
        let octets = URL_SAFE_NO_PAD.decode(&token).unwrap();
        assert!(!String::from_utf8_lossy(&octets).contains("bob"));
        let url_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        assert!(token.chars().all(url_safe), "{token}");
        for place in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            let same = URL_SAFE_NO_PAD.decode(&forged).ok() == Some(octets.clone());
            assert!(same || opened(&[1; 32], &forged).is_none(), "{place}");
        }
        for wrong in ["", "A", "!", &"A".repeat(5_000)] {
            assert_eq!(opened(&[1; 32], wrong), None);
        }
    }

    #[test]
    fn what_is_hashed_for_links_is_bounded() {
        let member = |number: u64| Member {
            address: format!("m{number}@example.org").parse().unwrap(),
            standing: email2_store::Standing::Member,
            since: 0,
        };
        let members: Vec<Member> = (0..64).map(member).collect();
        let most = limits::OWN_COPIES_OCTETS / 64;
        assert!(may_have_own(&members, most) && !may_have_own(&members, most + 1));
    }
}
