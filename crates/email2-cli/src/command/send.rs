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
use email2_client::send::protect::Protection;
use email2_client::send::{self, Author, Encryption, Options, Report, State, Step, Watch, Way};

use super::context::Context;
use super::setup::read;
use super::{draft, letter, undo};
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
    if !args.now && !undo::passes(context, client).await {
        let line = "taken back; nothing was sent";
        return Err(Failure::new(Code::Refused, line));
    }
    let watch = Told(context.progress());
    let sent = send::send(client, &author, source, &options(args), &watch).await;
    drop(watch);
    Ok(sent?)
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
    let state = match report.state {
        State::Delivered => "delivered",
        State::Waiting => "waits in the outbox",
        State::Held => "held in the outbox",
        State::Refused => "refused",
        State::Unavailable => "not sent",
    };
    let protection = match report.protection {
        Some(Protection::Signed) => ", signed, not encrypted",
        Some(Protection::Encrypted) => ", signed and encrypted (not post-quantum)",
        Some(Protection::EncryptedPostQuantum) => ", signed and encrypted (post-quantum)",
        None => "",
    };
    let entry = report
        .outbox
        .map(|id| format!(" [{id}]"))
        .unwrap_or_default();
    let words = shown(&report.words);
    format!(
        "{}: {state}{entry}{protection}: {words}\n",
        report.recipient
    )
}

fn options(args: &DeliveryArgs) -> Options {
    Options {
        encryption: match (args.encrypt, args.no_encrypt) {
            (true, _) => Encryption::Demand,
            (_, true) => Encryption::Refuse,
            _ => Encryption::Default,
        },
        wait: Duration::from_secs(args.wait),
        way: if args.via_server {
            Way::Server
        } else {
            Way::Direct
        },
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
            Step::Key(address) => format!("asking for the key of {address}"),
            Step::Deliver { domain, size } => format!("delivering {size} octets to {domain}"),
            Step::Wait(seconds) => format!("refused for now; next attempt in {seconds} s"),
        });
    }
}
