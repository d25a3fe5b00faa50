//! What goes to standard output: lines for people, or versioned JSON.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;

use crate::exit::{Code, Failure};

/// The version of the JSON form; a change that breaks readers raises it.
const JSON_VERSION: u32 = 1;

/// Where and how a command prints its data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    /// Lines for people, or JSON.
    pub(crate) fn new(json: bool) -> Output {
        Output { json }
    }

    /// Is the data printed as JSON?
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints `data` as JSON under `kind`, or the lines that `human` makes of it.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn data<T: Serialize>(
        self,
        kind: &str,
        data: &T,
        human: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        if self.json {
            return self
                .line(&json!({"version": JSON_VERSION, "kind": kind, "data": data}).to_string());
        }
        self.raw(human(data).as_bytes())
    }

    /// Prints one line.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn line(self, line: &str) -> Result<(), Failure> {
        self.raw(format!("{line}\n").as_bytes())
    }

    /// Writes octets as they are (`read --raw`, `tool`).
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn raw(self, octets: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(octets).and_then(|()| out.flush()) {
            // The reader has seen enough (`| head`).
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Failure::new(
                Code::Io,
                format_args!("cannot write the output: {error}"),
            )),
            Ok(()) => Ok(()),
        }
    }

    /// A line for people on standard error, beside data on standard output.
    pub(crate) fn note(self, line: &str) {
        // Nothing is left to be told where even this cannot be written.
        let _ = writeln!(anstream::stderr(), "email2: {line}");
    }

    /// Tells why the program ends: a line on standard error, with `--json` an object too.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            let object = json!({
                "version": JSON_VERSION,
                "kind": "error",
                "data": {"exit": failure.number(), "sentence": failure.line()},
            });
            // Nothing is left to be told where even this cannot be written.
            let _ = self.line(&object.to_string());
        }
        let _ = writeln!(anstream::stderr(), "email2: {}", failure.line());
    }
}
