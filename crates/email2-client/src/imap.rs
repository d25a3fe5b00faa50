//! One's own mailboxes, by IMAP (RFC 3501 and what is named below): a small client of our own,
//! which reads whatever comes without panicking and keeps passwords out of logs.

mod fetch;
mod response;
mod wire;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use email2::Address;
use email2_io::clock::{Elapsed, within};
use email2_io::{Clock, Stream};
use email2_remote::connect::OpenError;
use email2_remote::resolve::Host;
use zeroize::Zeroizing;

use crate::home::{self, HomeError};
use crate::keyring::{self, KeyringError};
use crate::{Client, ClientError};

pub use fetch::Item;
use response::{Response, Status, Token};
use wire::Wire;

/// How long the server may take for one response.
const REPLY_LIMIT: Duration = Duration::from_secs(60);

/// Messages fetched by one command.
const AT_ONCE: usize = 200;

/// What a server's octets say of messages, as far as they are understood: for whoever wants to
/// see what a broken server would come to. Octets behind the last whole response are left out.
#[must_use]
pub fn understood(octets: &[u8]) -> Vec<Item> {
    let responses = response::cut(octets);
    responses.iter().filter_map(Item::read).collect()
}

/// Why one's own mailboxes cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImapError {
    /// Nothing is set up here. Sysexits 78.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The device's token cannot be read. Sysexits 78 or 74.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The server is not found. Sysexits 68.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The server cannot be talked to, or is not to be trusted. Sysexits 75 or 77.
    #[error("the mail server cannot be used: {0}")]
    Open(#[from] OpenError),
    /// The connection broke. Sysexits 75.
    #[error("the connection to the mail server broke: {0}")]
    Broken(#[from] std::io::Error),
    /// The server took too long. Sysexits 75.
    #[error("the mail server does not answer")]
    Late,
    /// The sign-in was refused. Sysexits 77.
    #[error("the mail server refuses the sign-in: {0}")]
    SignIn(String),
    /// The server says no; its words. Sysexits 69.
    #[error("the mail server says: {0}")]
    No(String),
    /// What the server says is no IMAP. Sysexits 65.
    #[error("the mail server answers out of form: {0}")]
    Malformed(&'static str),
    /// There is no such message. Sysexits 65.
    #[error("there is no message {0}")]
    NoMessage(String),
    /// There is no such mailbox. Sysexits 65.
    #[error("there is no mailbox {0}")]
    NoMailbox(String),
}

/// A mailbox as LIST names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name, as the server writes it.
    pub name: String,
    /// Its special use (RFC 6154), as `\Sent`.
    pub special: Option<String>,
}

/// A mailbox as it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// How many messages it has.
    pub exists: u32,
    /// UIDs are comparable while this stays the same.
    pub uid_validity: u32,
    /// The next message gets at least this UID.
    pub uid_next: u32,
}

/// A dialogue with one's own server, signed in.
pub struct Mailboxes {
    wire: Wire,
}

impl std::fmt::Debug for Mailboxes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailboxes")
    }
}

impl Mailboxes {
    /// Connects to one's own server and signs in with the device's token, which is said only to
    /// a host that is authenticated, or by an authority that the person gave (spec §2.6.1).
    ///
    /// # Errors
    /// See [`ImapError`].
    pub async fn open(client: &Client) -> Result<Self, ImapError> {
        let address = client.address()?;
        let token = keyring::token(client.place())?;
        let stream = connect(client, address).await?;
        let wire = Wire::new(stream, client.world().clock.clone());
        let mut mailboxes = Mailboxes { wire };
        mailboxes.greeted().await?;
        mailboxes.sign_in(address, &token).await?;
        Ok(mailboxes)
    }

    async fn greeted(&mut self) -> Result<(), ImapError> {
        let greeting = self.wire.response(REPLY_LIMIT).await?;
        match greeting.status() {
            Some(Status::Ok) => Ok(()),
            _ => Err(ImapError::No(greeting.text())),
        }
    }

    /// AUTHENTICATE PLAIN (RFC 4616): LOGIN could not say an address beyond ASCII.
    async fn sign_in(&mut self, address: &Address, token: &str) -> Result<(), ImapError> {
        let secret = Zeroizing::new(format!("\0{address}\0{token}"));
        let line = Zeroizing::new(STANDARD.encode(secret.as_bytes()) + "\r\n");
        let tag = self.wire.begin("AUTHENTICATE PLAIN").await?;
        let mut answered = false;
        loop {
            let response = self.wire.response(REPLY_LIMIT).await?;
            if response.is_continuation() && !answered {
                answered = true;
                self.wire.send(line.as_bytes()).await?;
            } else if response.is_tagged(&tag) {
                return match response.status() {
                    Some(Status::Ok) => Ok(()),
                    _ => Err(ImapError::SignIn(response.text())),
                };
            }
        }
    }

    /// All mailboxes.
    ///
    /// # Errors
    /// See [`ImapError`].
    pub async fn list(&mut self) -> Result<Vec<Listed>, ImapError> {
        let responses = self.command("LIST \"\" \"*\"").await?;
        Ok(responses.iter().filter_map(listed).collect())
    }

    /// The mailbox of a special use, as `\Sent` (RFC 6154).
    ///
    /// # Errors
    /// See [`ImapError`]; [`ImapError::NoMailbox`] when there is none.
    pub async fn special(&mut self, what: &str) -> Result<String, ImapError> {
        let is_it = |listed: &Listed| {
            let special = listed.special.as_deref();
            special.is_some_and(|special| special.eq_ignore_ascii_case(what))
        };
        let found = self.list().await?.into_iter().find(is_it);
        found
            .map(|listed| listed.name)
            .ok_or_else(|| ImapError::NoMailbox(what.to_owned()))
    }

    /// Opens a mailbox.
    ///
    /// # Errors
    /// See [`ImapError`]; [`ImapError::NoMailbox`] when there is none.
    pub async fn select(&mut self, mailbox: &str) -> Result<Opened, ImapError> {
        let command = format!("SELECT {}", quoted(mailbox)?);
        let responses = match self.command(&command).await {
            Err(ImapError::No(_)) => return Err(ImapError::NoMailbox(mailbox.to_owned())),
            other => other?,
        };
        let mut opened = Opened::default();
        for response in &responses {
            opened.note(response);
        }
        Ok(opened)
    }

    /// The UIDs in the mailbox that is open, ascending.
    ///
    /// # Errors
    /// See [`ImapError`].
    pub async fn uids(&mut self) -> Result<Vec<u32>, ImapError> {
        self.search("ALL").await
    }

    /// The UIDs in the mailbox that is open for which `criteria` holds (RFC 3501 §6.4.4), as
    /// `UNSEEN SINCE 1-Nov-2026`, ascending.
    ///
    /// # Errors
    /// See [`ImapError`].
    pub async fn search(&mut self, criteria: &str) -> Result<Vec<u32>, ImapError> {
        let responses = self.command(&format!("UID SEARCH {criteria}")).await?;
        let mut uids: Vec<u32> = responses.iter().flat_map(Response::search).collect();
        uids.sort_unstable();
        Ok(uids)
    }

    /// What `items` says (as `FLAGS RFC822.SIZE`) of messages in the mailbox that is open, in the
    /// order of their UIDs; messages that are gone are left out.
    ///
    /// # Errors
    /// See [`ImapError`].
    pub async fn fetch(&mut self, uids: &[u32], items: &str) -> Result<Vec<Item>, ImapError> {
        let mut fetched = Vec::with_capacity(uids.len());
        for some in uids.chunks(AT_ONCE) {
            let set: Vec<String> = some.iter().map(u32::to_string).collect();
            let command = format!("UID FETCH {} (UID {items})", set.join(","));
            let responses = self.command(&command).await?;
            let items = responses.iter().filter_map(Item::read);
            fetched.extend(items.filter(|item| some.contains(&item.uid)));
        }
        fetched.sort_by_key(|item| item.uid);
        Ok(fetched)
    }

    /// Sets flags of a message in the mailbox that is open, as `\Seen`.
    ///
    /// # Errors
    /// See [`ImapError`].
    pub async fn flag(&mut self, uid: u32, flags: &str) -> Result<(), ImapError> {
        let command = format!("UID STORE {uid} +FLAGS.SILENT ({flags})");
        self.command(&command).await.map(drop)
    }

    /// Removes a message of the mailbox that is open, and no other (RFC 4315 §2.1).
    ///
    /// # Errors
    /// See [`ImapError`].
    pub async fn remove(&mut self, uid: u32) -> Result<(), ImapError> {
        self.flag(uid, "\\Deleted").await?;
        self.command(&format!("UID EXPUNGE {uid}")).await.map(drop)
    }

    /// Moves messages of the mailbox that is open to another (RFC 6851).
    ///
    /// # Errors
    /// See [`ImapError`].
    pub async fn move_to(&mut self, uids: &[u32], mailbox: &str) -> Result<(), ImapError> {
        for some in uids.chunks(AT_ONCE) {
            let set: Vec<String> = some.iter().map(u32::to_string).collect();
            let command = format!("UID MOVE {} {}", set.join(","), quoted(mailbox)?);
            self.command(&command).await?;
        }
        Ok(())
    }

    /// Puts a message into a mailbox, with `flags` as `\Seen`.
    ///
    /// # Errors
    /// See [`ImapError`].
    pub async fn append(
        &mut self,
        mailbox: &str,
        flags: &str,
        message: &[u8],
    ) -> Result<(), ImapError> {
        let command = format!("APPEND {} ({flags})", quoted(mailbox)?);
        self.command_with(&command, message, "").await
    }

    /// The value of a server entry of METADATA (RFC 5464), as `/private/vendor/email2/blocks`.
    ///
    /// # Errors
    /// See [`ImapError`].
    pub async fn metadata(&mut self, entry: &str) -> Result<Option<Vec<u8>>, ImapError> {
        let responses = self.command(&format!("GETMETADATA \"\" {entry}")).await?;
        Ok(responses.iter().find_map(|r| r.metadata(entry)).flatten())
    }

    /// Sets a server entry of METADATA.
    ///
    /// # Errors
    /// See [`ImapError`].
    pub async fn set_metadata(&mut self, entry: &str, value: &[u8]) -> Result<(), ImapError> {
        let command = format!("SETMETADATA \"\" ({entry}");
        self.command_with(&command, value, ")").await
    }

    /// Waits until something happens in the mailbox that is open (IDLE, RFC 2177), at most for
    /// `limit`; whether something did.
    ///
    /// # Errors
    /// See [`ImapError`].
    pub async fn wait(&mut self, limit: Duration) -> Result<bool, ImapError> {
        let tag = self.wire.begin("IDLE").await?;
        loop {
            let response = self.wire.response(REPLY_LIMIT).await?;
            if response.is_tagged(&tag) {
                return Err(ImapError::No(response.text()));
            }
            if response.is_continuation() {
                break;
            }
        }
        let until = self.wire.now() + limit;
        let happened = loop {
            let left = until.saturating_sub(self.wire.now());
            match self.wire.response(left).await {
                Ok(response) if response.is_change() => break true,
                Ok(_) => {}
                Err(ImapError::Late) => break false,
                Err(error) => return Err(error),
            }
        };
        self.wire.send(b"DONE\r\n").await?;
        self.finish(&tag).await?;
        Ok(happened)
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        if self.wire.begin("LOGOUT").await.is_ok() {
            // Whether it says goodbye too is its own affair.
            let _ = self.wire.response(Duration::from_secs(2)).await;
        }
        self.wire.shut_down().await;
    }

    async fn command(&mut self, command: &str) -> Result<Vec<Response>, ImapError> {
        let tag = self.wire.begin(command).await?;
        self.finish(&tag).await
    }

    /// A command that ends with a literal, and what stands behind that.
    async fn command_with(
        &mut self,
        command: &str,
        literal: &[u8],
        behind: &str,
    ) -> Result<(), ImapError> {
        let announced = format!("{command} {{{}}}", literal.len());
        let tag = self.wire.begin(&announced).await?;
        loop {
            let response = self.wire.response(REPLY_LIMIT).await?;
            if response.is_tagged(&tag) {
                return Err(ImapError::No(response.text()));
            }
            if response.is_continuation() {
                break;
            }
        }
        self.wire.send(literal).await?;
        self.wire.send(format!("{behind}\r\n").as_bytes()).await?;
        self.finish(&tag).await.map(drop)
    }

    /// All that is said up to the end of the command.
    async fn finish(&mut self, tag: &str) -> Result<Vec<Response>, ImapError> {
        let mut untagged = Vec::new();
        loop {
            let response = self.wire.response(REPLY_LIMIT).await?;
            if !response.is_tagged(tag) {
                untagged.push(response);
                continue;
            }
            return match response.status() {
                Some(Status::Ok) => Ok(untagged),
                _ => Err(ImapError::No(response.text())),
            };
        }
    }
}

impl Opened {
    fn note(&mut self, response: &Response) {
        match response.tokens() {
            [_, Token::Atom(number), Token::Atom(what), ..] if what == "EXISTS" => {
                self.exists = number.parse().unwrap_or(0);
            }
            _ => {}
        }
        let code = |name| response.code(name).and_then(|value| value.parse().ok());
        self.uid_validity = code("UIDVALIDITY").unwrap_or(self.uid_validity);
        self.uid_next = code("UIDNEXT").unwrap_or(self.uid_next);
    }
}

/// Puts a message into the mailbox Sent, seen.
///
/// # Errors
/// See [`ImapError`].
pub async fn append_sent(client: &Client, octets: &[u8]) -> Result<(), ImapError> {
    let mut mailboxes = Mailboxes::open(client).await?;
    let sent = mailboxes.special("\\Sent").await?;
    let appended = mailboxes.append(&sent, "\\Seen", octets).await;
    mailboxes.close().await;
    appended
}

async fn connect(client: &Client, address: &Address) -> Result<Stream, ImapError> {
    let clock: &dyn Clock = &*client.world().clock;
    let mut last = ImapError::Late;
    for host in home::imap_hosts(client, address).await? {
        let opening = stream(client, address, &host);
        match within(clock, REPLY_LIMIT, opening).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error.into(),
            Err(Elapsed) => last = ImapError::Late,
        }
    }
    Err(last)
}

async fn stream(client: &Client, address: &Address, host: &Host) -> Result<Stream, OpenError> {
    let (home, domain) = (client.home(), address.domain());
    match home.open_stream(domain, host).await {
        Err(error) => match home::vouched_for(client, address, host, &error).await {
            Some(host) => home.open_stream(domain, &host).await,
            None => Err(error),
        },
        opened => opened,
    }
}

fn listed(response: &Response) -> Option<Listed> {
    let tokens = response.tokens();
    let [_, Token::Atom(verb), Token::Open, rest @ ..] = tokens else {
        return None;
    };
    let end = rest.iter().position(|token| *token == Token::Close)?;
    let (attributes, behind) = rest.split_at_checked(end)?;
    let [Token::Close, _delimiter, name] = behind else {
        return None;
    };
    const USES: [&str; 7] = [
        "\\All",
        "\\Archive",
        "\\Drafts",
        "\\Flagged",
        "\\Junk",
        "\\Sent",
        "\\Trash",
    ];
    let special = attributes.iter().filter_map(Token::as_text).find(|text| {
        USES.iter()
            .any(|special| special.eq_ignore_ascii_case(text))
    });
    (verb == "LIST").then_some(Listed {
        name: name.as_text()?,
        special,
    })
}

/// A name as a quoted string.
fn quoted(name: &str) -> Result<String, ImapError> {
    if name.contains(['\r', '\n', '\0']) {
        return Err(ImapError::NoMailbox(name.escape_default().to_string()));
    }
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("\"{escaped}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(text: &str) -> Response {
        Response::of_text(text)
    }

    #[test]
    fn mailboxes_are_listed_with_their_use() {
        let sent = listed(&response(
            "* LIST (\\HasNoChildren \\Sent) \"/\" \"Sent \\\"x\\\"\"",
        ));
        let sent = sent.unwrap();
        assert_eq!(sent.name, "Sent \"x\"");
        assert_eq!(sent.special.as_deref(), Some("\\Sent"));
        let inbox = listed(&response("* LIST () NIL INBOX")).unwrap();
        assert_eq!((inbox.name.as_str(), inbox.special), ("INBOX", None));
        assert_eq!(listed(&response("* LIST (")), None);
    }

    #[test]
    fn an_opened_mailbox_is_understood() {
        let mut opened = Opened::default();
        for line in [
            "* 17 EXISTS",
            "* OK [UIDVALIDITY 3857529045] UIDs valid",
            "* OK [UIDNEXT 4392] next",
            "* FLAGS (\\Seen)",
        ] {
            opened.note(&response(line));
        }
        assert_eq!(
            opened,
            Opened {
                exists: 17,
                uid_validity: 3_857_529_045,
                uid_next: 4392
            }
        );
    }

    #[test]
    fn names_are_quoted_and_line_ends_refused() {
        assert_eq!(quoted("a\"b\\").unwrap(), "\"a\\\"b\\\\\"");
        assert!(quoted("a\r\nb").is_err());
    }
}
