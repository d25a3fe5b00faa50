//! The command line: what may be typed, and its help.

mod find;
mod key;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use find::{ContactCommand, InboxArgs, Ordinary, SearchArgs, Strangers};
pub(crate) use key::{ClassicReader, KeyCommand, OriginArgs, Reason, SetupArgs};

/// Mail that cannot be spoofed.
#[derive(Debug, Parser)]
#[command(name = "email2", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    /// Configuration file (default: $EMAIL2_HOME/config.toml, else the XDG one)
    #[arg(long, global = true, env = "EMAIL2_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print data as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Where the passphrase of the secret key comes from
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Sources of the passphrase other than a prompt.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PassphraseArgs {
    /// Read the passphrase from this file descriptor (first line)
    #[arg(
        long,
        global = true,
        value_name = "FD",
        conflicts_with = "passphrase_file"
    )]
    pub(crate) passphrase_fd: Option<i32>,
    /// Read the passphrase from this file (first line)
    #[arg(
        long,
        global = true,
        env = "EMAIL2_PASSPHRASE_FILE",
        value_name = "FILE"
    )]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Open this device for an address: find its server, make a key, publish it
    Setup(SetupArgs),
    /// Send a message
    Send(Box<SendArgs>),
    /// List the messages of a mailbox
    Inbox(InboxArgs),
    /// Find messages
    Search(SearchArgs),
    /// Show one message
    Read(ReadArgs),
    /// Answer a message
    Reply(Box<ReplyArgs>),
    /// Give a message on to others
    Forward(Box<ForwardArgs>),
    /// Save the attachments of a message
    Save(SaveArgs),
    /// Keys: one's own and those of others
    #[command(subcommand)]
    Key(KeyCommand),
    /// Whose mail goes to the inbox; strangers' can wait in Requests
    #[command(subcommand)]
    Contact(ContactCommand),
    /// Block addresses and domains
    #[command(subcommand)]
    Block(BlockCommand),
    /// What your server answers whoever writes while you are away (default: say it)
    Vacation(VacationArgs),
    /// Leave the mailing list that a message came by
    Unsubscribe(UnsubscribeArgs),
    /// Letters that wait for you to finish them
    #[command(subcommand)]
    Draft(DraftCommand),
    /// Messages that wait to be sent
    #[command(subcommand)]
    Outbox(OutboxCommand),
    /// The protocol's parts on files and standard input
    #[command(subcommand)]
    Tool(ToolCommand),
    /// Write the manual pages into a directory
    #[command(hide = true)]
    Man {
        /// The directory
        dir: PathBuf,
    },
    /// Print the completions for a shell
    #[command(hide = true)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// The text and the files of a message.
#[derive(Debug, Args)]
pub(crate) struct BodyArgs {
    /// The text (default: an editor on a terminal, else standard input)
    #[arg(short, long, value_name = "TEXT", conflicts_with = "body_file")]
    pub(crate) body: Option<String>,
    /// Read the text from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) body_file: Option<PathBuf>,
    /// Write the letter in $VISUAL or $EDITOR (on a terminal the default where no text is given)
    #[arg(short, long)]
    pub(crate) edit: bool,
    /// Put no signature (signature.txt beside the configuration) below the text
    #[arg(long)]
    pub(crate) no_signature: bool,
    /// Attach a file (may be repeated)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) attach: Vec<PathBuf>,
}

/// How a message is protected and how long it is tried.
#[derive(Debug, Args)]
pub(crate) struct DeliveryArgs {
    /// Encrypt, or fail and say who has no key
    #[arg(long, conflicts_with = "no_encrypt")]
    pub(crate) encrypt: bool,
    /// Sign only
    #[arg(long)]
    pub(crate) no_encrypt: bool,
    /// Encrypt to those who have a key; the others get it signed only
    #[arg(long, conflicts_with_all = ["encrypt", "no_encrypt"])]
    pub(crate) split: bool,
    /// Only as Email 2.0: who has ordinary mail gets nothing, and is named
    #[arg(long)]
    pub(crate) email2_only: bool,
    /// Try again for so many seconds before leaving it in the outbox
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) wait: u64,
    /// Hand it to your own server, which carries it on; it is done by itself where a recipient's
    /// server cannot be reached from here
    #[arg(long)]
    pub(crate) via_server: bool,
    /// Deliver what is sealed to the servers of its recipients, or leave it in the outbox; ordinary
    /// mail leaves by your own server all the same
    #[arg(long, conflicts_with = "via_server")]
    pub(crate) direct: bool,
    /// Send at once; on a terminal it can else be taken back for 10 seconds
    #[arg(long)]
    pub(crate) now: bool,
}

/// `email2 send`
#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// Recipient (may be repeated)
    #[arg(short, long, value_name = "ADDRESS")]
    pub(crate) to: Vec<String>,
    /// Copy recipient (may be repeated)
    #[arg(short, long, value_name = "ADDRESS")]
    pub(crate) cc: Vec<String>,
    /// Blind copy recipient (may be repeated)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bcc: Vec<String>,
    /// Subject
    #[arg(short, long, default_value = "", conflicts_with = "eml")]
    pub(crate) subject: String,
    /// The text and the files
    #[command(flatten)]
    pub(crate) body: BodyArgs,
    /// Send this message file (- is standard input)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["body", "body_file", "attach", "edit"])]
    pub(crate) eml: Option<PathBuf>,
    /// Keep it as a draft and send nothing
    #[arg(long, conflicts_with = "eml")]
    pub(crate) draft: bool,
    /// With --eml: put the account in place of another author
    #[arg(long, requires = "eml")]
    pub(crate) replace_from: bool,
    /// Protection and time
    #[command(flatten)]
    pub(crate) delivery: DeliveryArgs,
}

/// Which message is meant.
#[derive(Debug, Args)]
pub(crate) struct MessageArgs {
    /// The message's id, as `inbox` prints it
    pub(crate) id: String,
    /// The mailbox
    #[arg(long, default_value = "INBOX")]
    pub(crate) mailbox: String,
}

/// `email2 read`
#[derive(Debug, Args)]
pub(crate) struct ReadArgs {
    /// Which message
    #[command(flatten)]
    pub(crate) message: MessageArgs,
    /// Print the message as the server keeps it
    #[arg(long)]
    pub(crate) raw: bool,
    /// Show all header fields
    #[arg(long)]
    pub(crate) headers: bool,
}

/// `email2 vacation`
#[derive(Debug, Args)]
pub(crate) struct VacationArgs {
    /// The text
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["text_file", "off"])]
    pub(crate) text: Option<String>,
    /// Read the text from a file
    #[arg(long, value_name = "FILE", conflicts_with = "off")]
    pub(crate) text_file: Option<PathBuf>,
    /// Answer nobody again for so many days (7 where nothing is said)
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=30))]
    pub(crate) days: Option<u64>,
    /// Answer nobody any more
    #[arg(long)]
    pub(crate) off: bool,
}

/// `email2 unsubscribe`
#[derive(Debug, Args)]
pub(crate) struct UnsubscribeArgs {
    /// Which message
    #[command(flatten)]
    pub(crate) message: MessageArgs,
    /// Protection and time
    #[command(flatten)]
    pub(crate) delivery: DeliveryArgs,
}

/// `email2 reply`
#[derive(Debug, Args)]
pub(crate) struct ReplyArgs {
    /// Which message
    #[command(flatten)]
    pub(crate) message: MessageArgs,
    /// Answer all recipients
    #[arg(long)]
    pub(crate) all: bool,
    /// Quote nothing
    #[arg(long)]
    pub(crate) no_quote: bool,
    /// Answer the Reply-To address although it is in another domain
    #[arg(long)]
    pub(crate) follow_reply_to: bool,
    /// The text and the files
    #[command(flatten)]
    pub(crate) body: BodyArgs,
    /// Protection and time
    #[command(flatten)]
    pub(crate) delivery: DeliveryArgs,
}

/// `email2 forward`
#[derive(Debug, Args)]
pub(crate) struct ForwardArgs {
    /// Which message
    #[command(flatten)]
    pub(crate) message: MessageArgs,
    /// Recipient (may be repeated)
    #[arg(short, long, value_name = "ADDRESS")]
    pub(crate) to: Vec<String>,
    /// Copy recipient (may be repeated)
    #[arg(short, long, value_name = "ADDRESS")]
    pub(crate) cc: Vec<String>,
    /// Blind copy recipient (may be repeated)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bcc: Vec<String>,
    /// The text and the files
    #[command(flatten)]
    pub(crate) body: BodyArgs,
    /// Protection and time
    #[command(flatten)]
    pub(crate) delivery: DeliveryArgs,
}

/// `email2 save`
#[derive(Debug, Args)]
pub(crate) struct SaveArgs {
    /// Which message
    #[command(flatten)]
    pub(crate) message: MessageArgs,
    /// Save all attachments
    #[arg(long, conflicts_with = "part")]
    pub(crate) all: bool,
    /// Save the attachment of this number, as `read` prints it
    #[arg(long, value_name = "N")]
    pub(crate) part: Vec<usize>,
    /// Into this directory
    #[arg(long, default_value = ".")]
    pub(crate) dir: PathBuf,
}

/// `email2 block …`
#[derive(Debug, Subcommand)]
pub(crate) enum BlockCommand {
    /// Block an address, a domain (@example.org) or a pattern with *
    Add {
        /// What to block
        pattern: String,
    },
    /// List the blocks
    List,
    /// Take a block back
    Remove {
        /// What was blocked
        pattern: String,
    },
}

/// `email2 draft …`
#[derive(Debug, Subcommand)]
pub(crate) enum DraftCommand {
    /// List the drafts
    List,
    /// Go on writing one in $VISUAL or $EDITOR
    Edit {
        /// Its id, as `draft list` prints it
        id: String,
    },
    /// Send one
    Send {
        /// Its id
        id: String,
        /// Protection and time
        #[command(flatten)]
        delivery: DeliveryArgs,
    },
    /// Delete one
    Delete {
        /// Its id
        id: String,
    },
}

/// `email2 outbox …`
#[derive(Debug, Subcommand)]
pub(crate) enum OutboxCommand {
    /// List what waits
    List,
    /// Show one, with how often it was tried
    Show {
        /// Its id, as `outbox list` prints it
        id: String,
    },
    /// Try what is due
    Run,
    /// Try one now, and decide what it waits for: a changed key, or how it may leave
    Retry {
        /// Its id, as `outbox list` prints it
        id: String,
        /// Encrypt to the recipient's new key of this fingerprint although the old one did not
        /// sign it
        #[arg(long, value_name = "FINGERPRINT")]
        accept_new: Option<String>,
        /// Encrypt it if there is a key, else send it signed only
        #[arg(long)]
        split: bool,
        /// Send it signed only
        #[arg(long, conflicts_with = "split")]
        no_encrypt: bool,
    },
    /// Take one out; it is not sent
    #[command(visible_alias = "cancel")]
    Drop {
        /// Its id
        id: String,
    },
}

/// `email2 tool …`
#[derive(Debug, Subcommand)]
pub(crate) enum ToolCommand {
    /// Seal a message: standard input to standard output
    Seal(ToolSealArgs),
    /// Verify the seals of a message
    Verify(ToolVerifyArgs),
    /// Sign a message, and encrypt it when --recipient is given
    Protect(ToolProtectArgs),
    /// Open a protected message
    Unprotect(ToolUnprotectArgs),
    /// Check a certificate and print what it holds
    Cert {
        /// The file, binary or armored (- is standard input)
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// Ask a domain's server for a key, as a verifier (--fpr) or a writer
    KeyQuery {
        /// The address, or @domain
        subject: String,
        /// Fingerprint of a signing key
        #[arg(long)]
        fpr: Option<String>,
    },
}

/// `email2 tool seal`
#[derive(Debug, Args)]
pub(crate) struct ToolSealArgs {
    /// Secret key file (default: the account's)
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Signer (default: the key's address)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) signer: Option<String>,
    /// Recipients of one domain (may be repeated)
    #[arg(long, value_name = "ADDRESS", required = true)]
    pub(crate) recipient: Vec<String>,
    /// Time of sealing in Unix seconds (default: now)
    #[arg(long, value_name = "SECONDS")]
    pub(crate) at: Option<u64>,
    /// The message (- is standard input)
    #[arg(default_value = "-")]
    pub(crate) file: PathBuf,
}

/// `email2 tool verify`
#[derive(Debug, Args)]
pub(crate) struct ToolVerifyArgs {
    /// The signers' certificates, top seal first (files; may be repeated)
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) cert: Vec<PathBuf>,
    /// Time of judgement in Unix seconds (default: now)
    #[arg(long, value_name = "SECONDS")]
    pub(crate) at: Option<u64>,
    /// The message (- is standard input)
    #[arg(default_value = "-")]
    pub(crate) file: PathBuf,
}

/// `email2 tool protect`
#[derive(Debug, Args)]
pub(crate) struct ToolProtectArgs {
    /// Secret key file (default: the account's)
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Recipients' certificates (files; may be repeated); none: sign only
    #[arg(long, value_name = "FILE")]
    pub(crate) recipient: Vec<PathBuf>,
    /// Time of signing in Unix seconds (default: now)
    #[arg(long, value_name = "SECONDS")]
    pub(crate) at: Option<u64>,
    /// The message (- is standard input)
    #[arg(default_value = "-")]
    pub(crate) file: PathBuf,
}

/// `email2 tool unprotect`
#[derive(Debug, Args)]
pub(crate) struct ToolUnprotectArgs {
    /// Secret key file (default: the account's)
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// The author's certificate
    #[arg(long, value_name = "FILE")]
    pub(crate) author: Option<PathBuf>,
    /// The message (- is standard input)
    #[arg(default_value = "-")]
    pub(crate) file: PathBuf,
}
