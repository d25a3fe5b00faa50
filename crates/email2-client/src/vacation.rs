//! What a person's server answers while they are away (spec §14.3).

use email2::limits;
use serde::Serialize;

use crate::Client;
use crate::imap::{ImapError, Mailboxes};
use crate::settings::SettingError;

const TEXT: &str = "/private/vendor/email2/vacation";
const DAYS: &str = "/private/vendor/email2/vacation-days";

/// What is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Vacation {
    /// The text; `None`: nobody is answered.
    pub text: Option<String>,
    /// For how many days nobody is answered again.
    pub days: u64,
}

/// What is answered now.
///
/// # Errors
/// See [`SettingError`].
pub async fn get(client: &Client) -> Result<Vacation, SettingError> {
    let mut mailboxes = Mailboxes::open(client).await?;
    let read = read(&mut mailboxes).await;
    mailboxes.close().await;
    Ok(read?)
}

/// Answers with this text from now on, or with none; `days` stays when it is not said.
///
/// # Errors
/// See [`SettingError`].
pub async fn set(
    client: &Client,
    text: Option<&str>,
    days: Option<u64>,
) -> Result<Vacation, SettingError> {
    let text = text.unwrap_or_default().trim();
    if text.len() > limits::SETTING_OCTETS || text.lines().count() > limits::SETTING_LINES {
        return Err(SettingError::TooMany);
    }
    let mut mailboxes = Mailboxes::open(client).await?;
    let written = write(&mut mailboxes, text, days).await;
    mailboxes.close().await;
    Ok(written?)
}

async fn write(
    mailboxes: &mut Mailboxes,
    text: &str,
    days: Option<u64>,
) -> Result<Vacation, ImapError> {
    if let Some(days) = days {
        let days = days.to_string();
        mailboxes.set_metadata(DAYS, days.as_bytes()).await?;
    }
    mailboxes.set_metadata(TEXT, text.as_bytes()).await?;
    read(mailboxes).await
}

async fn read(mailboxes: &mut Mailboxes) -> Result<Vacation, ImapError> {
    let text = mailboxes.metadata(TEXT).await?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    let days = mailboxes.metadata(DAYS).await?.unwrap_or_default();
    let days = String::from_utf8_lossy(&days).trim().parse();
    Ok(Vacation {
        text: (!text.is_empty()).then_some(text),
        days: days.unwrap_or(limits::ANSWER_PAUSE / 86_400),
    })
}
