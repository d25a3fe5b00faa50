//! `email2 vacation`: what one's server answers while one is away (spec §14.3).

use std::process::ExitCode;

use email2_client::display::{shown, shown_text};
use email2_client::vacation::{self, Vacation};

use super::context::Context;
use crate::args::VacationArgs;
use crate::exit::{Code, Failure, Outcome};

/// Sets it, ends it, or says what is answered.
pub(crate) async fn run(context: &Context, args: VacationArgs) -> Outcome {
    let client = context.client()?;
    let text = match &args.text_file {
        Some(file) => {
            let read = std::fs::read_to_string(file);
            let file = file.display();
            Some(
                read.map_err(|error| Failure::new(Code::NoInput, format_args!("{file}: {error}")))?,
            )
        }
        None => args.text,
    };
    let now = match (text, args.off) {
        (None, false) => vacation::get(&client).await?,
        (text, _) => vacation::set(&client, text.as_deref(), args.days).await?,
    };
    context.output.data("vacation", &now, told)?;
    Ok(ExitCode::SUCCESS)
}

fn told(vacation: &Vacation) -> String {
    let Some(text) = &vacation.text else {
        return "Nobody is answered.\n".to_owned();
    };
    let days = shown(&vacation.days.to_string());
    let text = shown_text(text);
    format!("Whoever writes to you is answered, once in {days} days:\n\n{text}\n")
}
