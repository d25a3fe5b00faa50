//! `email2 block`: whose mail one's server refuses (spec §10.1).

use std::process::ExitCode;

use email2_client::display::shown;
use email2_client::settings::{self, Setting};

use super::context::Context;
use crate::args::BlockCommand;
use crate::exit::{Code, Failure, Outcome};

/// Adds, lists or removes.
pub(crate) async fn run(context: &Context, command: BlockCommand) -> Outcome {
    let client = context.client()?;
    context.run_due(&client).await?;
    match command {
        BlockCommand::Add { pattern } => {
            let is_new = settings::add(&client, Setting::Blocks, &pattern).await?;
            if !is_new {
                let line = format!("{} was blocked already", shown(&pattern));
                context.output.note(&line);
            }
        }
        BlockCommand::List => {
            let blocks = settings::get(&client, Setting::Blocks).await?;
            context.output.data("blocks", &blocks, |blocks| {
                let line = |block: &String| format!("{}\n", shown(block));
                blocks.iter().map(line).collect()
            })?;
        }
        BlockCommand::Remove { pattern } => {
            if !settings::remove(&client, Setting::Blocks, &pattern).await? {
                let line = format!("{} is not blocked", shown(&pattern));
                return Err(Failure::new(Code::NoInput, line));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
