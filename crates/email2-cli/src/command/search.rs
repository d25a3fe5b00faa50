//! `email2 search`: messages by what they say, inside their protection too.

use std::process::ExitCode;

use email2_client::display::shown;
use email2_client::search::{self, Bounds, Found, Query};

use super::context::Context;
use super::inbox::line;
use crate::args::SearchArgs;
use crate::exit::Outcome;

/// Searches, and says what was left out.
pub(crate) async fn run(context: &Context, args: SearchArgs) -> Outcome {
    let query = Query::parse(&args.terms)?;
    let client = context.client()?;
    context.run_due(&client).await?;
    let key = match query.looks_inside() {
        true => Some(context.key(&client)?),
        false => None,
    };
    let number = |given| usize::try_from(given).unwrap_or(usize::MAX);
    let bounds = Bounds {
        results: number(args.limit),
        looked_at: number(args.look_at),
        before: args.older_than,
    };
    let found = search::search(&client, key.as_ref(), &args.mailbox, &query, &bounds).await?;
    context.output.data("search", &found, page)?;
    Ok(ExitCode::SUCCESS)
}

fn page(found: &Found) -> String {
    let mut page: String = found.messages.iter().map(line).collect();
    if found.messages.is_empty() {
        page.push_str("Nothing was found.\n");
    }
    if found.closed > 0 {
        let closed = found.closed;
        page.push_str(&format!(
            "{closed} messages could not be opened and were judged by what stands outside.\n"
        ));
    }
    if let Some(id) = &found.go_on_before {
        let looked_at = found.looked_at;
        page.push_str(&format!(
            "{looked_at} messages were looked at; go on with --older-than {}\n",
            shown(id)
        ));
    }
    page
}
