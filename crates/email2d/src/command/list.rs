//! `email2d list`: mailing lists, their members, and what waits for a moderator.

mod moderation;

use clap::Subcommand;
use email2::Address;
use email2_store::{List, Member, Standing};
use serde_json::json;

use super::{Desk, Failure, alias, user};

/// What can be done to lists.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a list
    Create {
        /// The address that people write to: letters, digits, `.`, `-` and `_` before the @
        address: String,
        /// The account of this server that gets the list's bounces
        #[arg(long)]
        owner: String,
        /// Only moderators write to it
        #[arg(long)]
        announcement: bool,
        /// What others than moderators write waits for one
        #[arg(long)]
        moderated: bool,
        /// Anybody may subscribe; else only who was invited
        #[arg(long)]
        open: bool,
        /// Every member gets a copy of their own, so that not even two of one domain see each
        /// other
        #[arg(long)]
        hidden: bool,
        /// Every copy carries a link of its member's own that leaves the list with one click, for
        /// programs of today (RFC 8058); needs HTTPS at this server's host name
        #[arg(long)]
        one_click: bool,
    },
    /// Change what a list is; what is not named stays
    Change {
        /// The list
        list: String,
        /// The account of this server that gets the list's bounces
        #[arg(long)]
        owner: Option<String>,
        /// Only moderators write to it: true or false
        #[arg(long)]
        announcement: Option<bool>,
        /// What others than moderators write waits for one: true or false
        #[arg(long)]
        moderated: Option<bool>,
        /// Anybody may subscribe: true or false
        #[arg(long)]
        open: Option<bool>,
        /// Every member gets a copy of their own: true or false
        #[arg(long)]
        hidden: Option<bool>,
        /// Every copy carries a link that leaves the list: true or false
        #[arg(long)]
        one_click: Option<bool>,
    },
    /// Put people on a list
    Add {
        /// The list
        list: String,
        /// Whom
        #[arg(required = true)]
        members: Vec<String>,
        /// They decide about what waits
        #[arg(long)]
        moderator: bool,
        /// They get nothing before they confirm, by a letter to LIST-request
        #[arg(long, conflicts_with = "moderator")]
        invite: bool,
    },
    /// Take people off a list; the whole list when nobody is named
    Remove {
        /// The list
        list: String,
        /// Whom
        members: Vec<String>,
        /// Remove a whole list without asking again
        #[arg(long)]
        yes: bool,
    },
    /// Show a list with its members; all lists when none is named
    Show {
        /// The list
        list: Option<String>,
    },
    /// Show the letters that wait for a moderator, the oldest first
    Waiting {
        /// The list
        list: String,
    },
    /// Send a letter that waits to the list
    Approve {
        /// The list
        list: String,
        /// Its number, as `waiting` shows it
        number: String,
    },
    /// Drop a letter that waits
    Reject {
        /// The list
        list: String,
        /// Its number, as `waiting` shows it
        number: String,
    },
}

/// Does it.
pub(super) async fn run(command: &Command, desk: Desk) -> Result<(), Failure> {
    match command {
        Command::Create { .. } => create(command, &desk).await,
        Command::Change { list, .. } => change(command, &desk, find(&desk, list).await?).await,
        Command::Waiting { list } => {
            let list = find(&desk, list).await?;
            moderation::show(&desk, &list).await
        }
        Command::Approve { list, number } => {
            let list = find(&desk, list).await?;
            moderation::decide(&desk, &list, number, true).await
        }
        Command::Reject { list, number } => {
            let list = find(&desk, list).await?;
            moderation::decide(&desk, &list, number, false).await
        }
        Command::Add {
            list,
            members,
            moderator,
            invite,
        } => add(&desk, list, members, standing(*moderator, *invite)).await,
        Command::Remove { list, members, yes } => remove(&desk, list, members, *yes).await,
        Command::Show { list: Some(list) } => show(&desk, &find(&desk, list).await?).await,
        Command::Show { list: None } => {
            let lists = desk.store.lists().await?;
            lists.iter().try_for_each(|list| {
                let address = list.address.to_string();
                desk.output.print(&address, &json!({"list": address}))
            })
        }
    }
}

fn standing(moderator: bool, invite: bool) -> Standing {
    match (moderator, invite) {
        (true, _) => Standing::Moderator,
        (false, true) => Standing::Invited,
        (false, false) => Standing::Member,
    }
}

async fn create(command: &Command, desk: &Desk) -> Result<(), Failure> {
    let Command::Create {
        address,
        owner,
        announcement,
        moderated,
        open,
        hidden,
        one_click,
    } = command
    else {
        return Ok(());
    };
    let address = alias::served(desk, address)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !address.local().chars().all(is_plain) || address.local().ends_with("-request") {
        return Err(Failure::data(format!(
            "{address}: before the @ stand letters, digits, `.`, `-` and `_`, and -request is \
             the list's own"
        )));
    }
    let list = List {
        address,
        announcement: *announcement,
        moderated: *moderated,
        open: *open,
        hidden: *hidden,
        one_click: *one_click,
        owner: user::find(desk, owner).await?.address,
        created: desk.now,
    };
    desk.store.add_list(&list).await?;
    show(desk, &list).await
}

async fn change(command: &Command, desk: &Desk, list: List) -> Result<(), Failure> {
    let Command::Change {
        owner,
        announcement,
        moderated,
        open,
        hidden,
        one_click,
        ..
    } = command
    else {
        return Ok(());
    };
    let owner = match owner {
        Some(owner) => user::find(desk, owner).await?.address,
        None => list.owner.clone(),
    };
    let list = List {
        announcement: announcement.unwrap_or(list.announcement),
        moderated: moderated.unwrap_or(list.moderated),
        open: open.unwrap_or(list.open),
        hidden: hidden.unwrap_or(list.hidden),
        one_click: one_click.unwrap_or(list.one_click),
        owner,
        ..list
    };
    desk.store.change_list(&list).await?;
    show(desk, &list).await
}

async fn find(desk: &Desk, text: &str) -> Result<List, Failure> {
    let address = user::parse(text)?;
    desk.store.list(&address).await?.ok_or_else(|| {
        Failure::no_user(format!(
            "there is no list {address}; `email2d list show` shows what there is"
        ))
    })
}

async fn add(
    desk: &Desk,
    list: &str,
    members: &[String],
    standing: Standing,
) -> Result<(), Failure> {
    let list = find(desk, list).await?;
    for text in members {
        let address = user::parse(text)?;
        refuse_list(desk, &list, &address).await?;
        let member = Member {
            address,
            standing,
            since: desk.now,
        };
        desk.store.set_member(&list.address, &member).await?;
    }
    show(desk, &list).await
}

/// A list takes only what its author wrote to the list itself (spec §14.4.1), so nothing of
/// another list, or of its own, ever reaches one.
async fn refuse_list(desk: &Desk, list: &List, member: &Address) -> Result<(), Failure> {
    if *member == list.address {
        return Err(Failure::data("a list is no member of itself"));
    }
    let office = member.local().strip_suffix("-request");
    let of = office
        .and_then(|local| Address::from_parts(local.to_owned(), member.domain().clone()).ok());
    let named = of.as_ref().unwrap_or(member);
    if desk.store.list(member).await?.is_some() || desk.store.list(named).await?.is_some() {
        return Err(Failure::data(format!(
            "{member} is a list's own: a list takes only what is written to it; add its members \
             instead"
        )));
    }
    Ok(())
}

async fn remove(desk: &Desk, list: &str, members: &[String], yes: bool) -> Result<(), Failure> {
    let list = find(desk, list).await?;
    if members.is_empty() {
        if !yes {
            return Err(Failure::data(format!(
                "this removes {} with all its members: repeat it with --yes",
                list.address
            )));
        }
        desk.store.remove_list(&list.address).await?;
    }
    let mut removed = 0;
    for text in members {
        let address = user::parse(text)?;
        removed += u64::from(desk.store.remove_member(&list.address, &address).await?);
    }
    desk.output
        .print(&format!("{removed} removed."), &json!({"removed": removed}))
}

async fn show(desk: &Desk, list: &List) -> Result<(), Failure> {
    let members = desk.store.members(&list.address).await?;
    let words = [
        (list.announcement, "announcement"),
        (list.moderated, "moderated"),
        (list.open, "open"),
        (list.hidden, "hidden"),
        (list.one_click, "one-click"),
    ];
    let words: Vec<&str> = words
        .iter()
        .filter(|(is, _)| *is)
        .map(|(_, w)| *w)
        .collect();
    let mut text = format!(
        "{} ({}), owner {}, {} members",
        list.address,
        words.join(", "),
        list.owner,
        members.len()
    );
    for member in &members {
        text.push_str(&format!(
            "\n  {} {}",
            member.standing.as_str(),
            member.address
        ));
    }
    let object = json!({
        "list": list.address.to_string(),
        "owner": list.owner.to_string(),
        "properties": words,
        "members": members.iter().map(|member| json!({
            "address": member.address.to_string(),
            "standing": member.standing.as_str(),
        })).collect::<Vec<_>>(),
    });
    desk.output.print(&text, &object)
}
