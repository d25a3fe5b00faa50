//! The mail server `email2d`.

use std::process::ExitCode;

fn main() -> ExitCode {
    email2d::command::run(std::env::args_os())
}
