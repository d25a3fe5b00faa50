//! `email2 forward`: a message is given on, protected at least as it came.

use email2_client::forward::forward;
use email2_client::send::compose::{Letter, Source};
use email2_client::{inbox, read};

use super::context::Context;
use super::letter;
use super::send::{attachments, befriend, deliver, finish};
use crate::args::ForwardArgs;
use crate::exit::Outcome;

/// Makes the letter and sends it.
pub(crate) async fn run(context: &Context, mut args: ForwardArgs) -> Outcome {
    let client = context.client()?;
    let (mailbox, id) = (&args.message.mailbox, &args.message.id);
    let whole = inbox::fetch(&client, mailbox, id).await?;
    let key = context.key(&client)?;
    let message = read::open(&client, &whole.octets, Some(&key)).await?;
    let letter = Letter {
        to: args.to.clone(),
        cc: args.cc.clone(),
        bcc: args.bcc.clone(),
        body: letter::text(&client, &args.body)?,
        attachments: attachments(&args.body)?,
        ..Letter::default()
    };
    let given_on = forward(&message, letter);
    // What came encrypted does not go on in the clear unless that was said.
    args.delivery.encrypt |= given_on.encrypt && !args.delivery.no_encrypt;
    let (letter, typed) = letter::finish(context, given_on.letter, &args.body)?;
    let source = Source::Letter(letter);
    let sent = deliver(context, &client, &key, source, &args.delivery).await;
    if let (Err(_), Some(typed)) = (&sent, typed) {
        typed.keep(context);
    }
    let reports = sent?;
    befriend(context, &client, &reports).await;
    finish(context, &reports)
}
