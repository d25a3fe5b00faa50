//! `email2d user`: accounts.

use clap::Subcommand;
use email2::address::{Address, Identity};
use email2_store::{Account, NewAccount, Purpose, Secret};
use serde_json::json;

use super::output::rfc3339;
use super::{Desk, Failure};
use crate::held_key;
use crate::settings::{self, Name};

/// What can be done to accounts.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add an account; prints its one-time code
    Add {
        /// Its address
        address: String,
        /// How much it may hold: octets, or with KiB, MiB, GiB
        #[arg(long, value_name = "SIZE", value_parser = size)]
        quota: Option<u64>,
    },
    /// List the accounts
    List,
    /// Begin anew after a lost or stolen key: the old key is worth nothing from now on,
    /// all devices are signed out, a new one-time code is printed
    Reset {
        /// Whose account
        address: String,
    },
    /// Print a one-time code for a further device, which keeps the key
    Invite {
        /// Whose account
        address: String,
    },
    /// Remove an account with its mail; its key is worth nothing from now on
    Remove {
        /// Whose account
        address: String,
        /// Do it without asking again
        #[arg(long)]
        yes: bool,
    },
    /// Make a password for another program (IMAP, submission); shown once
    Password {
        /// Whose account
        address: String,
        /// What it is for
        #[arg(long, default_value = "program")]
        name: String,
    },
    /// Let this server hold a key for an account, so that it signs and seals what ordinary
    /// programs send; or forget it
    #[command(group = clap::ArgGroup::new("what").required(true))]
    Key {
        /// Whose account
        address: String,
        /// Make a key and hold it; everybody sees that a server does
        #[arg(long, group = "what")]
        hold: bool,
        /// Forget the key that is held; it is worth nothing from now on
        #[arg(long, group = "what")]
        drop: bool,
    },
    /// Set how much an account may hold
    Quota {
        /// Whose account
        address: String,
        /// Octets, or with KiB, MiB, GiB; `none` for no bound
        #[arg(value_name = "SIZE")]
        quota: String,
    },
    /// Say whether an account always seals: mail in its name without a seal is then refused by
    /// every server that knows Email 2.0
    Strict {
        /// Whose account
        address: String,
        /// Whether it does
        #[arg(value_parser = ["yes", "no"])]
        strict: String,
    },
    /// Say what becomes of mail without a seal to an account
    Legacy {
        /// Whose account
        address: String,
        /// Into the Inbox, into Junk, refused, or whatever is said for the domain
        #[arg(value_parser = ["accept", "junk", "reject", "default"])]
        legacy: String,
    },
}

/// Does it.
pub(super) async fn run(command: &Command, desk: Desk) -> Result<(), Failure> {
    match command {
        Command::Add { address, quota } => add(desk, address, *quota).await,
        Command::List => list(desk).await,
        Command::Reset { address } => reset(desk, address).await,
        Command::Invite { address } => invite(desk, address).await,
        Command::Remove { address, yes } => remove(desk, address, *yes).await,
        Command::Password { address, name } => password(desk, address, name).await,
        Command::Key {
            address,
            hold: true,
            ..
        } => hold_key(desk, address).await,
        Command::Key { address, .. } => drop_key(desk, address).await,
        Command::Quota { address, quota } => set_quota(desk, address, quota).await,
        Command::Strict { address, strict } => set_strict(desk, address, strict == "yes").await,
        Command::Legacy { address, legacy } => set_legacy(desk, address, legacy).await,
    }
}

async fn add(mut desk: Desk, text: &str, quota: Option<u64>) -> Result<(), Failure> {
    let address = parse(text)?;
    if desk.config.domain(address.domain()).is_none() {
        return Err(Failure::no_domain(format!(
            "{} is not served here: add a [[domain]] to the configuration first",
            address.domain()
        )));
    }
    let account = open_account(&desk, address, quota).await?;
    // An address that somebody had before is given away by a reset (spec §3.5.3).
    let who = Identity::Address(account.address.clone());
    let purpose = match desk.store.versions(&who).await?.is_empty() {
        true => Purpose::Add,
        false => Purpose::Reset,
    };
    let code = issue(&mut desk, &account, purpose).await?;
    let text = format!(
        "{address} added.\n\nOne-time code, valid for 7 days: {code}\n\nOn the device of its owner:\n  \
         email2 setup {address}",
        address = account.address,
        code = code.reveal()
    );
    let object = json!({"address": account.address.to_string(), "code": code.reveal()});
    desk.output.print(&text, &object)
}

/// Makes the account.
pub(super) async fn open_account(
    desk: &Desk,
    address: Address,
    quota: Option<u64>,
) -> Result<Account, Failure> {
    let account = NewAccount {
        address,
        quota,
        strict: false,
        unlisted: false,
    };
    Ok(desk.store.add_account(&account, desk.now).await?)
}

/// Makes a one-time code.
pub(super) async fn issue(
    desk: &mut Desk,
    account: &Account,
    purpose: Purpose,
) -> Result<Secret, Failure> {
    let code = Secret::code(&mut desk.rng);
    desk.store
        .issue_code(account.id, purpose, &code, desk.now)
        .await?;
    Ok(code)
}

async fn list(desk: Desk) -> Result<(), Failure> {
    for account in desk.store.list_accounts().await? {
        let served = desk
            .store
            .served(&Identity::Address(account.address.clone()))
            .await?;
        let key = served.map(|version| version.primary.to_string());
        let held = held_key::is_held(&desk.store, &account).await?;
        let quota = account
            .quota
            .map_or_else(|| "no quota".to_owned(), |quota| format!("of {quota}"));
        let text = format!(
            "{}\t{} octets {quota}\t{}{}",
            account.address,
            account.used,
            key.as_deref().unwrap_or("not enrolled"),
            if held { " held by this server" } else { "" }
        );
        let object = json!({
            "address": account.address.to_string(),
            "used": account.used,
            "quota": account.quota,
            "key": key,
            "held": held,
            "created": rfc3339(account.created),
        });
        desk.output.print(&text, &object)?;
    }
    Ok(())
}

async fn reset(mut desk: Desk, text: &str) -> Result<(), Failure> {
    let account = find(&desk, text).await?;
    let who = Identity::Address(account.address.clone());
    let ended = desk.store.mark_hard(&who, None).await?;
    let tokens = desk.store.tokens(account.id).await?;
    let tokens: Vec<_> = tokens.iter().map(|token| token.id).collect();
    desk.store.revoke_tokens(&tokens).await?;
    let code = issue(&mut desk, &account, Purpose::Reset).await?;
    let text = format!(
        "{} is reset: mail sealed by its old key is refused from now on, its devices ({}) are \
         signed out, and its correspondents will be asked about the new key.\n\n\
         One-time code, valid for 7 days: {}",
        account.address,
        tokens.len(),
        code.reveal()
    );
    let object = json!({
        "address": account.address.to_string(),
        "code": code.reveal(),
        "versions_ended": ended,
        "devices_signed_out": tokens.len(),
    });
    desk.output.print(&text, &object)
}

async fn invite(mut desk: Desk, text: &str) -> Result<(), Failure> {
    let account = find(&desk, text).await?;
    let code = issue(&mut desk, &account, Purpose::Add).await?;
    let text = format!("One-time code, valid for 7 days: {}", code.reveal());
    let object = json!({"address": account.address.to_string(), "code": code.reveal()});
    desk.output.print(&text, &object)
}

async fn remove(desk: Desk, text: &str, yes: bool) -> Result<(), Failure> {
    let account = find(&desk, text).await?;
    if !yes {
        return Err(Failure::data(format!(
            "this deletes {} with {} octets of mail: give --yes to do it",
            account.address, account.used
        )));
    }
    desk.store.remove_account(account.id, desk.now).await?;
    let address = account.address.to_string();
    desk.output
        .print(&format!("{address} removed."), &json!({"address": address}))
}

async fn password(mut desk: Desk, text: &str, name: &str) -> Result<(), Failure> {
    let account = find(&desk, text).await?;
    let token = Secret::token(&mut desk.rng);
    desk.store
        .add_token(account.id, name, &token, desk.now)
        .await?;
    let text = format!(
        "Password of {} for {name:?}, shown this once: {}",
        account.address,
        token.reveal()
    );
    let object = json!({
        "address": account.address.to_string(),
        "name": name,
        "password": token.reveal(),
    });
    desk.output.print(&text, &object)
}

async fn hold_key(mut desk: Desk, text: &str) -> Result<(), Failure> {
    let account = find(&desk, text).await?;
    let data = &desk.config.data_directory;
    let held = held_key::hold(data, &desk.store, &account, desk.now, &mut desk.rng).await;
    let primary = held?;
    let text = format!(
        "This server holds the key {primary} for {address}: what {address} sends by an ordinary \
         program is signed and sealed. Everybody sees that a server holds the key, and nobody \
         encrypts to it.",
        address = account.address
    );
    let object = json!({
        "address": account.address.to_string(),
        "held": true,
        "primary": primary.to_string(),
    });
    desk.output.print(&text, &object)
}

async fn drop_key(desk: Desk, text: &str) -> Result<(), Failure> {
    let account = find(&desk, text).await?;
    if !held_key::release(&desk.store, &account).await? {
        let why = format!("this server holds no key for {}", account.address);
        return Err(Failure::no_user(why));
    }
    let text = format!(
        "The key held for {address} is forgotten and worth nothing from now on. \
         `email2d user reset {address}` lets its owner make a new one.",
        address = account.address
    );
    let object = json!({"address": account.address.to_string(), "held": false});
    desk.output.print(&text, &object)
}

async fn set_quota(desk: Desk, text: &str, quota: &str) -> Result<(), Failure> {
    let account = find(&desk, text).await?;
    let quota = match quota {
        "none" => None,
        size_text => Some(size(size_text).map_err(Failure::data)?),
    };
    desk.store.set_quota(account.id, quota).await?;
    let address = account.address.to_string();
    let object = json!({"address": address, "quota": quota});
    desk.output
        .print(&format!("{address}: quota set."), &object)
}

/// The flag of its KEY answers (spec §3.5).
async fn set_strict(desk: Desk, text: &str, strict: bool) -> Result<(), Failure> {
    let account = find(&desk, text).await?;
    desk.store.set_strict(account.id, strict).await?;
    let address = account.address.to_string();
    let said = match strict {
        true => format!("{address} always seals: mail in its name without a seal is refused."),
        false => format!("{address} need not seal."),
    };
    desk.output
        .print(&said, &json!({"address": address, "strict": strict}))
}

/// The same setting that its owner has by IMAP METADATA (spec §10.2).
async fn set_legacy(desk: Desk, text: &str, word: &str) -> Result<(), Failure> {
    let account = find(&desk, text).await?;
    let value = (word != "default").then(|| word.as_bytes().to_vec());
    let values = vec![(Name::Legacy, value)];
    let set = settings::set(&desk.store, &account, values, desk.now).await;
    set.map_err(|error| Failure::data(error.to_string()))?;
    let address = account.address.to_string();
    let text = match word {
        "accept" => format!("{address}: mail without a seal goes to the Inbox, marked unverified."),
        "junk" => format!("{address}: mail without a seal goes to Junk, marked unverified."),
        "reject" => format!("{address}: mail without a seal is refused."),
        _ => format!("{address}: mail without a seal is treated as the configuration says."),
    };
    desk.output
        .print(&text, &json!({"address": address, "legacy": word}))
}

/// Reads an address given as an argument.
pub(super) fn parse(text: &str) -> Result<Address, Failure> {
    Address::parse(text).map_err(|error| Failure::data(format!("{text:?}: {error}")))
}

/// The account of an address given as an argument.
pub(super) async fn find(desk: &Desk, text: &str) -> Result<Account, Failure> {
    let address = parse(text)?;
    let found = desk.store.account(&address).await?;
    found.ok_or_else(|| Failure::no_user(format!("there is no account {address}")))
}

/// Reads a size: octets, or with a unit.
fn size(text: &str) -> Result<u64, String> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let unit = units
        .iter()
        .find_map(|(unit, octets)| Some((text.strip_suffix(unit)?, *octets)));
    let (number, octets) = unit.unwrap_or((text, 1));
    let number: Option<u64> = number.trim().parse().ok();
    number
        .and_then(|number| number.checked_mul(octets))
        .ok_or_else(|| format!("{text:?} is no size: give octets, or 500MiB, 2GiB"))
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("1024"), Ok(1024));
        assert_eq!(size("2GiB"), Ok(2 << 30));
        assert_eq!(size("5 MiB"), Ok(5 << 20));
        assert!(size("5MB").is_err());
        assert!(size("99999999999999GiB").is_err());
    }
}
