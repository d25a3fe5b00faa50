//! `email2 inbox`.

use super::context::Context;
use crate::args::InboxArgs;
use crate::exit::{Code, Failure, Outcome};

/// Not built yet.
pub(crate) async fn run(_context: &Context, _args: InboxArgs) -> Outcome {
    Err(Failure::new(Code::Bug, "not built yet"))
}
