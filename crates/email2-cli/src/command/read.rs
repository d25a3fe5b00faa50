//! `email2 read`.

use super::context::Context;
use crate::args::ReadArgs;
use crate::exit::{Code, Failure, Outcome};

/// Not built yet.
pub(crate) async fn run(_context: &Context, _args: ReadArgs) -> Outcome {
    Err(Failure::new(Code::Bug, "not built yet"))
}
