//! The program `email2d`: what an administrator can ask for.
//!
//! Commands on a running server work on the same store, in short transactions;
//! the server reads keys, codes, tokens and blocks from there when it needs
//! them, so nothing has to be told to it.

mod alias;
mod block;
mod config;
mod dkim;
mod dns;
mod failure;
mod forward;
mod key;
mod list;
mod output;
mod queue;
mod quickstart;
mod serve;
mod smarthost;
mod user;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use email2_io::clock::{Clock as _, SystemClock};
use email2_io::entropy::{OsEntropy, Rng};
use email2_store::{Opening, Store};

use crate::config::Config;
pub use failure::Failure;
use output::Output;

/// Where the configuration is when nobody says.
const CONFIGURATION: &str = "/etc/email2d/config.toml";

/// The Email 2.0 mail server.
#[derive(Debug, Parser)]
#[command(name = "email2d", version, arg_required_else_help = true)]
pub struct Program {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
struct Common {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE", env = "EMAIL2_CONFIG", default_value = CONFIGURATION)]
    config: PathBuf,
    /// Print data as JSON, one object a line
    #[arg(long, global = true)]
    json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Set a server up for a domain: configuration, data directory, service key,
    /// TLS certificate, first account; prints the DNS records to add
    Quickstart(quickstart::Arguments),
    /// Run the server
    Serve,
    /// Accounts: add, list, reset, remove, password, key, quota
    #[command(subcommand)]
    User(user::Command),
    /// Keys: show, revoke
    #[command(subcommand)]
    Key(key::Command),
    /// Blocks: add, list, remove
    #[command(subcommand)]
    Block(block::Command),
    /// Aliases, of accounts here or of addresses elsewhere: add, list, remove
    #[command(subcommand)]
    Alias(alias::Command),
    /// Where accounts' mail is passed on to: set, show, clear
    #[command(subcommand)]
    Forward(forward::Command),
    /// Mailing lists: create, change, add, remove, show; waiting, approve, reject
    #[command(subcommand)]
    List(list::Command),
    /// Mail on its way: list, show, domains, retry, drop, hold, release, tls
    #[command(subcommand)]
    Queue(queue::Command),
    /// Names by which mail systems behind sign in: add, list, remove
    #[command(subcommand)]
    Smarthost(smarthost::Command),
    /// Keys that sign mail to ordinary domains: make them, print their records, rotate, drop
    Dkim(dkim::Arguments),
    /// The DNS records of the domains: print them, check them
    Dns(dns::Arguments),
    /// The configuration: check
    #[command(subcommand)]
    Config(config::Command),
}

/// What a command works with.
struct Desk {
    config: Config,
    store: Store,
    now: u64,
    rng: Rng,
    output: Output,
}

impl Desk {
    /// Reads the configuration and opens the store beside a server that may run.
    fn open(common: &Common) -> Result<Desk, Failure> {
        let config = Config::read(&common.config)?;
        let now = SystemClock::new().now();
        if !config.data_directory.is_dir() {
            return Err(Failure::configuration(format!(
                "{}: data_directory: {} is not there; `email2d quickstart DOMAIN` makes one",
                common.config.display(),
                config.data_directory.display()
            )));
        }
        let store = Store::open(&config.data_directory, Opening::Visit, now)?;
        Ok(Desk {
            config,
            store,
            now,
            rng: Rng::new(Arc::new(OsEntropy)),
            output: Output::new(common.json),
        })
    }
}

/// Runs the program with these arguments; the exit code follows sysexits.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let program = match Program::try_parse_from(arguments) {
        Ok(program) => program,
        Err(error) => {
            // Help and version are no errors; the rest is 64 (usage).
            let code = if error.use_stderr() {
                failure::USAGE
            } else {
                0
            };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match perform(&program) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure);
            ExitCode::from(failure.code)
        }
    }
}

fn perform(program: &Program) -> Result<(), Failure> {
    let common = &program.common;
    match &program.command {
        Command::Serve => serve::run(&common.config),
        Command::Quickstart(arguments) => {
            wait(quickstart::run(arguments, &common.config, common.json))
        }
        Command::Dns(arguments) => wait(dns::run(arguments, &common.config, common.json)),
        Command::Config(command) => config::run(command, &common.config, common.json),
        Command::User(command) => wait(user::run(command, Desk::open(common)?)),
        Command::Key(command) => wait(key::run(command, Desk::open(common)?)),
        Command::Dkim(arguments) => dkim::run(arguments, Desk::open(common)?),
        Command::Smarthost(command) => wait(smarthost::run(command, Desk::open(common)?)),
        Command::Queue(command) => wait(queue::run(command, Desk::open(common)?)),
        Command::Alias(command) => wait(alias::run(command, Desk::open(common)?)),
        Command::Forward(command) => wait(forward::run(command, Desk::open(common)?)),
        Command::List(command) => wait(list::run(command, Desk::open(common)?)),
        Command::Block(command) => wait(block::run(command, Desk::open(common)?)),
    }
}

/// Waits for a short command on this thread.
fn wait(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::input_output(format!("the runtime cannot start: {error}")))?;
    runtime.block_on(work)
}
