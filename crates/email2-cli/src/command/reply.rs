//! `email2 reply`: an answer, protected at least as what it answers.

use email2_client::display::shown;
use email2_client::reply::{Ask, reply};
use email2_client::send::compose::Source;
use email2_client::{inbox, read};

use super::context::Context;
use super::letter;
use super::send::{attachments, befriend, deliver, finish};
use crate::args::ReplyArgs;
use crate::exit::Outcome;

/// Makes the answer, sends it and notes that the message was answered.
pub(crate) async fn run(context: &Context, mut args: ReplyArgs) -> Outcome {
    let client = context.client()?;
    let (mailbox, id) = (&args.message.mailbox, &args.message.id);
    let whole = inbox::fetch(&client, mailbox, id).await?;
    let key = context.key(&client)?;
    let message = read::open(&client, &whole.octets, Some(&key)).await?;
    let ask = Ask {
        all: args.all,
        quote: !args.no_quote,
        follow_reply_to: args.follow_reply_to,
        body: letter::text(&client, &args.body)?,
        attachments: attachments(&args.body)?,
    };
    let answer = reply(&message, client.address()?, ask)?;
    for note in &answer.notes {
        context.output.note(&shown(note));
    }
    // What came encrypted does not go back in the clear unless that was said.
    args.delivery.encrypt |= answer.encrypt && !args.delivery.no_encrypt;
    let (letter, typed) = letter::finish(context, answer.letter, &args.body)?;
    let source = Source::Letter(letter);
    let sent = deliver(context, &client, &key, source, &args.delivery).await;
    if let (Err(_), Some(typed)) = (&sent, typed) {
        typed.keep(context);
    }
    let reports = sent?;
    // The answer is on its way or in the outbox; the flag is a courtesy.
    let _ = inbox::mark(&client, mailbox, &whole.id, "\\Answered").await;
    befriend(context, &client, &reports).await;
    finish(context, &reports)
}
