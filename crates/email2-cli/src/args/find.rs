//! What may be typed to find messages, and about who is known.

use clap::{Args, Subcommand, ValueEnum};

/// `email2 inbox`
#[derive(Debug, Args)]
pub(crate) struct InboxArgs {
    /// The mailbox
    #[arg(long, default_value = "INBOX")]
    pub(crate) mailbox: String,
    /// The mail of strangers that waits (contact accept)
    #[arg(long, conflicts_with = "mailbox")]
    pub(crate) requests: bool,
    /// At most so many, newest first
    #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// Only messages older than the one of this id
    #[arg(long, value_name = "ID")]
    pub(crate) before: Option<String>,
    /// Put messages below what they answer (opens them: asks for the passphrase)
    #[arg(long)]
    pub(crate) threads: bool,
}

/// `email2 search`
#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// Words, or from: to: subject: body: since:YYYY-MM-DD before:YYYY-MM-DD
    /// is:unread|read|answered|unanswered|verified|unverified|encrypted; all must hold
    #[arg(required = true)]
    pub(crate) terms: Vec<String>,
    /// The mailbox
    #[arg(long, default_value = "INBOX")]
    pub(crate) mailbox: String,
    /// At most so many, newest first
    #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// Look at so many messages at most
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) look_at: u32,
    /// Only messages older than the one of this id
    #[arg(long, value_name = "ID")]
    pub(crate) older_than: Option<String>,
}

/// `email2 contact …`
#[derive(Debug, Subcommand)]
pub(crate) enum ContactCommand {
    /// List the contacts
    List,
    /// Make somebody a contact, and move what waits from them to the inbox
    Accept {
        /// An address, a domain (@example.org) or a pattern with *
        who: String,
    },
    /// Take a contact back
    Remove {
        /// As it is listed
        who: String,
    },
    /// Where the mail of those goes who are no contacts
    Strangers {
        /// Where (default: say where it goes now)
        #[arg(value_enum)]
        place: Option<Strangers>,
    },
    /// Where mail without a seal goes
    Ordinary {
        /// What becomes of it (default: say what becomes of it now)
        #[arg(value_enum)]
        place: Option<Ordinary>,
    },
    /// Take mail that comes by an alias of yours elsewhere, or by a list
    Via {
        /// Your address there, or the list's (default: list them)
        address: Option<String>,
        /// Take it no more
        #[arg(long, requires = "address")]
        remove: bool,
    },
    /// Where one's own mail is passed on to (default: say where it goes now)
    PassOn {
        /// Addresses elsewhere; each owner takes it by a letter to you, as is said then
        addresses: Vec<String>,
        /// Keep a copy
        #[arg(long, requires = "addresses")]
        keep: bool,
        /// Pass nothing on any more
        #[arg(long, conflicts_with = "addresses")]
        off: bool,
    },
}

/// What becomes of mail without a seal (spec §10.4).
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Ordinary {
    /// To the inbox, marked as unverified
    Accept,
    /// To Junk
    Junk,
    /// It is refused
    Reject,
}

/// Where strangers' mail goes (spec §10.5).
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Strangers {
    /// To the inbox
    Inbox,
    /// To Requests, where it waits
    Requests,
}
