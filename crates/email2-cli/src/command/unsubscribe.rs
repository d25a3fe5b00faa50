//! `email2 unsubscribe`: leave the mailing list that a message came by, by a sealed letter.

use email2_client::display::shown;
use email2_client::inbox;
use email2_client::send::compose::{Letter, Source};

use super::context::Context;
use super::read;
use super::send::{deliver, finish};
use crate::args::UnsubscribeArgs;
use crate::exit::{Code, Failure, Outcome};

/// Writes the letter that the list asks for.
pub(crate) async fn run(context: &Context, args: UnsubscribeArgs) -> Outcome {
    let client = context.client()?;
    let (mailbox, id) = (&args.message.mailbox, &args.message.id);
    let whole = inbox::fetch(&client, mailbox, id).await?;
    let message = read::open(context, &client, &whole.octets).await?;
    let list = message.list.unwrap_or_default();
    let Some(leave) = list.leave else {
        let line = match list.one_click {
            Some(link) => format!("this list is left by a browser: {}", shown(&link)),
            None => "no list says how to leave it in this message".to_owned(),
        };
        return Err(Failure::new(Code::NoInput, line));
    };
    context.output.note(&format!(
        "{} is asked: {}",
        shown(&leave.to),
        shown(&leave.subject)
    ));
    let key = context.key(&client)?;
    let letter = Letter {
        to: vec![leave.to],
        body: format!("{}\n", leave.subject),
        subject: leave.subject,
        ..Letter::default()
    };
    let reports = deliver(
        context,
        &client,
        &key,
        Source::Letter(letter),
        &args.delivery,
    )
    .await?;
    finish(context, &reports)
}
