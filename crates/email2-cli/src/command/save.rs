//! `email2 save`.

use super::context::Context;
use crate::args::SaveArgs;
use crate::exit::{Code, Failure, Outcome};

/// Not built yet.
pub(crate) async fn run(_context: &Context, _args: SaveArgs) -> Outcome {
    Err(Failure::new(Code::Bug, "not built yet"))
}
