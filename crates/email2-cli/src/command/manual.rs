//! Manual pages and completions, made from the command line's own definition.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::exit::{Code, Failure, Outcome};
use crate::output::Output;

/// Writes one page for the program and one for each command into `dir`.
pub(crate) fn pages(dir: &Path) -> Outcome {
    fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
        .map_err(|error| {
            let dir = dir.display();
            Failure::new(
                Code::CannotCreate,
                format_args!("cannot write into {dir}: {error}"),
            )
        })?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the completions for `shell`.
pub(crate) fn completions(shell: Shell, output: Output) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "email2", &mut script);
    output.raw(&script)?;
    Ok(ExitCode::SUCCESS)
}
