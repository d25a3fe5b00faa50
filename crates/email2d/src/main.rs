//! The mail server `email2d`.

use std::process::ExitCode;

/// A message is some hundred small allocations on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    email2d::command::run(std::env::args_os())
}
