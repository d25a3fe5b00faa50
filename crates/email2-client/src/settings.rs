//! A person's settings at their server, by IMAP METADATA (spec §10.2).

use email2::block::BlockPattern;
use email2::{Address, limits};

use crate::Client;
use crate::imap::{ImapError, Mailboxes};

/// A setting: one value a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setting {
    /// Who is blocked: addresses, domains, patterns (spec §10.1).
    Blocks,
    /// Whose first message does not wait.
    Contacts,
    /// Where mail is passed on to: addresses, and `keep` for a copy here (spec §14.2).
    Forward,
    /// Mediators' addresses that mail may come over (spec §4.6).
    Forwarders,
    /// How ordinary mail is treated: `accept`, `junk` or `reject` (spec §10.4).
    Legacy,
    /// Where the mail of those waits who are no contacts: `inbox` or `requests` (spec §10.5).
    Strangers,
}

/// Why a setting cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// The server cannot be asked. Sysexits as [`ImapError`] says.
    #[error(transparent)]
    Imap(#[from] ImapError),
    /// The value is not one. Sysexits 65.
    #[error("{value:?} is not {expected}")]
    Value {
        /// What was given.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// There would be too many (spec §10.2.1). Sysexits 65.
    #[error("a setting holds at most {} lines and 64 KiB", limits::SETTING_LINES)]
    TooMany,
}

impl Setting {
    /// The entry of METADATA.
    #[must_use]
    pub fn entry(self) -> &'static str {
        match self {
            Setting::Blocks => "/private/vendor/email2/blocks",
            Setting::Contacts => "/private/vendor/email2/contacts",
            Setting::Forward => "/private/vendor/email2/forward",
            Setting::Forwarders => "/private/vendor/email2/forwarders",
            Setting::Legacy => "/private/vendor/email2/legacy",
            Setting::Strangers => "/private/vendor/email2/strangers",
        }
    }

    /// The value in its one form.
    fn normal(self, value: &str) -> Result<String, SettingError> {
        let value = value.trim();
        let (normal, expected) = match self {
            Setting::Blocks => (
                BlockPattern::parse(value).ok().map(|v| v.to_string()),
                "an address, @domain or a pattern with *",
            ),
            // An address stays as it is (spec §10.5.2); a pattern has its own form.
            Setting::Contacts => (
                Address::parse(value)
                    .map(|v| v.to_string())
                    .or_else(|_| BlockPattern::parse(value).map(|v| v.to_string()))
                    .ok(),
                "an address, @domain or a pattern with *",
            ),
            Setting::Forward => (
                word(value, &["keep"])
                    .or_else(|| Address::parse(value).ok().map(|v| v.to_string())),
                "an address, or keep",
            ),
            Setting::Forwarders => (
                Address::parse(value).ok().map(|v| v.to_string()),
                "an address",
            ),
            Setting::Legacy => (
                word(value, &["accept", "junk", "reject"]),
                "accept, junk or reject",
            ),
            Setting::Strangers => (word(value, &["inbox", "requests"]), "inbox or requests"),
        };
        normal.ok_or_else(|| SettingError::Value {
            value: value.to_owned(),
            expected,
        })
    }
}

fn word(value: &str, of: &[&str]) -> Option<String> {
    of.contains(&value).then(|| value.to_owned())
}

/// The values of a setting.
///
/// # Errors
/// See [`SettingError`].
pub async fn get(client: &Client, setting: Setting) -> Result<Vec<String>, SettingError> {
    let mut mailboxes = Mailboxes::open(client).await?;
    let values = read(&mut mailboxes, setting).await;
    mailboxes.close().await;
    Ok(values?)
}

/// Adds a value; `false` when it was there.
///
/// # Errors
/// See [`SettingError`].
pub async fn add(client: &Client, setting: Setting, value: &str) -> Result<bool, SettingError> {
    let value = setting.normal(value)?;
    change(client, setting, |values| {
        let new = !values.contains(&value);
        if new {
            values.push(value);
        }
        new
    })
    .await
}

/// Removes a value; `false` when it was not there.
///
/// # Errors
/// See [`SettingError`].
pub async fn remove(client: &Client, setting: Setting, value: &str) -> Result<bool, SettingError> {
    let value = setting.normal(value)?;
    change(client, setting, |values| {
        let before = values.len();
        values.retain(|own| *own != value);
        values.len() < before
    })
    .await
}

/// Puts `values` in place of what was.
///
/// # Errors
/// See [`SettingError`].
pub async fn set(client: &Client, setting: Setting, values: &[String]) -> Result<(), SettingError> {
    let normal: Result<Vec<String>, SettingError> =
        values.iter().map(|value| setting.normal(value)).collect();
    let normal = normal?;
    change(client, setting, |values| {
        *values = normal;
        true
    })
    .await
    .map(drop)
}

async fn change(
    client: &Client,
    setting: Setting,
    apply: impl FnOnce(&mut Vec<String>) -> bool,
) -> Result<bool, SettingError> {
    let mut mailboxes = Mailboxes::open(client).await?;
    let changed = rewrite(&mut mailboxes, setting, apply).await;
    mailboxes.close().await;
    changed
}

pub(crate) async fn rewrite(
    mailboxes: &mut Mailboxes,
    setting: Setting,
    apply: impl FnOnce(&mut Vec<String>) -> bool,
) -> Result<bool, SettingError> {
    let mut values = read(mailboxes, setting).await?;
    if !apply(&mut values) {
        return Ok(false);
    }
    let text = joined(&values)?;
    mailboxes
        .set_metadata(setting.entry(), text.as_bytes())
        .await?;
    Ok(true)
}

pub(crate) async fn read(
    mailboxes: &mut Mailboxes,
    setting: Setting,
) -> Result<Vec<String>, ImapError> {
    let value = mailboxes.metadata(setting.entry()).await?;
    let text = String::from_utf8_lossy(&value.unwrap_or_default()).into_owned();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}

/// One value a line; LF ends a line.
fn joined(values: &[String]) -> Result<String, SettingError> {
    let text: String = values
        .iter()
        .flat_map(|value| [value.as_str(), "\n"])
        .collect();
    if values.len() > limits::SETTING_LINES || text.len() > limits::SETTING_OCTETS {
        return Err(SettingError::TooMany);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_one_form() {
        let normal = |setting: Setting, value| setting.normal(value).ok();
        assert_eq!(
            normal(Setting::Blocks, " @Example.ORG").as_deref(),
            Some("@example.org")
        );
        assert_eq!(normal(Setting::Contacts, "no address"), None);
        assert_eq!(normal(Setting::Legacy, "junk").as_deref(), Some("junk"));
        assert_eq!(normal(Setting::Legacy, "maybe"), None);
    }

    #[test]
    fn a_setting_is_bounded() {
        let many = vec!["a@b.example".to_owned(); limits::SETTING_LINES + 1];
        assert!(matches!(joined(&many), Err(SettingError::TooMany)));
        assert_eq!(joined(&many[..2]).unwrap(), "a@b.example\na@b.example\n");
    }
}
