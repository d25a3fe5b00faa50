//! `email2 send`: one message, directly to the servers of its recipients.

use std::io::{Read, stdin};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use email2::limits;
use email2::secret::SecretKey;
use email2_client::Client;
use email2_client::contact;
use email2_client::display::shown;
use email2_client::send::compose::{self, Attachment, File, Letter, Source};
use email2_client::send::protect::ProtectError;
use email2_client::send::{
    self, Author, Encryption, Options, Report, SendError, State, Step, Watch, Way,
};

use super::context::Context;
use super::setup::read;
use super::undo::Passed;
use super::{draft, letter, outbox, split, undo};
use crate::args::{BodyArgs, DeliveryArgs, SendArgs};
use crate::exit::{Code, Failure, Outcome};
use crate::progress::Progress;

/// Sends, and prints one line a recipient.
pub(crate) async fn run(context: &Context, args: SendArgs) -> Outcome {
    let client = context.client()?;
    let (source, typed) = match &args.eml {
        Some(file) => (Source::File(message(&args, file)?), None),
        None => {
            let letter = letter(&client, &args)?;
            let (letter, typed) = letter::finish(context, letter, &args.body)?;
            if args.draft {
                return draft::keep(context, &client, letter, typed).await;
            }
            (Source::Letter(letter), typed)
        }
    };
    let posted = post(context, &client, source, &args.delivery).await;
    if let (Err(_), Some(typed)) = (&posted, typed) {
        typed.keep(context);
    }
    finish(context, &posted?)
}

async fn post(
    context: &Context,
    client: &Client,
    source: Source,
    args: &DeliveryArgs,
) -> Result<Vec<Report>, Failure> {
    context.run_due(client).await?;
    let key = context.key(client)?;
    let reports = deliver(context, client, &key, source, args).await?;
    befriend(context, client, &reports).await;
    Ok(reports)
}

/// Sends a message that is there, with whatever else is due in the outbox. The key was opened
/// by the caller: a passphrase can be read only once.
pub(crate) async fn deliver(
    context: &Context,
    client: &Client,
    key: &SecretKey,
    source: Source,
    args: &DeliveryArgs,
) -> Result<Vec<Report>, Failure> {
    let author = Author {
        key,
        address: client.address()?,
    };
    let passed = match args.now {
        true => Passed::UNASKED,
        false => undo::passes(context, client).await,
    };
    if !passed.goes {
        return Err(taken_back());
    }
    let options = options(args);
    let attempt = |options: Options, source: Source| {
        let (progress, author) = (context.progress(), &author);
        async move { send::send(client, author, source, &options, &Told(progress)).await }
    };
    let sent = attempt(options, source.clone()).await;
    let Err(SendError::Protect(ProtectError::Mixed(undecided))) = &sent else {
        return Ok(sent?);
    };
    if !undo::is_asked(context) {
        return Ok(sent?);
    }
    // Nothing was kept or sent: it is made again as its author decides (spec §5.5.2).
    let encryption = split::ask(undecided, passed.typed).await;
    let encryption = encryption.ok_or_else(taken_back)?;
    let decided = Options {
        encryption,
        ..options
    };
    Ok(attempt(decided, source).await?)
}

fn taken_back() -> Failure {
    Failure::new(Code::Refused, "taken back; nothing was sent")
}

/// Whoever is written to is no stranger (spec §10.5): their answer does not wait in Requests.
pub(crate) async fn befriend(context: &Context, client: &Client, reports: &[Report]) {
    let sent = reports.iter().filter(|report| {
        let kept = [State::Delivered, State::Waiting];
        kept.contains(&report.state)
    });
    let written_to: Vec<_> = sent.map(|report| report.recipient.clone()).collect();
    if let Err(error) = contact::wrote_to(client, &written_to).await {
        let error = shown(&error.to_string());
        context
            .output
            .note(&format!("the contacts could not be changed: {error}"));
    }
}

/// Prints reports; the gravest of them is the exit code.
pub(crate) fn finish(context: &Context, reports: &[Report]) -> Outcome {
    context.output.data("send", &reports, |reports| {
        reports.iter().map(line).collect()
    })?;
    let gravest = reports
        .iter()
        .filter_map(|report| report.state.sysexit())
        .max();
    Ok(gravest.map_or(ExitCode::SUCCESS, |code| ExitCode::from(code as u8)))
}

fn line(report: &Report) -> String {
    let by_server = report.manner.is_some_and(|manner| manner.by_server);
    let state = match report.state {
        State::Delivered if by_server => "handed to your server",
        State::Delivered => "delivered",
        State::Waiting => "waits in the outbox",
        State::Held => "held in the outbox",
        State::Refused => "refused",
        State::Unavailable => "not sent",
    };
    let manner = report.manner.map(|manner| format!(", {manner}"));
    let manner = manner.unwrap_or_default();
    let entry = report
        .outbox
        .map(|id| format!(" [{id}]"))
        .unwrap_or_default();
    let words = shown(&report.words);
    let decide = report.outbox.filter(|_| report.undecided);
    let decide = decide.map(|id| format!("    {}\n", outbox::ways_out(id)));
    let decide = decide.unwrap_or_default();
    format!(
        "{}: {state}{entry}{manner}: {words}\n{decide}",
        report.recipient
    )
}

fn options(args: &DeliveryArgs) -> Options {
    Options {
        encryption: match (args.encrypt, args.no_encrypt, args.split) {
            (true, ..) => Encryption::Demand,
            (_, true, _) => Encryption::Refuse,
            (.., true) => Encryption::Split,
            _ => Encryption::Default,
        },
        wait: Duration::from_secs(args.wait),
        way: match (args.via_server, args.direct) {
            (true, _) => Way::Server,
            (_, true) => Way::Direct,
            _ => Way::Either,
        },
        email2_only: args.email2_only,
        ..Options::default()
    }
}

fn letter(client: &Client, args: &SendArgs) -> Result<Letter, Failure> {
    Ok(Letter {
        to: args.to.clone(),
        cc: args.cc.clone(),
        bcc: args.bcc.clone(),
        subject: args.subject.clone(),
        body: letter::text(client, &args.body)?,
        attachments: attachments(&args.body)?,
        ..Letter::default()
    })
}

fn message(args: &SendArgs, file: &Path) -> Result<File, Failure> {
    let addresses = |given: &[String]| -> Result<Vec<_>, Failure> {
        let found = compose::recipients(given)?;
        Ok(found.into_iter().map(|(_, address)| address).collect())
    };
    Ok(File {
        octets: input(file)?,
        replace_from: args.replace_from,
        to: addresses(&args.to)?,
        cc: addresses(&args.cc)?,
        bcc: addresses(&args.bcc)?,
    })
}

/// The text that was given, else standard input.
pub(crate) fn given(args: &BodyArgs) -> Result<String, Failure> {
    let octets = match (&args.body, &args.body_file) {
        (Some(text), _) => return Ok(text.clone()),
        (None, Some(file)) => read(file)?,
        (None, None) => input(Path::new("-"))?,
    };
    String::from_utf8(octets)
        .map_err(|_| Failure::new(Code::BadData, "the text is not UTF-8; attach it as a file"))
}

/// The files to attach, each by its name without a path.
pub(crate) fn attachments(args: &BodyArgs) -> Result<Vec<Attachment>, Failure> {
    let files = args.attach.iter();
    files
        .map(|path| {
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            Ok(Attachment {
                name: name.unwrap_or_else(|| "file".to_owned()),
                octets: read(path)?,
            })
        })
        .collect()
}

/// A file, or standard input for `-`; no more than a message may hold.
pub(crate) fn input(path: &Path) -> Result<Vec<u8>, Failure> {
    if path.as_os_str() != "-" {
        return read(path);
    }
    let mut octets = Vec::new();
    let most = limits::MESSAGE_OCTETS + 1;
    stdin()
        .lock()
        .take(most)
        .read_to_end(&mut octets)
        .map_err(|error| {
            Failure::new(
                Code::Io,
                format_args!("cannot read standard input: {error}"),
            )
        })?;
    if octets.len() as u64 >= most {
        return Err(Failure::new(
            Code::BadData,
            "the input is larger than a message may be",
        ));
    }
    Ok(octets)
}

/// Steps of sending, on the progress line.
pub(crate) struct Told(pub(crate) Progress);

impl Watch for Told {
    fn step(&self, step: Step) {
        self.0.say(match step {
            Step::Replaced { address, key } => {
                format!("{address} has a new key ({key}); the old one signed that it follows")
            }
            Step::ByServer { address, why } => {
                let why = shown(&why);
                format!("{why}; your own server told the key of {address}, and carries it on")
            }
            Step::NoDirectory { address, why } => {
                format!("no key of {address} was looked up: {}", shown(&why))
            }
            Step::Key(address) => format!("asking for the key of {address}"),
            Step::Deliver { domain, size } => format!("delivering {size} octets to {domain}"),
            Step::Wait(seconds) => format!("refused for now; next attempt in {seconds} s"),
        });
    }
}
