//! Lists (spec §14.4): what a member writes goes to all, its author's seal untouched; members
//! come and go, and moderators decide, by sealed mail.

use email2::address::Address;
use email2::limits;
use email2::rejection::Rejection;
use email2::verdict::{Accepted, Provenance};
use email2_store::{List, Member, Standing, Store, StoreError};

use super::onward::Onward;
use super::original::Original;
use super::unsubscribe::Links;
use super::{Mediator, forward, letter, store_failed, taken};
use crate::inbound::envelope::Envelope;
use crate::session::Caller;
use crate::site::Site;

/// What follows a list's name in the address that takes commands (RFC 2142 §6).
const REQUEST: &str = "-request";

/// The address that takes a list's commands.
pub(crate) fn request_address(list: &Address) -> Option<Address> {
    let local = format!("{}{REQUEST}", list.local());
    Address::from_parts(local, list.domain().clone()).ok()
}

/// The list that takes commands at `address`.
///
/// # Errors
/// As the store says.
pub(crate) async fn office(site: &Site, address: &Address) -> Result<Option<Mediator>, StoreError> {
    let Some(name) = address.local().strip_suffix(REQUEST) else {
        return Ok(None);
    };
    let Ok(name) = Address::from_parts(name.to_owned(), address.domain().clone()) else {
        return Ok(None);
    };
    let list = site.store.list(&name).await?;
    Ok(list.map(Mediator::Request))
}

/// Sends what a member wrote to everybody, or keeps it for a moderator.
///
/// # Errors
/// Not a member's, not sealed, or the store failed.
pub(super) async fn post(
    caller: &Caller,
    envelope: &Envelope,
    list: &List,
    original: &Original,
    accepted: Accepted,
) -> Result<String, Rejection> {
    let site = &*caller.site;
    let members = site.store.members(&list.address).await;
    let members = members.map_err(store_failed)?;
    let author = author(&accepted)?.clone();
    let standing = members.iter().find(|member| member.address == author);
    let waits = may_post(list, standing.map(|member| member.standing))?;
    let text = taken(&site.new_id(), &accepted);
    let links = Links::of(site, list, &members, original.mail.body.size())?;
    // What another list wrote stays the only word about lists (spec §4.6.3).
    let links = links.as_ref().filter(|_| !original.listed);
    let fields = match original.listed {
        true => String::new(),
        false => fields(list, links.is_some()),
    };
    let reading = members.iter().filter(|m| m.standing != Standing::Invited);
    let onward = Onward {
        by: &list.address,
        to: reading.map(|member| member.address.clone()).collect(),
        fields: &fields,
        own: links,
        // spec §14.4.3
        together: match list.hidden || links.is_some() {
            true => 1,
            false => limits::SEAL_RECIPIENTS,
        },
        id: site.new_id(),
    };
    let mut passage = forward::passage(caller, envelope, &onward, original, accepted).await?;
    passage.held = waits;
    let kept = forward::pass_on(caller, &list.address, None, vec![passage]).await?;
    if waits && kept {
        letter::ask_moderators(site, list, &members, &onward.id, (&author, original)).await?;
    }
    Ok(text)
}

/// Who wrote it, proved and directly: a list passes on nothing that somebody else passed on to it
/// (spec §14.4.1).
fn author(accepted: &Accepted) -> Result<&Address, Rejection> {
    match accepted.provenance() {
        Provenance::Verified { author, via, .. } if via.is_empty() => Ok(author),
        _ => Err(Rejection::Unsealed),
    }
}

/// Does it wait for a moderator?
fn may_post(list: &List, standing: Option<Standing>) -> Result<bool, Rejection> {
    match standing {
        Some(Standing::Moderator) => Ok(false),
        Some(Standing::Member) if !list.announcement => Ok(list.moderated),
        _ => Err(Rejection::ListClosed {
            list: list.address.clone(),
        }),
    }
}

/// RFC 2919, RFC 2369; they stand between the seals (spec §4.6.3, §14.4.2). Where each copy has
/// a link of its own, that stands there too.
fn fields(list: &List, linked: bool) -> String {
    let (address, domain) = (&list.address, list.address.domain());
    let local = address.local();
    let office = format!("mailto:{local}{REQUEST}@{domain}");
    let post = match list.announcement {
        true => "NO".to_owned(),
        false => format!("<mailto:{address}>"),
    };
    let leave = match linked {
        true => String::new(),
        false => format!("List-Unsubscribe: <{}>\r\n", leaving(address)),
    };
    format!(
        "List-Id: <{local}.{domain}>\r\nList-Post: {post}\r\n\
         List-Help: <{office}?subject=help>\r\nList-Owner: <mailto:{owner}>\r\n\
         List-Subscribe: <{office}?subject=subscribe>\r\n{leave}Precedence: list\r\n",
        owner = list.owner,
    )
}

/// The letter by which a member leaves (RFC 6068).
pub(super) fn leaving(list: &Address) -> String {
    let (local, domain) = (list.local(), list.domain());
    format!("mailto:{local}{REQUEST}@{domain}?subject=unsubscribe")
}

/// What can be asked of a list in the subject of a sealed letter.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wish {
    Subscribe,
    Unsubscribe,
    Confirm,
    Approve(String),
    Reject(String),
    Help,
}

impl Wish {
    fn parse(subject: &str) -> Wish {
        let lower = subject.to_ascii_lowercase();
        let mut words = lower.split_ascii_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some("subscribe"), None, None) => Wish::Subscribe,
            (Some("unsubscribe"), None, None) => Wish::Unsubscribe,
            (Some("confirm"), None, None) => Wish::Confirm,
            (Some("approve"), Some(id), None) => Wish::Approve(id.to_owned()),
            (Some("reject"), Some(id), None) => Wish::Reject(id.to_owned()),
            _ => Wish::Help,
        }
    }
}

/// Takes a command: the seal proves whose wish it is, so nothing has to be confirmed by another
/// letter (spec §14.4.4). A program's letter is no wish.
///
/// # Errors
/// Not sealed by its author, or the store failed.
pub(super) async fn request(
    caller: &Caller,
    list: &List,
    original: &Original,
    accepted: &Accepted,
) -> Result<String, Rejection> {
    let site = &*caller.site;
    let author = author(accepted)?;
    if original.automatic || original.listed {
        return Ok(format!("stored as {}", site.new_id()));
    }
    let members = site.store.members(&list.address).await;
    let members = members.map_err(store_failed)?;
    let known = members.into_iter().find(|member| member.address == *author);
    let standing = known.map(|member| member.standing);
    let wish = Wish::parse(&original.subject);
    let answer = fulfil(site, list, author, standing, &wish).await;
    let answer = answer.map_err(store_failed)?;
    tracing::info!(list = %list.address, %author, ?wish, answer, "list command");
    letter::answer(site, list, author, answer).await?;
    Ok(format!("{answer}, {}", site.new_id()))
}

/// Does what is wished, as far as the author's standing permits, and says what came of it.
async fn fulfil(
    site: &Site,
    list: &List,
    author: &Address,
    standing: Option<Standing>,
    wish: &Wish,
) -> Result<&'static str, StoreError> {
    let is_list = *author == list.address;
    match (wish, standing) {
        (Wish::Subscribe, None) if list.open && !is_list => join(site, list, author).await,
        (Wish::Subscribe, None) => Ok("only who is invited may subscribe to this list"),
        (Wish::Subscribe | Wish::Confirm, Some(Standing::Invited)) => {
            join(site, list, author).await
        }
        (Wish::Subscribe | Wish::Confirm, Some(_)) => Ok("you are a member of this list"),
        (Wish::Unsubscribe, Some(_)) => {
            site.store.remove_member(&list.address, author).await?;
            Ok("you are no member of this list any more")
        }
        (Wish::Unsubscribe | Wish::Confirm, None) => Ok("you are no member of this list"),
        (Wish::Approve(id), Some(Standing::Moderator)) => decision(site, list, id, true).await,
        (Wish::Reject(id), Some(Standing::Moderator)) => decision(site, list, id, false).await,
        (Wish::Approve(_) | Wish::Reject(_), _) => Ok("only moderators of this list decide that"),
        (Wish::Help, _) => Ok("nothing was done; the subject says what is wished"),
    }
}

async fn decision(
    site: &Site,
    list: &List,
    id: &str,
    approved: bool,
) -> Result<&'static str, StoreError> {
    let said = decide(&site.store, &list.address, id, approved, site.world.now()).await?;
    site.departures.announce();
    Ok(said)
}

async fn join(site: &Site, list: &List, author: &Address) -> Result<&'static str, StoreError> {
    let member = Member {
        address: author.clone(),
        standing: Standing::Member,
        since: site.world.now(),
    };
    site.store.set_member(&list.address, &member).await?;
    Ok("you are a member of this list now")
}

/// What waits is due, or gone; what is said of it.
///
/// # Errors
/// As the store says.
pub(crate) async fn decide(
    store: &Store,
    list: &Address,
    id: &str,
    approved: bool,
    now: u64,
) -> Result<&'static str, StoreError> {
    let held = store.held(list, id).await?;
    if held.is_empty() {
        return Ok(NOTHING_WAITS);
    }
    if approved {
        store.hold(&held, false, now).await?;
        store.retry_now(&held, now).await?;
        return Ok("it was sent to the list");
    }
    store.drop_entries(&held, now).await?;
    Ok("it was dropped")
}

/// What is said where nothing has this number.
pub(crate) const NOTHING_WAITS: &str = "nothing of that number waits";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_the_whole_subject() {
        assert_eq!(Wish::parse(" Subscribe "), Wish::Subscribe);
        assert_eq!(
            Wish::parse("approve 0A1b"),
            Wish::Approve("0a1b".to_owned())
        );
        for other in [
            "",
            "Re: subscribe",
            "subscribe me",
            "approve",
            "approve 1 2",
        ] {
            assert_eq!(Wish::parse(other), Wish::Help, "{other}");
        }
    }

    #[test]
    fn who_may_write_depends_on_the_list() {
        let list = |announcement, moderated| List {
            address: "list@example.com".parse().unwrap(),
            announcement,
            moderated,
            open: true,
            hidden: false,
            one_click: false,
            owner: "alice@example.com".parse().unwrap(),
            created: 0,
        };
        let may = |list: &List, standing| may_post(list, standing).ok();
        let (member, moderator) = (Some(Standing::Member), Some(Standing::Moderator));
        assert_eq!(may(&list(false, false), member), Some(false));
        assert_eq!(may(&list(false, true), member), Some(true));
        assert_eq!(may(&list(true, true), member), None);
        assert_eq!(may(&list(true, true), moderator), Some(false));
        assert_eq!(may(&list(false, false), Some(Standing::Invited)), None);
        assert_eq!(may(&list(false, false), None), None);
    }
}
