//! `email2 draft`: letters that wait for their author.

use std::process::ExitCode;

use email2::secret::SecretKey;
use email2_client::Client;
use email2_client::display::shown;
use email2_client::draft::{self, Waiting};
use email2_client::send::Author;
use email2_client::send::compose::{Letter, Source};

use super::context::Context;
use super::letter::{self, Typed};
use super::send::{befriend, deliver, finish};
use crate::args::{DeliveryArgs, DraftCommand};
use crate::exit::{Failure, Outcome};

/// Drafts listed at most.
const LISTED: usize = 200;

/// Lists, edits, sends or deletes.
pub(crate) async fn run(context: &Context, command: DraftCommand) -> Outcome {
    let client = context.client()?;
    context.run_due(&client).await?;
    match command {
        DraftCommand::List => list(context, &client).await,
        DraftCommand::Edit { id } => edit(context, &client, &id).await,
        DraftCommand::Send { id, delivery } => send(context, &client, &id, &delivery).await,
        DraftCommand::Delete { id } => {
            draft::delete(&client, &id).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Keeps a letter that was written as a draft.
pub(crate) async fn keep(
    context: &Context,
    client: &Client,
    letter: Letter,
    typed: Option<Typed>,
) -> Outcome {
    let kept = match context.key(client) {
        Ok(key) => keep_with(client, &key, letter).await,
        Err(failure) => Err(failure),
    };
    if let (Err(_), Some(typed)) = (&kept, typed) {
        typed.keep(context);
    }
    kept.map(|()| ExitCode::SUCCESS)
}

async fn keep_with(client: &Client, key: &SecretKey, letter: Letter) -> Result<(), Failure> {
    let author = Author {
        key,
        address: client.address()?,
    };
    Ok(draft::keep(client, &author, letter).await?)
}

async fn list(context: &Context, client: &Client) -> Outcome {
    let key = context.key(client)?;
    let drafts = draft::list(client, &key, LISTED).await?;
    context.output.data("drafts", &drafts, |drafts| {
        if drafts.is_empty() {
            return "There are no drafts.\n".to_owned();
        }
        drafts.iter().map(line).collect()
    })?;
    Ok(ExitCode::SUCCESS)
}

fn line(waiting: &Waiting) -> String {
    format!(
        "{id:>5}  {kept}  {to}  {subject}\n",
        id = shown(&waiting.id),
        kept = waiting.kept.as_deref().unwrap_or("-"),
        to = shown(&waiting.to.join(", ")),
        subject = shown(&waiting.subject),
    )
}

/// The new draft is kept before the old one goes.
async fn edit(context: &Context, client: &Client, id: &str) -> Outcome {
    let key = context.key(client)?;
    let letter = draft::open(client, &key, id).await?;
    let (letter, typed) = letter::type_on(context, letter)?;
    if let Err(failure) = keep_with(client, &key, letter).await {
        typed.keep(context);
        return Err(failure);
    }
    draft::delete(client, id).await?;
    Ok(ExitCode::SUCCESS)
}

/// The draft goes when the letter is sent or in the outbox.
async fn send(context: &Context, client: &Client, id: &str, args: &DeliveryArgs) -> Outcome {
    let key = context.key(client)?;
    let source = Source::Letter(draft::open(client, &key, id).await?);
    let reports = deliver(context, client, &key, source, args).await?;
    if reports
        .iter()
        .all(|report| report.state.sysexit().is_none())
    {
        draft::delete(client, id).await?;
    } else {
        let line = "not everybody got it yet: the draft stays until you delete it";
        context.output.note(line);
    }
    befriend(context, client, &reports).await;
    finish(context, &reports)
}
