//! A message is made: from what was typed, or from a file (RFC 5322).

use email2::address::{Address, AddressError};
use email2::header::parse_from;
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address as Mailbox;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::MimePart;
use rand_core::{CryptoRng, RngCore};

pub use super::import::{File, ImportError};

/// A message and its recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    /// The whole message (RFC 5322), lines ended by CRLF, without Bcc.
    pub message: Vec<u8>,
    /// Those in To and Cc.
    pub visible: Vec<Address>,
    /// Those whom nobody else may learn of.
    pub bcc: Vec<Address>,
}

/// Where a message comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// It was typed.
    Letter(Letter),
    /// It lies in a file.
    File(File),
}

/// A message as it was typed.
#[derive(Clone, Debug, Default)]
pub struct Letter {
    /// Recipients: `address` or `name <address>`.
    pub to: Vec<String>,
    /// Recipients of a copy.
    pub cc: Vec<String>,
    /// Recipients of a blind copy.
    pub bcc: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The text.
    pub body: String,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// The message that this answers: its Message-ID without brackets.
    pub in_reply_to: Option<String>,
    /// The thread: Message-IDs without brackets, oldest first.
    pub references: Vec<String>,
}

/// A file that goes with a message.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// Its name, without a path.
    pub name: String,
    /// Its content.
    pub octets: Vec<u8>,
}

/// Why a message cannot be made. Sysexits 65, or 64 for recipients that are no addresses.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// A recipient is no address.
    #[error("{given:?} is not an address: {error}")]
    Recipient {
        /// As it was given.
        given: String,
        /// Why.
        error: AddressError,
    },
    /// Nobody to send to.
    #[error("no recipients: give --to, --cc or --bcc")]
    NoRecipients,
    /// A subject with a line break or another control character.
    #[error("the subject has a control character")]
    Subject,
    /// The file cannot be sent.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The message cannot be written.
    #[error("the message cannot be made: {0}")]
    Write(std::io::Error),
}

/// Makes the message.
///
/// # Errors
/// See [`ComposeError`].
pub fn compose(
    source: Source,
    from: &Address,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Composed, ComposeError> {
    match source {
        Source::Letter(letter) => write(letter, from, now, rng),
        Source::File(file) => Ok(super::import::import(file, from)?),
    }
}

/// Reads recipients: `address` or `name <address>`, each with its name.
///
/// # Errors
/// [`ComposeError::Recipient`].
pub fn recipients(given: &[String]) -> Result<Vec<(Option<String>, Address)>, ComposeError> {
    given.iter().map(|one| recipient(one)).collect()
}

fn recipient(given: &str) -> Result<(Option<String>, Address), ComposeError> {
    let given = given.trim();
    match Address::parse(given) {
        Ok(address) => Ok((None, address)),
        Err(error) => match parse_from(given.as_bytes()) {
            Ok(parsed) => Ok((parsed.display_name, parsed.address)),
            Err(_) => Err(ComposeError::Recipient {
                given: given.to_owned(),
                error,
            }),
        },
    }
}

fn write(
    letter: Letter,
    from: &Address,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Composed, ComposeError> {
    let composed = draft(letter, from, now, rng)?;
    if composed.visible.is_empty() && composed.bcc.is_empty() {
        return Err(ComposeError::NoRecipients);
    }
    Ok(composed)
}

/// The message of a letter that may lack recipients still.
///
/// # Errors
/// See [`ComposeError`].
pub fn draft(
    letter: Letter,
    from: &Address,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Composed, ComposeError> {
    let (to, cc) = (recipients(&letter.to)?, recipients(&letter.cc)?);
    let bcc = addresses(&recipients(&letter.bcc)?);
    let visible = addresses(&[to.clone(), cc.clone()].concat());
    if letter.subject.chars().any(char::is_control) {
        return Err(ComposeError::Subject);
    }
    let mut builder = MessageBuilder::new()
        .from(from.to_string())
        .message_id(message_id(from, rng))
        .date(Date::new(i64::try_from(now).unwrap_or_default()))
        .subject(letter.subject.clone());
    builder = match (to.is_empty(), cc.is_empty()) {
        // RFC 5322 §3.6.3 lets To be absent; many programs do not.
        (true, true) => builder.header("To", Raw::new("undisclosed-recipients:;")),
        (true, false) => builder.cc(mailboxes(&cc)),
        (false, true) => builder.to(mailboxes(&to)),
        (false, false) => builder.to(mailboxes(&to)).cc(mailboxes(&cc)),
    };
    builder = threaded(builder, &letter);
    let message = builder
        .body(body(letter, rng))
        .write_to_vec()
        .map_err(ComposeError::Write)?;
    Ok(Composed {
        message,
        visible,
        bcc,
    })
}

fn threaded<'x>(builder: MessageBuilder<'x>, letter: &Letter) -> MessageBuilder<'x> {
    let Some(answered) = letter.in_reply_to.clone() else {
        return builder;
    };
    let mut references = letter.references.clone();
    if !references.contains(&answered) {
        references.push(answered.clone());
    }
    builder.in_reply_to(answered).references(references)
}

fn body<'x>(letter: Letter, rng: &mut (impl CryptoRng + RngCore)) -> MimePart<'x> {
    let mut text = letter.body;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let text = MimePart::new(
        ContentType::new("text/plain").attribute("charset", "utf-8"),
        text,
    );
    if letter.attachments.is_empty() {
        return text;
    }
    let mut parts = vec![text];
    for file in letter.attachments {
        let part = MimePart::new("application/octet-stream", file.octets);
        parts.push(part.attachment(file.name));
    }
    let mixed = ContentType::new("multipart/mixed").attribute("boundary", random(rng));
    MimePart::new(mixed, parts)
}

fn mailboxes<'x>(of: &[(Option<String>, Address)]) -> Mailbox<'x> {
    let one = |(name, address): &(Option<String>, Address)| {
        Mailbox::new_address(name.clone(), address.to_string())
    };
    Mailbox::new_list(of.iter().map(one).collect())
}

fn addresses(of: &[(Option<String>, Address)]) -> Vec<Address> {
    of.iter().map(|(_, address)| address.clone()).collect()
}

/// Random, at the author's domain: it tells nothing about the device.
fn message_id(from: &Address, rng: &mut (impl CryptoRng + RngCore)) -> String {
    format!("{}@{}", random(rng), from.domain())
}

/// 32 hex digits.
fn random(rng: &mut (impl CryptoRng + RngCore)) -> String {
    format!("{:016x}{:016x}", rng.next_u64(), rng.next_u64())
}
