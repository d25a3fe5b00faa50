//! What a command prints: text for people or one JSON object a line.

use std::io::Write;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Failure;

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Output {
        Output { json }
    }

    /// Prints a result in the form that was asked for.
    ///
    /// # Errors
    /// Standard output is closed or full: 74.
    pub(super) fn print(self, text: &str, object: &Value) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        let written = match self.json {
            true => writeln!(out, "{object}"),
            false => writeln!(out, "{text}"),
        };
        written.map_err(|error| Failure::input_output(format!("standard output: {error}")))
    }
}

/// Says what is wrong, on standard error.
pub(super) fn complain(failure: &Failure) {
    // Where even that cannot be written, the exit code is left.
    let _ = writeln!(std::io::stderr(), "email2d: {failure}");
}

/// A time as RFC 3339 in UTC.
pub(super) fn rfc3339(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| seconds.to_string())
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(super::rfc3339(1_764_000_000), "2025-11-24T16:00:00Z");
    }
}
