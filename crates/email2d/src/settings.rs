//! A person's settings (spec §10.2): what each may hold, and where it is kept.
//! Blocks stand where `email2d block` finds them; the others are kept as they are written.

use email2::address::{Address, Identity};
use email2::block::BlockPattern;
use email2::limits;
use email2::verdict::Legacy;
use email2_store::{Account, AccountId, Recipient, Scope, Store, StoreError};

use crate::mediator::forward::{Rule, RuleError};

/// Which setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// From whom nothing is wanted (spec §10.1).
    Blocks,
    /// Whom the person knows (spec §10.5).
    Contacts,
    /// Where the person's mail is passed on to (spec §14.2).
    Forward,
    /// Addresses of registered mediators, one a line (spec §4.6.4).
    Forwarders,
    /// How unsealed mail is treated (spec §10.4).
    Legacy,
    /// Where the mail of those waits whom the person does not know (spec §10.5).
    Strangers,
    /// What everybody is answered who writes (spec §14.3).
    Vacation,
    /// How many days nobody is answered again.
    VacationDays,
}

/// The mailbox where strangers' mail waits (spec §10.5).
pub(crate) const REQUESTS: &str = "Requests";

/// One line of the contacts (spec §10.5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Contact {
    /// Exactly this address.
    Address(Address),
    /// A domain or a pattern.
    Pattern(BlockPattern),
}

impl Contact {
    fn parse(line: &str) -> Option<Contact> {
        match Address::parse(line) {
            Ok(address) => Some(Contact::Address(address)),
            Err(_) => Some(Contact::Pattern(BlockPattern::parse(line).ok()?)),
        }
    }

    /// Is it about this author?
    pub(crate) fn is(&self, author: &Address) -> bool {
        match self {
            Contact::Address(address) => address == author,
            Contact::Pattern(pattern) => pattern.matches(&Identity::Address(author.clone())),
        }
    }
}

/// Whom a person knows, from the setting's value.
pub(crate) fn contacts(value: &[u8]) -> Vec<Contact> {
    let text = String::from_utf8_lossy(value);
    let lines = text.lines().map(str::trim);
    lines.filter_map(Contact::parse).collect()
}

/// Does the mail of others wait in Requests (spec §10.5.1)? From the setting's value.
pub(crate) fn wait_in_requests(strangers: &[u8]) -> bool {
    strangers.trim_ascii() == b"requests"
}

impl Name {
    /// The name in the store.
    fn as_str(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Contacts => CONTACTS,
            Self::Forward => FORWARD,
            Self::Forwarders => FORWARDERS,
            Self::Legacy => LEGACY,
            Self::Strangers => STRANGERS,
            Self::Vacation => VACATION,
            Self::VacationDays => VACATION_DAYS,
        }
    }
}

/// Why a setting cannot be kept; one ASCII sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingError {
    /// spec §10.2.1
    #[error("an entry has at most 64 KiB and 2,000 lines")]
    TooLarge,
    /// A line that is none.
    #[error("line {line} of {setting} is not {wanted}")]
    Line {
        /// From 1.
        line: usize,
        /// The setting.
        setting: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// Another word.
    #[error("strangers is inbox or requests")]
    Strangers,
    /// Another word.
    #[error("legacy is accept, junk or reject")]
    Legacy,
    /// RFC 5230 §4.1
    #[error("vacation-days is a number from 1 to {}", limits::ANSWER_DAYS)]
    Days,
    /// Where mail is passed on to.
    #[error(transparent)]
    Forward(#[from] RuleError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The name of the setting with the mediators' addresses.
pub(crate) const FORWARDERS: &str = "forwarders";
/// The name of the setting that says how unsealed mail is treated.
pub(crate) const LEGACY: &str = "legacy";
/// The name of the setting with those whom the person knows.
pub(crate) const CONTACTS: &str = "contacts";
/// The name of the setting that says where the mail of others goes.
pub(crate) const STRANGERS: &str = "strangers";

/// The name of the setting that says where mail is passed on to.
pub(crate) const FORWARD: &str = "forward";
/// The name under which the server keeps which of these addresses confirmed; nobody else sets it.
pub(crate) const CONFIRMED: &str = "forward-confirmed";

/// The name of the setting with the automatic answer.
pub(crate) const VACATION: &str = "vacation";

/// The automatic answer, if there is one, from the setting's value.
pub(crate) fn vacation(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value);
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The name of the setting with the days for which nobody is answered again.
pub(crate) const VACATION_DAYS: &str = "vacation-days";

/// How long nobody is answered again, seconds, from the setting's value.
pub(crate) fn vacation_pause(value: &[u8]) -> Option<u64> {
    let days: u64 = std::str::from_utf8(value).ok()?.trim().parse().ok()?;
    let allowed = (1..=limits::ANSWER_DAYS).contains(&days);
    allowed.then_some(days * DAY)
}

const DAY: u64 = 86_400;

/// What must be known of everyone to whom mail comes.
pub(crate) const OF_RECIPIENTS: [&str; 8] = [
    FORWARDERS,
    STRANGERS,
    CONTACTS,
    LEGACY,
    FORWARD,
    CONFIRMED,
    VACATION,
    VACATION_DAYS,
];

/// The value of one of [`OF_RECIPIENTS`].
pub(crate) fn of<'a>(recipient: &'a Recipient, name: &str) -> Option<&'a [u8]> {
    let place = OF_RECIPIENTS.iter().position(|known| *known == name)?;
    recipient.settings.get(place)?.as_deref()
}

/// How unsealed mail is treated (spec §10.4), from the setting's value; `None`: as the domain says.
pub(crate) fn legacy(value: &[u8]) -> Option<Legacy> {
    match value.trim_ascii() {
        b"accept" => Some(Legacy::Accept),
        b"junk" => Some(Legacy::Junk),
        b"reject" => Some(Legacy::Reject),
        _ => None,
    }
}

/// The mediators' addresses that an account registered (spec §4.6.4), from the setting's value.
pub(crate) fn forwarders(value: &[u8]) -> Vec<Address> {
    let text = String::from_utf8_lossy(value);
    text.lines()
        .filter_map(|line| Address::parse(line.trim()).ok())
        .collect()
}

/// The value of a setting.
///
/// # Errors
/// As the store says.
pub(crate) async fn get(
    store: &Store,
    account: AccountId,
    name: Name,
) -> Result<Option<Vec<u8>>, StoreError> {
    let scope = Scope::Account(account);
    if name != Name::Blocks {
        return store.setting(scope, name.as_str()).await;
    }
    let blocks = store.blocks(scope).await?;
    let text: String = blocks.iter().map(|block| format!("{block}\n")).collect();
    Ok((!text.is_empty()).then(|| text.into_bytes()))
}

/// Sets all of these, or none; `None` removes.
///
/// # Errors
/// The first value that is none, before anything is kept; or the store's.
pub(crate) async fn set(
    store: &Store,
    account: &Account,
    values: Vec<(Name, Option<Vec<u8>>)>,
    now: u64,
) -> Result<(), SettingError> {
    let scope = Scope::Account(account.id);
    let mut blocks = None;
    let mut others = Vec::new();
    for (name, value) in values {
        let text = checked(name, value.as_deref().unwrap_or_default())?;
        if name == Name::Blocks {
            blocks = Some(lines(name, text, "an address, @domain or pattern")?);
        } else {
            others.push((name.as_str().to_owned(), value));
        }
    }
    if !others.is_empty() {
        store.set(scope, others).await?;
    }
    if let Some(blocks) = blocks {
        store.replace_blocks(scope, &blocks, now).await?;
    }
    Ok(())
}

/// The text of a value that may be kept.
fn checked(name: Name, value: &[u8]) -> Result<&str, SettingError> {
    if value.len() > limits::SETTING_OCTETS {
        return Err(SettingError::TooLarge);
    }
    let text = std::str::from_utf8(value).map_err(|_| SettingError::Line {
        line: 1,
        setting: name.as_str(),
        wanted: "UTF-8",
    })?;
    if text.lines().count() > limits::SETTING_LINES {
        return Err(SettingError::TooLarge);
    }
    match name {
        Name::Blocks => {}
        Name::Contacts => drop(lines::<BlockPattern>(name, text, "an address or pattern")?),
        Name::Vacation => {}
        Name::VacationDays if text.trim().is_empty() || vacation_pause(value).is_some() => {}
        Name::VacationDays => return Err(SettingError::Days),
        Name::Forward => drop(Rule::parse(text)?),
        Name::Forwarders => drop(lines::<Address>(name, text, "an address")?),
        Name::Legacy if text.trim().is_empty() || legacy(value).is_some() => {}
        Name::Legacy => return Err(SettingError::Legacy),
        Name::Strangers if matches!(text.trim(), "" | "inbox" | "requests") => {}
        Name::Strangers => return Err(SettingError::Strangers),
    }
    Ok(text)
}

/// Every line that is not empty, read.
fn lines<T: std::str::FromStr>(
    name: Name,
    text: &str,
    wanted: &'static str,
) -> Result<Vec<T>, SettingError> {
    let written = text.lines().map(str::trim).enumerate();
    let written = written.filter(|(_, line)| !line.is_empty());
    let read = written.map(|(index, line)| {
        line.parse().map_err(|_| SettingError::Line {
            line: index + 1,
            setting: name.as_str(),
            wanted,
        })
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: Name, value: &str) -> String {
        checked(name, value.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn values_are_checked_line_by_line() {
        assert!(
            checked(
                Name::Contacts,
                b"bob@example.org\r\n\r\n@example.com\n*@x.*\n"
            )
            .is_ok()
        );
        assert_eq!(
            refused(Name::Forwarders, "list@example.org\n@example.org\n"),
            "line 2 of forwarders is not an address"
        );
        assert!(checked(Name::Legacy, b"junk\n").is_ok() && checked(Name::Legacy, b"").is_ok());
        assert_eq!(legacy(b"accept\r\n"), Some(Legacy::Accept));
        assert_eq!(
            refused(Name::Legacy, "some"),
            "legacy is accept, junk or reject"
        );
    }

    /// A stranger whose address differs in nothing but case is another person's (spec §10.5.2).
    #[test]
    fn a_contact_is_an_address_exactly_or_a_pattern() {
        let is = |line: &str, author: &str| {
            let author = author.parse().unwrap();
            Contact::parse(line).unwrap().is(&author)
        };
        assert!(is("bob@example.org", "bob@Example.ORG"));
        assert!(!is("bob@example.org", "Bob@example.org"));
        assert!(!is("bob@example.org", "bob+x@example.org"));
        assert!(is("@example.org", "anybody@example.org"));
        assert!(is("*@example.*", "anybody@example.net"));
        assert_eq!(vacation_pause(b"3\n"), Some(3 * DAY));
        for wrong in ["0", "31", "a week", "-1"] {
            assert_eq!(
                refused(Name::VacationDays, wrong),
                "vacation-days is a number from 1 to 30"
            );
        }
        assert!(Contact::parse("*").is_none() && Contact::parse("bob").is_none());
        assert!(checked(Name::Strangers, b"requests\n").is_ok());
        assert_eq!(
            refused(Name::Strangers, "junk"),
            "strangers is inbox or requests"
        );
    }

    /// Both sides of each bound (spec §10.2.1).
    #[test]
    fn an_entry_has_its_bounds() {
        let line = "bob@example.org\n";
        assert!(checked(Name::Blocks, line.repeat(2_000).as_bytes()).is_ok());
        assert!(refused(Name::Blocks, &line.repeat(2_001)).contains("2,000 lines"));
        assert!(checked(Name::Blocks, " ".repeat(65_536).as_bytes()).is_ok());
        assert!(refused(Name::Blocks, &" ".repeat(65_537)).contains("64 KiB"));
    }
}
