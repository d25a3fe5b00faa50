//! What may be typed about one's own key and those of others.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `email2 setup`
#[derive(Debug, Args)]
pub(crate) struct SetupArgs {
    /// The address
    pub(crate) address: String,
    /// Trust this certification authority (PEM) too, for this address's domain alone
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Read the one-time code from this file instead of a prompt or standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) code_file: Option<PathBuf>,
    /// Which key
    #[command(flatten)]
    pub(crate) origin: OriginArgs,
    /// Write the recovery kit into this directory
    #[arg(long, value_name = "DIR", conflicts_with = "no_backup")]
    pub(crate) backup: Option<PathBuf>,
    /// Make no recovery kit now: a lost device is then a lost key
    #[arg(long)]
    pub(crate) no_backup: bool,
}

/// The key of a device that is set up, when it is not simply a new one.
#[derive(Debug, Args)]
pub(crate) struct OriginArgs {
    /// This is a further device: take the key from a recovery kit and give it a signing subkey
    #[arg(long, value_name = "KIT", conflicts_with_all = ["new_key", "key"])]
    pub(crate) restore: Option<PathBuf>,
    /// Make a new key although one lies here: after an administrator's reset
    #[arg(long, conflicts_with = "key")]
    pub(crate) new_key: bool,
    /// Use this secret key (a file as GnuPG exports it)
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// The passphrase of that kit or key, in a file
    #[arg(long, value_name = "FILE")]
    pub(crate) key_passphrase_file: Option<PathBuf>,
}

/// `email2 key …`
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List the keys known here: one's own and those of others
    List,
    /// Show one's own key, or what is known of another address's
    Show {
        /// The address (default: one's own)
        address: Option<String>,
    },
    /// Ask an address's mail server for its key
    Fetch {
        /// The address
        address: String,
        /// Use a new key that its owner's old key did not sign: the one with this fingerprint
        #[arg(long, value_name = "FINGERPRINT")]
        accept_new: Option<String>,
    },
    /// Compare keys with a correspondent: a short code that both of you see
    Verify {
        /// The address
        address: String,
        /// Both saw the same code: mark the key as verified
        #[arg(long)]
        confirm: bool,
    },
    /// Print the certificate (or the secret key) in armor
    Export {
        /// The secret key, encrypted by the passphrase
        #[arg(long)]
        secret: bool,
        /// For this program; with --secret, others then encrypt so that it can read
        #[arg(long = "for", value_enum, value_name = "PROGRAM")]
        reader: Option<ClassicReader>,
        /// The address (default: one's own)
        #[arg(conflicts_with = "secret")]
        address: Option<String>,
    },
    /// Use an existing secret key (a file as `key export --secret` or GnuPG write it)
    Import {
        /// The file
        file: PathBuf,
        /// Its passphrase, in a file, when it is not that of one's own key
        #[arg(long, value_name = "FILE")]
        key_passphrase_file: Option<PathBuf>,
    },
    /// Revoke one's own key, or one subkey of it, and publish that
    Revoke {
        /// Why
        #[arg(long, value_enum)]
        reason: Reason,
        /// This subkey only: that of a lost device, for example
        #[arg(long, value_name = "FINGERPRINT")]
        subkey: Option<String>,
    },
    /// Let one's own key end, and publish that
    Expire {
        /// When: a date (2027-12-31) or days from now (90d)
        when: String,
    },
    /// Let one's own key, which has an end, end later
    Extend {
        /// When: a date, days from now, or never
        #[arg(default_value = "365d")]
        when: String,
    },
    /// Make a new key; the one in use signs that it follows
    Replace,
    /// Publish one's own certificate once more
    Publish,
    /// Write the recovery kit: a text to print, and its passphrase to keep elsewhere
    Backup {
        /// Into this directory
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Bring back the key from a recovery kit
    Restore {
        /// The kit
        kit: PathBuf,
        /// Its passphrase, in a file
        #[arg(long, value_name = "FILE")]
        key_passphrase_file: Option<PathBuf>,
    },
}

/// OpenPGP programs that read classic encryption only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClassicReader {
    /// GnuPG 2.2 and later
    Gnupg,
    /// Thunderbird
    Thunderbird,
}

/// Why a key is revoked (RFC 9580 §5.2.3.31).
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Reason {
    /// Somebody else may have it: every seal by it becomes invalid
    Compromised,
    /// It was replaced: seals made before stay valid
    Superseded,
    /// It is no longer used: seals made before stay valid
    Retired,
}
