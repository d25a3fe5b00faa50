//! How the program ends: a sysexits code and one clear line.

use std::fmt;
use std::process::ExitCode;

pub(crate) use email2_client::sysexit::Code;
use email2_client::sysexit::Sysexit;

/// Why the program ends early: the code, and what happened, to what, what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    line: String,
}

impl Failure {
    /// A failure with its sentence.
    pub(crate) fn new(code: Code, line: impl fmt::Display) -> Failure {
        Failure {
            code,
            line: line.to_string(),
        }
    }

    /// The sentence, one line.
    pub(crate) fn line(&self) -> &str {
        &self.line
    }

    /// The code for `main` to return.
    pub(crate) fn exit(&self) -> ExitCode {
        ExitCode::from(self.number())
    }

    /// The sysexits number.
    pub(crate) fn number(&self) -> u8 {
        self.code as u8
    }
}

impl<E: Sysexit + fmt::Display> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::new(error.sysexit(), error)
    }
}

/// What a command gives back: the exit code, or why it failed.
pub(crate) type Outcome = Result<ExitCode, Failure>;
