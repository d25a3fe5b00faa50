//! Runs the tests against every mutant of `mutants.toml`: each must be caught.

use std::io::Write;
use std::process::ExitCode;

use email2_testbed::failure::{Outcome, Step};
use email2_testbed::mutants::{self, Verdict};

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "email2-mutants: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<bool> {
    let mutants = mutants::all()?;
    let mut out = std::io::stdout();
    let mut caught = 0;
    mutants::run(&mutants, &mut |mutant, verdict| {
        let words = match verdict {
            Verdict::Caught(test) => {
                caught += 1;
                format!("caught by {test}")
            }
            Verdict::Survived => "SURVIVED".to_owned(),
        };
        let _ = writeln!(out, "{:<28} {} ({})", mutant.name, words, mutant.says);
    })?;
    writeln!(
        std::io::stdout(),
        "mutants: {caught}/{} caught",
        mutants.len()
    )
    .step("output")?;
    Ok(caught == mutants.len())
}
