//! The command line program `email2`.

mod args;
mod command;
mod exit;
mod output;
mod passphrase;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use args::Cli;
use exit::{Code, Failure};
use output::Output;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let output = Output::new(cli.json);
    log();
    let ended = runtime().and_then(|runtime| runtime.block_on(command::run(cli, output)));
    ended.unwrap_or_else(|failure| {
        output.failure(&failure);
        failure.exit()
    })
}

/// Help and version are no errors; everything else is a wrong command line.
fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() {
        return Failure::new(Code::Usage, "usage").exit();
    }
    ExitCode::SUCCESS
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Runtime::new()
        .map_err(|error| Failure::new(Code::Bug, format_args!("cannot start: {error}")))
}

/// Diagnostics go to standard error when `EMAIL2_LOG` asks for them.
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("EMAIL2_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("off"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
