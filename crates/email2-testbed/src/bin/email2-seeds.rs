//! Writes the seeds of a fuzz target into a folder: `email2-seeds TARGET FOLDER`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::fuzzing::target;

/// What is said on the command line.
#[derive(Parser)]
struct Args {
    /// The target.
    target: String,
    /// Where its seeds go.
    folder: PathBuf,
}

fn write(args: &Args) -> Outcome<usize> {
    let target = target(&args.target).step("fuzz target")?;
    let seeds = (target.seeds)();
    for (number, seed) in seeds.iter().enumerate() {
        let path = args.folder.join(format!("seed-{number}"));
        std::fs::write(&path, seed).step(path.display().to_string())?;
    }
    Ok(seeds.len())
}

fn main() -> ExitCode {
    match write(&Args::parse()) {
        Ok(count) => {
            println!("{count} seeds");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("email2-seeds: {failure}");
            ExitCode::FAILURE
        }
    }
}
