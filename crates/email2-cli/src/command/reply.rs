//! `email2 reply`.

use super::context::Context;
use crate::args::ReplyArgs;
use crate::exit::{Code, Failure, Outcome};

/// Not built yet.
pub(crate) async fn run(_context: &Context, _args: ReplyArgs) -> Outcome {
    Err(Failure::new(Code::Bug, "not built yet"))
}
