//! `email2-vectors`: writes the specification's test vectors, or checks that they are as
//! they would be written.
//!
//! Exits 0 when all is well, 1 when a file differs, 70 when a vector could not be made.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use email2_testbed::failure::Outcome;
use email2_testbed::vectors;

/// Makes `docs/spec/vectors`: one file a case, and `index.json`.
#[derive(Parser)]
#[command(name = "email2-vectors", version)]
struct Arguments {
    /// Write nothing; name the files that differ.
    #[arg(long)]
    check: bool,
    /// The folder.
    #[arg(default_value = "docs/spec/vectors")]
    folder: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("email2-vectors: {failure}");
            ExitCode::from(70)
        }
    }
}

fn run(arguments: &Arguments) -> Outcome<ExitCode> {
    if !arguments.check {
        let count = vectors::write(&arguments.folder)?;
        println!("{count} vectors in {}", arguments.folder.display());
        return Ok(ExitCode::SUCCESS);
    }
    let differing = vectors::differing(&arguments.folder)?;
    for name in &differing {
        println!("{name} differs");
    }
    Ok(ExitCode::from(u8::from(!differing.is_empty())))
}
