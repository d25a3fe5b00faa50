//! `email2 block`.

use super::context::Context;
use crate::args::BlockCommand;
use crate::exit::{Code, Failure, Outcome};

/// Not built yet.
pub(crate) async fn run(_context: &Context, _args: BlockCommand) -> Outcome {
    Err(Failure::new(Code::Bug, "not built yet"))
}
