//! Secrets from a prompt, a file descriptor or a file; never from the command line.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write, stderr, stdin};
use std::path::Path;

use zeroize::Zeroizing;

use crate::args::PassphraseArgs;
use crate::exit::{Code, Failure};

/// The longest secret that is read, in octets.
const LIMIT: u64 = 4096;

/// The passphrase that opens the secret key.
///
/// # Errors
/// No source was given and there is no terminal, or the source cannot be read.
pub(crate) fn existing(args: &PassphraseArgs) -> Result<Zeroizing<String>, Failure> {
    match given(args)? {
        Some(secret) => Ok(secret),
        None => prompt("Passphrase of your key: "),
    }
}

/// A new passphrase: asked twice on a terminal.
///
/// # Errors
/// As [`existing`]; also when the two differ or nothing was typed.
pub(crate) fn chosen(args: &PassphraseArgs) -> Result<Zeroizing<String>, Failure> {
    if let Some(secret) = given(args)? {
        return not_empty(secret);
    }
    let first = not_empty(prompt("A passphrase for your new key: ")?)?;
    if *first == *prompt("The same again: ")? {
        return Ok(first);
    }
    Err(Failure::new(
        Code::Usage,
        "the two passphrases differ; nothing was changed",
    ))
}

/// The one-time code: from its file, a prompt, or the first line of standard input.
///
/// # Errors
/// The source cannot be read or holds nothing.
pub(crate) fn code(file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    let code = match file {
        Some(path) => from_file(path)?,
        None if stdin().is_terminal() => prompt("One-time code from your administrator: ")?,
        None => first_line(stdin().lock(), "standard input")?,
    };
    if code.trim().is_empty() {
        return Err(Failure::new(Code::Usage, "no one-time code was given"));
    }
    Ok(Zeroizing::new(code.trim().to_owned()))
}

/// The passphrase of a kit or a key from elsewhere.
///
/// # Errors
/// As [`existing`].
pub(crate) fn of_file(file: Option<&Path>, what: &str) -> Result<Zeroizing<String>, Failure> {
    match file {
        Some(path) => from_file(path),
        None => prompt(what),
    }
}

/// Asks on the terminal for a line that is no secret; `None` without a terminal.
///
/// # Errors
/// The terminal cannot be read.
pub(crate) fn ask(text: &str) -> Result<Option<String>, Failure> {
    if !stdin().is_terminal() || !stderr().is_terminal() {
        return Ok(None);
    }
    let _ = write!(stderr(), "{text}");
    let mut line = String::new();
    let read = stdin().lock().take(LIMIT).read_line(&mut line);
    read.map_err(|error| {
        Failure::new(Code::Io, format_args!("cannot read the terminal: {error}"))
    })?;
    Ok(Some(line.trim().to_owned()))
}

fn given(args: &PassphraseArgs) -> Result<Option<Zeroizing<String>>, Failure> {
    if let Some(fd) = args.passphrase_fd {
        return from_descriptor(fd).map(Some);
    }
    args.passphrase_file.as_deref().map(from_file).transpose()
}

/// Opens the descriptor by its name under `/dev/fd`: no unsafe code is needed for that.
fn from_descriptor(fd: i32) -> Result<Zeroizing<String>, Failure> {
    from_file(Path::new(&format!("/dev/fd/{fd}")))
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| {
        Failure::new(Code::NoInput, format_args!("cannot read {name}: {error}"))
    })?;
    first_line(file, &name)
}

fn first_line(source: impl Read, name: &str) -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::new());
    BufReader::new(source.take(LIMIT))
        .read_line(&mut line)
        .map_err(|error| Failure::new(Code::Io, format_args!("cannot read {name}: {error}")))?;
    Ok(Zeroizing::new(
        line.trim_end_matches(['\r', '\n']).to_owned(),
    ))
}

fn prompt(text: &str) -> Result<Zeroizing<String>, Failure> {
    if !stdin().is_terminal() {
        return Err(Failure::new(
            Code::Usage,
            "no terminal to ask for the passphrase: give --passphrase-file or --passphrase-fd",
        ));
    }
    rpassword::prompt_password(text)
        .map(Zeroizing::new)
        .map_err(|error| Failure::new(Code::Io, format_args!("cannot read the terminal: {error}")))
}

fn not_empty(secret: Zeroizing<String>) -> Result<Zeroizing<String>, Failure> {
    if secret.is_empty() {
        return Err(Failure::new(
            Code::Usage,
            "an empty passphrase does not protect your key",
        ));
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_counts_without_its_end() {
        let line = first_line(&b"secret words \r\nnext"[..], "test").unwrap();
        assert_eq!(*line, "secret words ");
    }

    #[test]
    fn an_empty_passphrase_is_refused() {
        assert!(not_empty(Zeroizing::new(String::new())).is_err());
    }
}
