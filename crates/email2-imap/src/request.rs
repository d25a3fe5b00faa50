//! What a session asks of its driver, and what it is told.

use std::collections::BTreeSet;
use std::fmt;

use email2::scram::{ClientFinal, ClientFirst};
use zeroize::Zeroizing;

/// The driver's name for a mailbox; the session only gives it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MailboxKey(pub i64);

/// The driver's name for a message; the session only gives it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageKey(pub i64);

/// A password on its way to be checked: wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub Zeroizing<Vec<u8>>);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What a mailbox is for (RFC 6154).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpecialUse {
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

/// Flags and keywords that a person sets (RFC 9051 §2.3.2); the verdict is none
/// of them (spec §10.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `\Seen`
    pub seen: bool,
    /// `\Answered`
    pub answered: bool,
    /// `\Flagged`
    pub flagged: bool,
    /// `\Deleted`
    pub deleted: bool,
    /// `\Draft`
    pub draft: bool,
    /// Keywords: atoms.
    pub keywords: BTreeSet<String>,
}

/// What STORE does with flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagAction {
    /// They are set.
    Add,
    /// They are taken away.
    Remove,
    /// They take the place of all.
    Replace,
}

/// The settings that a person keeps at the server (spec §10.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setting {
    /// `/private/vendor/email2/blocks`
    Blocks,
    /// `/private/vendor/email2/contacts`
    Contacts,
    /// `/private/vendor/email2/forward`
    Forward,
    /// `/private/vendor/email2/forwarders`
    Forwarders,
    /// `/private/vendor/email2/legacy`
    Legacy,
    /// `/private/vendor/email2/strangers`
    Strangers,
    /// `/private/vendor/email2/vacation`
    Vacation,
    /// `/private/vendor/email2/vacation-days`
    VacationDays,
}

/// A mailbox with its counters, all from one view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxInfo {
    /// The driver's name for it.
    pub key: MailboxKey,
    /// Its name in UTF-8; `/` separates levels.
    pub name: String,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// Whether its owner subscribed to it.
    pub subscribed: bool,
    /// UIDVALIDITY.
    pub uid_validity: u32,
    /// UIDNEXT.
    pub uid_next: u32,
    /// The highest modification sequence.
    pub highest_modseq: u64,
    /// Messages.
    pub messages: u32,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// Messages with `\Deleted`.
    pub deleted: u32,
    /// Octets of all messages, as stored.
    pub size: u64,
}

/// A message without its octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageInfo {
    /// The driver's name for it.
    pub key: MessageKey,
    /// UID.
    pub uid: u32,
    /// Moves whenever the message changes.
    pub modseq: u64,
    /// Octets as stored, without the verdict.
    pub size: u64,
    /// INTERNALDATE, Unix seconds.
    pub received: u64,
    /// What its owner set.
    pub flags: Flags,
    /// The store's own record says that the author is verified
    /// (spec §10.3.3): shown as `$Email2Verified`.
    pub verified: bool,
    /// The text of the field `Email2-Verdict`: one line of printable ASCII.
    pub verdict: String,
}

/// What the session needs, one thing at a time; answered by
/// [`Session::answer`](crate::Session::answer).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// SCRAM-SHA-256 begins (RFC 5802); [`Answer::Challenge`] with the server's first message.
    ScramFirst(ClientFirst),
    /// Its proof; [`Answer::Challenge`] with the server's last message: this person may come in.
    ScramFinal(ClientFinal),
    /// May this person in? [`Answer::Done`] or [`Answer::Refused`].
    Login {
        /// The address, as written.
        user: String,
        /// Their token.
        password: Password,
    },
    /// All mailboxes: [`Answer::Mailboxes`].
    Mailboxes,
    /// One of them by name (INBOX in any case): [`Answer::Mailbox`].
    Mailbox(String),
    /// One of them with its messages: [`Answer::Selected`].
    Select(String),
    /// Make one: [`Answer::Done`].
    Create {
        /// Its name.
        name: String,
        /// What it is for.
        special_use: Option<SpecialUse>,
    },
    /// Delete one: [`Answer::Done`].
    Delete(String),
    /// Rename one: [`Answer::Done`].
    Rename {
        /// Its name.
        from: String,
        /// Its name afterwards.
        to: String,
    },
    /// Subscribe or unsubscribe: [`Answer::Done`].
    Subscribe {
        /// Its name.
        name: String,
        /// Which of the two.
        subscribed: bool,
    },
    /// These messages of a mailbox; those that are gone are left out:
    /// [`Answer::Messages`], by UID.
    Messages {
        /// Where.
        mailbox: MailboxKey,
        /// Ascending.
        uids: Vec<u32>,
    },
    /// At most `length` octets of a message as stored; fewer only at its end:
    /// [`Answer::Octets`].
    Read {
        /// Which.
        message: MessageKey,
        /// From where.
        offset: u64,
        /// How many, at most [`crate::limits::CHUNK_OCTETS`].
        length: usize,
    },
    /// Change flags: [`Answer::Messages`], those that were changed, as they are.
    ChangeFlags {
        /// Where.
        mailbox: MailboxKey,
        /// Ascending.
        uids: Vec<u32>,
        /// What happens.
        action: FlagAction,
        /// To which flags.
        flags: Flags,
    },
    /// Copy, with flags, date and provenance; all or none: [`Answer::Copied`].
    Copy {
        /// From where.
        mailbox: MailboxKey,
        /// Ascending.
        uids: Vec<u32>,
        /// The name of the mailbox that gets them.
        to: String,
    },
    /// Move (RFC 6851): [`Answer::Copied`].
    Move {
        /// From where.
        mailbox: MailboxKey,
        /// Ascending.
        uids: Vec<u32>,
        /// The name of the mailbox that gets them.
        to: String,
    },
    /// Remove messages with `\Deleted`, of `uids` if given: [`Answer::Done`];
    /// [`Request::Changes`] tells which those were.
    Expunge {
        /// Where.
        mailbox: MailboxKey,
        /// Ascending.
        uids: Option<Vec<u32>>,
    },
    /// A message is coming: [`Answer::Done`], then its octets may come.
    AppendBegin {
        /// The mailbox's name.
        name: String,
        /// Octets that will come.
        size: u64,
    },
    /// Its next octets: [`Answer::Done`].
    AppendOctets(Vec<u8>),
    /// It came whole: [`Answer::Appended`] once it is on stable storage.
    AppendEnd {
        /// Flags that it gets.
        flags: Flags,
        /// INTERNALDATE, Unix seconds; `None` is now.
        received: Option<u64>,
    },
    /// It will not come whole; forget it: [`Answer::Done`].
    AppendAbort,
    /// What changed in a mailbox after `since`, in one view:
    /// [`Answer::Changes`]; [`Refusal::NoSuchMailbox`] when it is gone.
    Changes {
        /// Where.
        mailbox: MailboxKey,
        /// A modification sequence.
        since: u64,
    },
    /// The values of settings: [`Answer::Settings`], in the same order.
    Settings(Vec<Setting>),
    /// Sets all of these, or none; `None` removes: [`Answer::Done`].
    SetSettings(Vec<(Setting, Option<Vec<u8>>)>),
}

/// What changed in a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Ask from here next time.
    pub highest_modseq: u64,
    /// New and changed messages, by UID.
    pub changed: Vec<MessageInfo>,
    /// UIDs that are gone, ascending.
    pub vanished: Vec<u32>,
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The next message of a mechanism, before base64.
    Challenge(String),
    /// It is done.
    Done,
    /// It cannot be done.
    Refused(Refusal),
    /// Mailboxes, by name, INBOX first.
    Mailboxes(Vec<MailboxInfo>),
    /// One mailbox.
    Mailbox(MailboxInfo),
    /// A mailbox and its messages, from one view.
    Selected {
        /// The mailbox.
        mailbox: MailboxInfo,
        /// Its messages, by UID.
        messages: Vec<MessageInfo>,
    },
    /// Messages, by UID.
    Messages(Vec<MessageInfo>),
    /// Octets.
    Octets(Vec<u8>),
    /// A message was appended.
    Appended {
        /// Of the mailbox that has it.
        uid_validity: u32,
        /// Its UID.
        uid: u32,
    },
    /// Messages were copied or moved.
    Copied {
        /// Of the mailbox that has them.
        uid_validity: u32,
        /// UID here, UID there, by UID here.
        uids: Vec<(u32, u32)>,
    },
    /// What changed.
    Changes(Changes),
    /// Values.
    Settings(Vec<Option<Vec<u8>>>),
}

/// Why it cannot be done. The session finds the words and the response code
/// (RFC 5530).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Address or token are wrong; counted (spec §8.1).
    LoginFailed,
    /// Too many logins failed from there; the session ends.
    TooManyLogins,
    /// No mailbox of that name.
    NoSuchMailbox,
    /// A mailbox of that name is there already.
    MailboxExists,
    /// A message is gone.
    NoSuchMessage,
    /// The account's quota is used up.
    OverQuota,
    /// A setting is too large (spec §10.2.1).
    TooLarge,
    /// It is not allowed, for this reason: one sentence, ASCII.
    Cannot(String),
    /// It cannot be done now, for this reason: one sentence, ASCII.
    Unavailable(String),
}
