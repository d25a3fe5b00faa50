//! `email2-vectors`: writes what the specification holds that is made from the code, its
//! test vectors and its tables, or checks that they are as they would be written.
//!
//! Exits 0 when all is well, 1 when a file differs, 70 when a vector could not be made.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use email2_testbed::failure::Outcome;
use email2_testbed::{tables, vectors};

/// Makes `vectors/` (one file a case, and `index.json`) and the generated tables.
#[derive(Parser)]
#[command(name = "email2-vectors", version)]
struct Arguments {
    /// Write nothing; name the files that differ.
    #[arg(long)]
    check: bool,
    /// The folder of the specification.
    #[arg(default_value = "docs/spec")]
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
    let vectors = arguments.folder.join("vectors");
    if !arguments.check {
        tables::write(&arguments.folder)?;
        let count = vectors::write(&vectors)?;
        println!("{count} vectors in {}", vectors.display());
        return Ok(ExitCode::SUCCESS);
    }
    let mut differing = tables::differing(&arguments.folder)?;
    differing.extend(vectors::differing(&vectors)?);
    for name in &differing {
        println!("{name} differs");
    }
    Ok(ExitCode::from(u8::from(!differing.is_empty())))
}
