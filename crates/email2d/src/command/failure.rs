//! Why a command failed, and the exit code of it (sysexits).

use email2_store::StoreError;

use crate::StartError;
use crate::config::ConfigError;
use crate::dkim_key::DkimKeyError;
use crate::held_key::HeldKeyError;
use crate::service_key::ServiceKeyError;

/// The command line is wrong.
pub(super) const USAGE: u8 = 64;
const DATA: u8 = 65;
const NO_USER: u8 = 67;
const NO_HOST: u8 = 68;
const SOFTWARE: u8 = 70;
const CANNOT_CREATE: u8 = 73;
const INPUT_OUTPUT: u8 = 74;
const TRY_AGAIN: u8 = 75;
const CONFIGURATION: u8 = 78;

/// One sentence for a person, and the exit code.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The exit code (sysexits).
    pub code: u8,
    /// What is wrong and what to do.
    pub message: String,
}

impl Failure {
    fn new(code: u8, message: impl Into<String>) -> Failure {
        Failure {
            code,
            message: message.into(),
        }
    }

    /// An argument makes no sense: 65.
    pub(super) fn data(message: impl Into<String>) -> Failure {
        Failure::new(DATA, message)
    }

    /// A command that lacks something: 64.
    pub(super) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(USAGE, message)
    }

    /// There is no such account: 67.
    pub(super) fn no_user(message: impl Into<String>) -> Failure {
        Failure::new(NO_USER, message)
    }

    /// The domain is not served here: 68.
    pub(super) fn no_domain(message: impl Into<String>) -> Failure {
        Failure::new(NO_HOST, message)
    }

    /// Something cannot be made: 73.
    pub(super) fn cannot_create(message: impl Into<String>) -> Failure {
        Failure::new(CANNOT_CREATE, message)
    }

    /// Reading or writing failed: 74.
    pub(super) fn input_output(message: impl Into<String>) -> Failure {
        Failure::new(INPUT_OUTPUT, message)
    }

    /// It may work later: 75.
    pub(super) fn try_again(message: impl Into<String>) -> Failure {
        Failure::new(TRY_AGAIN, message)
    }

    /// The configuration is wrong: 78.
    pub(super) fn configuration(message: impl Into<String>) -> Failure {
        Failure::new(CONFIGURATION, message)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure::configuration(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let code = match error {
            StoreError::Locked { .. } | StoreError::Full => TRY_AGAIN,
            StoreError::Newer { .. } => CONFIGURATION,
            StoreError::Exists(_) | StoreError::Refused(_) => DATA,
            StoreError::NotFound(_) => NO_USER,
            StoreError::Unreadable(_) | StoreError::Database(_) => SOFTWARE,
            _ => INPUT_OUTPUT,
        };
        Failure::new(code, error.to_string())
    }
}

impl From<ServiceKeyError> for Failure {
    fn from(error: ServiceKeyError) -> Failure {
        match error {
            ServiceKeyError::Store(error) => error.into(),
            other => Failure::input_output(other.to_string()),
        }
    }
}

impl From<DkimKeyError> for Failure {
    fn from(error: DkimKeyError) -> Failure {
        Failure::input_output(error.to_string())
    }
}

impl From<HeldKeyError> for Failure {
    fn from(error: HeldKeyError) -> Failure {
        match error {
            HeldKeyError::Store(error) => error.into(),
            HeldKeyError::OwnKey(_) => Failure::data(error.to_string()),
            other => Failure::input_output(other.to_string()),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        match error {
            StartError::Store(error) => error.into(),
            StartError::ServiceKey(error) => error.into(),
            StartError::Listen(_) => Failure::new(INPUT_OUTPUT, error.to_string()),
            other => Failure::configuration(other.to_string()),
        }
    }
}
