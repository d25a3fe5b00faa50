//! `email2 save`: attachments into a directory, over nothing that is there.

use std::path::PathBuf;
use std::process::ExitCode;

use email2_client::display::shown;
use email2_client::read::Attached;
use email2_client::{attachment, inbox};
use serde::Serialize;

use super::context::Context;
use super::read::open;
use crate::args::SaveArgs;
use crate::exit::{Code, Failure, Outcome};

#[derive(Serialize)]
struct Saved {
    part: usize,
    size: usize,
    path: PathBuf,
}

/// Saves what was asked for and prints where each file is.
pub(crate) async fn run(context: &Context, args: SaveArgs) -> Outcome {
    let client = context.client()?;
    context.run_due(&client).await?;
    let whole = inbox::fetch(&client, &args.message.mailbox, &args.message.id).await?;
    let message = open(context, &client, &whole.octets).await?;
    let mut saved = Vec::new();
    for attached in chosen(&message.attachments, &args)? {
        saved.push(Saved {
            part: attached.part,
            size: attached.size,
            path: attachment::save(attached, &args.dir)?,
        });
    }
    let line = |saved: &Saved| format!("{}\n", shown(&saved.path.to_string_lossy()));
    context
        .output
        .data("saved", &saved, |saved| saved.iter().map(line).collect())?;
    Ok(ExitCode::SUCCESS)
}

/// All, those with the numbers given, or the only one.
fn chosen<'a>(all: &'a [Attached], args: &SaveArgs) -> Result<Vec<&'a Attached>, Failure> {
    if args.all || (args.part.is_empty() && all.len() == 1) {
        return Ok(all.iter().collect());
    }
    if args.part.is_empty() {
        return Err(Failure::new(
            Code::Usage,
            format_args!(
                "the message has {} attachments: give --all or --part N",
                all.len()
            ),
        ));
    }
    let number = |part: &usize| {
        let found = all.iter().find(|attached| attached.part == *part);
        found.ok_or_else(|| {
            Failure::new(Code::BadData, format_args!("there is no attachment {part}"))
        })
    };
    args.part.iter().map(number).collect()
}
