//! `email2-demo`: the founding exchange and the forgers, on loopback, in one command.
//!
//! Exits 0 when every verdict was the expected one, 1 when one was not, 70 when the world
//! could not be set up.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use email2_io::clock::{Clock as _, SystemClock};
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::story::narrator::{Form, Narrator};
use email2_testbed::story::{self, keep};

/// Plays the mission's story on a world of its own: DNS, certificates, two mail servers,
/// people and forgers, all on loopback.
#[derive(Parser)]
#[command(name = "email2-demo", version)]
struct Arguments {
    /// Print one JSON object per step.
    #[arg(long)]
    json: bool,
    /// Leave the world running until Enter or SIGTERM, and say how to use it.
    #[arg(long)]
    keep: bool,
    /// The folder of a kept world (default: a temporary one).
    #[arg(long, requires = "keep")]
    dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let played = tokio::runtime::Runtime::new()
        .step("runtime")
        .and_then(|runtime| runtime.block_on(play(&arguments)));
    match played {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("email2-demo: {failure}");
            ExitCode::from(70)
        }
    }
}

/// Plays; the number of steps that did not go as expected.
async fn play(arguments: &Arguments) -> Outcome<usize> {
    let temporary = tempfile::tempdir().step("temporary folder")?;
    let folder = match &arguments.dir {
        Some(folder) => std::path::absolute(folder).step("folder")?,
        None => temporary.path().to_owned(),
    };
    std::fs::create_dir_all(&folder).step(format!("folder {}", folder.display()))?;
    let form = match arguments.json {
        true => Form::Json,
        false => Form::Text,
    };
    let mut out = std::io::stdout();
    let mut narrator = Narrator::new(form, &mut out);
    let clock = SystemClock::new();
    let scene = story::play(&folder, &mut narrator).await?;
    let (steps, surprises) = (narrator.steps().len(), narrator.surprises());
    let seconds = clock.monotonic().as_secs_f32();
    narrator.part(&format!(
        "{steps} steps in {seconds:.1} s; not as expected: {surprises}"
    ));
    if arguments.keep {
        let usage = keep::write(&scene)?;
        let mut log = std::io::stderr();
        log.write_all(usage.as_bytes()).step("usage")?;
        keep::until_asked().await;
    }
    scene.stop().await;
    Ok(surprises)
}
