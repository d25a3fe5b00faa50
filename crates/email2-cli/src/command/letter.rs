//! A letter is written: its text was given, or is typed in an editor; the signature stands below.

use std::fs;
use std::io::{IsTerminal, stdin};
use std::path::{Path, PathBuf};
use std::process::Command;

use email2::limits;
use email2_client::Client;
use email2_client::send::compose::Letter;
use email2_client::send::template;

use super::context::Context;
use super::send::given;
use crate::args::BodyArgs;
use crate::exit::{Code, Failure};

/// The editor where the environment names none.
const EDITOR: &str = "vi";
/// The largest signature, octets.
const SIGNATURE_OCTETS: usize = 64 * 1024;

/// Where an editor's text lies until it was sent: what was typed is not lost by a wrong address.
pub(crate) struct Typed {
    folder: tempfile::TempDir,
}

impl Typed {
    fn file(folder: &Path) -> PathBuf {
        folder.join("letter.txt")
    }

    /// Says what became of the text when it was not sent.
    pub(crate) fn keep(self, context: &Context) {
        let path = Typed::file(&self.folder.keep());
        let line = format!("what you wrote is kept in {}", path.display());
        context.output.note(&line);
    }
}

/// Is the text typed in an editor? On demand, and on a terminal where no text was given.
fn is_typed(args: &BodyArgs) -> bool {
    args.edit || (args.body.is_none() && args.body_file.is_none() && stdin().is_terminal())
}

/// The text that was given, with the signature; none yet where an editor is to be asked.
///
/// # Errors
/// The text or the signature cannot be read.
pub(crate) fn text(client: &Client, args: &BodyArgs) -> Result<String, Failure> {
    let text = if is_typed(args) && args.body.is_none() && args.body_file.is_none() {
        String::new()
    } else {
        given(args)?
    };
    let signature = match args.no_signature {
        true => None,
        false => signature(&client.place().signature_file())?,
    };
    Ok(signature.map_or(text.clone(), |own| template::with_signature(&text, &own)))
}

fn signature(path: &Path) -> Result<Option<String>, Failure> {
    let name = path.display();
    let octets = match fs::read(path) {
        Ok(octets) => octets,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let line = format!("cannot read {name}: {error}");
            return Err(Failure::new(Code::Io, line));
        }
    };
    let text = String::from_utf8(octets).ok();
    let text = text.filter(|text| text.len() <= SIGNATURE_OCTETS);
    let wrong = || {
        let line = format!("{name} is no signature: UTF-8, 64 KiB at most");
        Failure::new(Code::BadData, line)
    };
    text.map(Some).ok_or_else(wrong)
}

/// The letter as its author leaves it: through an editor, where that is wanted.
///
/// # Errors
/// The editor fails, or leaves no letter.
pub(crate) fn finish(
    context: &Context,
    letter: Letter,
    args: &BodyArgs,
) -> Result<(Letter, Option<Typed>), Failure> {
    if !is_typed(args) {
        return Ok((letter, None));
    }
    let (letter, typed) = type_on(context, letter)?;
    Ok((letter, Some(typed)))
}

/// The letter as its author leaves it in the editor.
///
/// # Errors
/// The editor fails, or leaves no letter.
pub(crate) fn type_on(context: &Context, letter: Letter) -> Result<(Letter, Typed), Failure> {
    let before = template::write(&letter);
    let (after, typed) = edit(&before)?;
    if after == before {
        let line = "the letter was not changed; nothing is sent";
        return Err(Failure::new(Code::Usage, line));
    }
    match template::read(&after, letter) {
        Ok(letter) => Ok((letter, typed)),
        Err(error) => {
            typed.keep(context);
            Err(error.into())
        }
    }
}

/// `$VISUAL`, `$EDITOR` or vi on a file that its owner alone can read.
fn edit(text: &str) -> Result<(String, Typed), Failure> {
    let failed = |error: std::io::Error| {
        let line = format!("cannot keep the letter: {error}");
        Failure::new(Code::Io, line)
    };
    // The folder is its owner's alone: so is what the editor puts beside the file.
    let folder = tempfile::Builder::new().prefix("email2-").tempdir();
    let folder = folder.map_err(failed)?;
    let path = Typed::file(folder.path());
    fs::write(&path, text).map_err(failed)?;
    run(&path)?;
    let octets = fs::read(&path).map_err(failed)?;
    if octets.len() as u64 > limits::MESSAGE_OCTETS {
        let line = "the letter is larger than a message may be";
        return Err(Failure::new(Code::BadData, line));
    }
    let text = String::from_utf8(octets);
    let text = text.map_err(|_| Failure::new(Code::BadData, "the letter is not UTF-8"))?;
    Ok((text, Typed { folder }))
}

/// The variable may hold arguments: a shell reads it, as everywhere else.
fn run(path: &Path) -> Result<(), Failure> {
    let named = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR"));
    let editor = editor.unwrap_or_else(|| EDITOR.to_owned());
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("{editor} \"$1\""))
        .arg("sh")
        .arg(path)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            let line = format!("the editor {editor} ended with {status}; nothing is sent");
            Err(Failure::new(Code::Usage, line))
        }
        Err(error) => {
            let line = format!("cannot start the editor {editor}: {error}");
            Err(Failure::new(Code::Unavailable, line))
        }
    }
}
