//! What each error means to a program around this library: the exit codes of
//! sysexits.h (docs/conventions.md).

use email2::content::ContentError;
use email2::secret::SecretKeyError;
use email2_remote::KeyError;
use email2_remote::connect::OpenError;
use email2_smtp::client::Failure;
use email2_store::StoreError;

use crate::ClientError;
use crate::attachment::SaveError;
use crate::backup::BackupError;
use crate::config::ConfigError;
use crate::draft::DraftError;
use crate::enrol::EnrolError;
use crate::home::HomeError;
use crate::imap::ImapError;
use crate::keyring::KeyringError;
use crate::own_key::OwnKeyError;
use crate::pin::PinError;
use crate::place::PlaceError;
use crate::reply::ReplyError;
use crate::search::QueryError;
use crate::send::SendError;
use crate::send::compose::ComposeError;
use crate::send::protect::ProtectError;
use crate::send::report::State;
use crate::send::seal::SealingError;
use crate::send::template::TemplateError;
use crate::settings::SettingError;
use crate::verified::VerifyError;
use crate::watch_own::WatchError;

/// The exit codes in use; the greater is the graver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Code {
    /// The command line is wrong.
    Usage = 64,
    /// The input is not what it should be.
    BadData = 65,
    /// A file that was named does not exist.
    NoInput = 66,
    /// The address does not exist.
    NoUser = 67,
    /// The host or domain does not exist.
    NoHost = 68,
    /// The service cannot do it.
    Unavailable = 69,
    /// A defect of the program.
    Bug = 70,
    /// A file cannot be written.
    CannotCreate = 73,
    /// Reading or writing failed.
    Io = 74,
    /// Try again later.
    TryAgain = 75,
    /// Refused: not permitted.
    Refused = 77,
    /// The configuration is wrong.
    Config = 78,
}

/// An error that knows its exit code.
pub trait Sysexit {
    /// The code.
    fn sysexit(&self) -> Code;
}

impl Sysexit for ImapError {
    fn sysexit(&self) -> Code {
        match self {
            ImapError::Client(error) => error.sysexit(),
            ImapError::Keyring(error) => error.sysexit(),
            ImapError::Home(error) => error.sysexit(),
            ImapError::Open(error) => error.sysexit(),
            ImapError::Broken(_) | ImapError::Late => Code::TryAgain,
            ImapError::SignIn(_) => Code::Refused,
            ImapError::No(_) => Code::Unavailable,
            ImapError::Malformed(_) | ImapError::NoMessage(_) | ImapError::NoMailbox(_) => {
                Code::BadData
            }
        }
    }
}

impl Sysexit for TemplateError {
    fn sysexit(&self) -> Code {
        Code::BadData
    }
}

impl Sysexit for DraftError {
    fn sysexit(&self) -> Code {
        match self {
            DraftError::Compose(error) => error.sysexit(),
            DraftError::Protect(error) => error.sysexit(),
            DraftError::Imap(error) => error.sysexit(),
            DraftError::Content(error) => error.sysexit(),
        }
    }
}

impl Sysexit for QueryError {
    fn sysexit(&self) -> Code {
        Code::Usage
    }
}

impl Sysexit for SettingError {
    fn sysexit(&self) -> Code {
        match self {
            SettingError::Imap(error) => error.sysexit(),
            SettingError::Value { .. } | SettingError::TooMany => Code::BadData,
        }
    }
}

impl Sysexit for ConfigError {
    fn sysexit(&self) -> Code {
        Code::Config
    }
}

impl Sysexit for PlaceError {
    fn sysexit(&self) -> Code {
        match self {
            PlaceError::File { .. } => Code::CannotCreate,
            PlaceError::Content { .. } | PlaceError::NoHome => Code::Config,
        }
    }
}

impl Sysexit for ClientError {
    fn sysexit(&self) -> Code {
        match self {
            ClientError::Place(error) => error.sysexit(),
            ClientError::Store(error) => error.sysexit(),
            ClientError::World(_) | ClientError::Tls(_) | ClientError::NotSetUp => Code::Config,
        }
    }
}

impl Sysexit for StoreError {
    fn sysexit(&self) -> Code {
        match self {
            StoreError::Locked { .. } | StoreError::Full => Code::TryAgain,
            StoreError::Newer { .. } => Code::Config,
            StoreError::Exists(_) | StoreError::Refused(_) => Code::BadData,
            StoreError::NotFound(_) => Code::NoUser,
            StoreError::Unreadable(_) | StoreError::Database(_) => Code::Bug,
            _ => Code::Io,
        }
    }
}

impl Sysexit for KeyringError {
    fn sysexit(&self) -> Code {
        match self {
            KeyringError::Absent => Code::Config,
            KeyringError::WrongPassphrase => Code::Refused,
            KeyringError::Secret(_) | KeyringError::Certificate(_) => Code::BadData,
            KeyringError::Place(error) => error.sysexit(),
        }
    }
}

impl Sysexit for HomeError {
    fn sysexit(&self) -> Code {
        match self {
            HomeError::NotFound { error, .. } if error.is_temporary() => Code::TryAgain,
            HomeError::NotFound { .. } | HomeError::NoHost(_) => Code::NoHost,
            HomeError::Open { error, .. } => error.sysexit(),
            HomeError::Refused(failure) => failure.sysexit(),
        }
    }
}

impl Sysexit for OpenError {
    fn sysexit(&self) -> Code {
        match self {
            OpenError::Dialogue { failure, .. } => failure.sysexit(),
            OpenError::Tls { .. } | OpenError::Unauthenticated { .. } => Code::Refused,
            _ => Code::TryAgain,
        }
    }
}

impl Sysexit for Failure {
    fn sysexit(&self) -> Code {
        if self.is_temporary() {
            Code::TryAgain
        } else {
            Code::Refused
        }
    }
}

impl Sysexit for EnrolError {
    fn sysexit(&self) -> Code {
        match self {
            EnrolError::Taken(_) => Code::CannotCreate,
            EnrolError::Home(error) => error.sysexit(),
            EnrolError::Generate(_) => Code::Bug,
            EnrolError::Keyring(error) => error.sysexit(),
            EnrolError::Place(error) => error.sysexit(),
            EnrolError::NoToken => Code::Unavailable,
            EnrolError::KeyRefused(failure) => failure.sysexit(),
            EnrolError::NotBound(_) | EnrolError::Secret(_) => Code::BadData,
        }
    }
}

impl Sysexit for OwnKeyError {
    fn sysexit(&self) -> Code {
        match self {
            OwnKeyError::Client(error) => error.sysexit(),
            OwnKeyError::Keyring(error) => error.sysexit(),
            OwnKeyError::Home(error) => error.sysexit(),
            OwnKeyError::Secret(SecretKeyError::WrongPassphrase) => Code::Refused,
            OwnKeyError::Secret(_) | OwnKeyError::NotBound(_) | OwnKeyError::NotLonger(_) => {
                Code::BadData
            }
        }
    }
}

impl Sysexit for VerifyError {
    fn sysexit(&self) -> Code {
        match self {
            VerifyError::Client(error) => error.sysexit(),
            VerifyError::Keyring(error) => error.sysexit(),
            VerifyError::Pin(error) => error.sysexit(),
            VerifyError::Unknown(_) => Code::NoUser,
        }
    }
}

impl Sysexit for WatchError {
    fn sysexit(&self) -> Code {
        match self {
            WatchError::Client(error) => error.sysexit(),
            WatchError::Keyring(error) => error.sysexit(),
            WatchError::Store(error) => error.sysexit(),
        }
    }
}

impl Sysexit for BackupError {
    fn sysexit(&self) -> Code {
        match self {
            BackupError::NoKit => Code::BadData,
            BackupError::Secret(SecretKeyError::WrongPassphrase) => Code::Refused,
            BackupError::Secret(_) => Code::BadData,
        }
    }
}

impl Sysexit for PinError {
    fn sysexit(&self) -> Code {
        match self {
            PinError::Changed { .. }
            | PinError::NotThatOne { .. }
            | PinError::Unauthenticated(_) => Code::Refused,
            PinError::Certificate { .. } => Code::BadData,
            PinError::Store(error) => error.sysexit(),
        }
    }
}

impl Sysexit for KeyError {
    fn sysexit(&self) -> Code {
        match self {
            KeyError::NoKey(_) => Code::NoUser,
            KeyError::Unauthenticated(_) => Code::Refused,
            KeyError::NoEmail2(_) => Code::Unavailable,
            KeyError::NoDomain(_) | KeyError::NoMail(_) => Code::NoHost,
            KeyError::Later { .. } => Code::TryAgain,
        }
    }
}

impl Sysexit for SendError {
    fn sysexit(&self) -> Code {
        match self {
            SendError::Compose(error) => error.sysexit(),
            SendError::Protect(error) => error.sysexit(),
            SendError::Seal(_) => Code::BadData,
            SendError::Store(error) => error.sysexit(),
        }
    }
}

impl Sysexit for ComposeError {
    fn sysexit(&self) -> Code {
        match self {
            ComposeError::Recipient { .. } | ComposeError::NoRecipients => Code::Usage,
            ComposeError::Subject | ComposeError::Import(_) => Code::BadData,
            ComposeError::Write(_) => Code::Bug,
        }
    }
}

impl Sysexit for ProtectError {
    fn sysexit(&self) -> Code {
        match self {
            ProtectError::NoKey(_) | ProtectError::Mixed(_) => Code::Refused,
            ProtectError::Content(_) => Code::BadData,
        }
    }
}

impl Sysexit for SealingError {
    fn sysexit(&self) -> Code {
        Code::BadData
    }
}

impl Sysexit for ContentError {
    fn sysexit(&self) -> Code {
        match self {
            ContentError::NotForTheseKeys => Code::Refused,
            ContentError::OpenPgp(_) => Code::Bug,
            _ => Code::BadData,
        }
    }
}

impl Sysexit for SaveError {
    fn sysexit(&self) -> Code {
        Code::CannotCreate
    }
}

impl Sysexit for ReplyError {
    fn sysexit(&self) -> Code {
        Code::BadData
    }
}

impl State {
    /// What a recipient's state means for the exit code; `None` when all is well.
    #[must_use]
    pub fn sysexit(self) -> Option<Code> {
        match self {
            State::Delivered => None,
            State::Waiting => Some(Code::TryAgain),
            State::Held | State::Refused => Some(Code::Refused),
            State::Unavailable => Some(Code::Unavailable),
        }
    }
}
