//! The commands: each opens what it needs, does one thing, prints its data.

mod block;
mod contact;
mod draft;
mod forward;
mod inbox;
mod key;
mod letter;
mod outbox;
mod read;
mod reply;
mod save;
mod search;
mod send;
mod setup;
mod split;
mod tool;
mod undo;
mod unsubscribe;
mod vacation;

mod context;
mod manual;

use crate::args::{Cli, Command};
use crate::exit::Outcome;
use crate::output::Output;
use context::Context;

/// Runs the command that was typed.
pub(crate) async fn run(cli: Cli, output: Output) -> Outcome {
    let context = Context {
        config: cli.config,
        passphrase: cli.passphrase,
        output,
    };
    match cli.command {
        Command::Setup(args) => setup::run(&context, args).await,
        Command::Send(args) => send::run(&context, *args).await,
        Command::Inbox(args) => inbox::run(&context, args).await,
        Command::Search(args) => search::run(&context, args).await,
        Command::Read(args) => read::run(&context, args).await,
        Command::Reply(args) => reply::run(&context, *args).await,
        Command::Forward(args) => forward::run(&context, *args).await,
        Command::Save(args) => save::run(&context, args).await,
        Command::Key(args) => key::run(&context, args).await,
        Command::Contact(args) => contact::run(&context, args).await,
        Command::Block(args) => block::run(&context, args).await,
        Command::Vacation(args) => vacation::run(&context, args).await,
        Command::Unsubscribe(args) => unsubscribe::run(&context, args).await,
        Command::Draft(args) => draft::run(&context, args).await,
        Command::Outbox(args) => outbox::run(&context, args).await,
        Command::Tool(args) => tool::run(&context, args).await,
        Command::Man { dir } => manual::pages(&dir),
        Command::Completions { shell } => manual::completions(shell, output),
    }
}
