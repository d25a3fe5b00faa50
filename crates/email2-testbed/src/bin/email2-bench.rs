//! `email2-bench`: how fast the real `email2d` takes sealed mail, beside what the machine can
//! do and, with `--peer`, beside other mail servers under the same load.
//!
//! Exits 0 when everything was measured, 70 when something could not be.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use email2_io::world::{NetworkConfig, World};
use email2_testbed::bench::dkim::{Algorithm, Dkim};
use email2_testbed::bench::letters::Text;
use email2_testbed::bench::peer::{self, Kind, Peer};
use email2_testbed::bench::relay::{self, Relay, Way};
use email2_testbed::bench::report::{
    Cell, HEAD, MEMORY_HEAD, ORDINARY, ORDINARY_HEAD, RATIO_HEAD, Report,
};
use email2_testbed::bench::stage::{STRANGERS, Stage, mailbox};
use email2_testbed::bench::{idle, machine, queue, sink};
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::testbed::Testbed;

/// Delivers sealed messages to a real `email2d` and measures it.
#[derive(Parser)]
#[command(name = "email2-bench", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Subject>,
    #[command(flatten)]
    run: Run,
}

#[derive(Args)]
struct Run {
    /// Sessions at once.
    #[arg(long, value_delimiter = ',', default_value = "1,10,100")]
    sessions: Vec<usize>,
    /// Sizes of messages, in KiB.
    #[arg(long, value_delimiter = ',', default_value = "2,20,200")]
    sizes: Vec<usize>,
    /// Messages on one connection.
    #[arg(long, value_delimiter = ',', default_value = "1,20")]
    per_connection: Vec<usize>,
    /// The number of messages of each load, as a part of the usual one.
    #[arg(long, default_value_t = 1.0)]
    part: f64,
    /// Leave out the senders whose certificates are not known yet.
    #[arg(long)]
    no_cold: bool,
    /// Leave out ordinary mail that is signed by DKIM.
    #[arg(long)]
    no_ordinary: bool,
    /// Sessions that wait under TLS while 100 deliver, for the memory (0: not measured).
    #[arg(long, default_value_t = 1000)]
    idle: usize,
    /// Leave out the sinks.
    #[arg(long)]
    no_sinks: bool,
    /// A script that runs another mail server (may be repeated; see bench/peers).
    #[arg(long)]
    peer: Vec<PathBuf>,
    /// The folder for all files (default: a temporary one; fsync is measured there).
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct LongQueue {
    /// Messages in the queue.
    #[arg(long, default_value_t = 100_000)]
    entries: usize,
    /// Of these, the ones that are waited for.
    #[arg(long, default_value_t = 2000)]
    counted: usize,
    /// The folder for all files (default: a temporary one).
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct OnTheWay {
    /// Sessions that submit at once.
    #[arg(long, value_delimiter = ',', default_value = "1,10,100")]
    sessions: Vec<usize>,
    /// Sizes of messages, in KiB.
    #[arg(long, value_delimiter = ',', default_value = "2,20")]
    sizes: Vec<usize>,
    /// The number of messages of each load, as a part of the usual one.
    #[arg(long, default_value_t = 1.0)]
    part: f64,
    /// The folder of scripts that run other mail servers (bench/peers): ordinary mail goes to
    /// them, and through two of them.
    #[arg(long)]
    peers: Option<PathBuf>,
    /// The folder for all files (default: a temporary one).
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Subject {
    /// Submits mail to one server of ours, which carries it to another.
    Relay(OnTheWay),
    /// Carries a long queue on to another server of ours.
    Queue(LongQueue),
    /// Takes mail and keeps nothing.
    Sink {
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
        /// The certificate (PEM); without it there is no TLS and no SMTP to speak of.
        #[arg(long, requires = "key")]
        certificate: Option<PathBuf>,
        /// Its key (PEM).
        #[arg(long)]
        key: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("email2-bench: {failure}");
            ExitCode::from(70)
        }
    }
}

fn run(arguments: Arguments) -> Outcome<()> {
    // The load has one thread, so that it takes no more of the machine than it must; a sink
    // has as many as a server.
    let mut builder = match &arguments.command {
        None | Some(Subject::Queue(_) | Subject::Relay(_)) => {
            tokio::runtime::Builder::new_current_thread()
        }
        Some(_) => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().build().step("runtime")?;
    match arguments.command {
        None => runtime.block_on(measure(&arguments.run)),
        Some(Subject::Queue(wanted)) => runtime.block_on(measure_queue(&wanted)),
        Some(Subject::Relay(wanted)) => runtime.block_on(measure_relay(&wanted)),
        Some(Subject::Sink {
            listen,
            certificate,
            key,
        }) => {
            let world = World::real(&NetworkConfig::default()).step("world")?;
            match certificate.zip(key) {
                Some((certificate, key)) => {
                    runtime.block_on(sink::smtp(&world, listen, &certificate, &key))
                }
                None => runtime.block_on(sink::nothing(&world, listen)),
            }
        }
    }
}

async fn measure_queue(wanted: &LongQueue) -> Outcome<()> {
    let temporary = tempfile::tempdir().step("temporary folder")?;
    let folder = folder(wanted.dir.as_ref(), temporary.path())?;
    let mut stage = Stage::set_up(Testbed::start(&folder)?, 0, &[]).await?;
    let order = queue::Order {
        entries: wanted.entries,
        own: wanted.entries,
        counted: wanted.counted.clamp(1, wanted.entries.max(1)),
    };
    let figures = queue::measure(&mut stage, order).await?;
    match wanted.json {
        true => println!("{}", serde_json::to_string_pretty(&figures).step("JSON")?),
        false => println!("{}", figures.line()),
    }
    stage.stop().await
}

async fn measure_relay(wanted: &OnTheWay) -> Outcome<()> {
    let temporary = tempfile::tempdir().step("temporary folder")?;
    let folder = folder(wanted.dir.as_ref(), temporary.path())?;
    let mut testbed = Testbed::start(&folder)?;
    let dkim = match &wanted.peers {
        Some(_) => {
            testbed.authority.answer_at_port(53)?;
            Some(Dkim::make(&folder, Algorithm::Rsa)?)
        }
        None => None,
    };
    let records: Vec<_> = dkim.iter().map(Dkim::record).collect();
    let mut stage = Stage::set_up(testbed, 0, &records).await?;
    let mut relay = Relay::prepare(&mut stage).await?;
    say(wanted.json, relay::HEAD);
    let mut rows = between_ours(wanted, &mut relay).await?;
    if let Some((peers, dkim)) = wanted.peers.as_ref().zip(dkim.as_ref()) {
        rows.extend(to_others(wanted, &mut relay, peers, dkim).await?);
    }
    say(wanted.json, &relay::ratios(&rows));
    if wanted.json {
        println!("{}", serde_json::to_string_pretty(&rows).step("JSON")?);
    }
    stage.stop().await
}

async fn between_ours(wanted: &OnTheWay, relay: &mut Relay<'_>) -> Outcome<Vec<relay::Row>> {
    let mut rows = Vec::new();
    for way in [Way::Sealed, Way::Held] {
        for cell in relayed(wanted) {
            rows.push(relay.measure(way, cell, None).await?);
            say(
                wanted.json,
                &rows.last().map(relay::Row::line).unwrap_or_default(),
            );
        }
    }
    Ok(rows)
}

async fn to_others(
    wanted: &OnTheWay,
    relay: &mut Relay<'_>,
    peers: &std::path::Path,
    dkim: &Dkim,
) -> Outcome<Vec<relay::Row>> {
    let [signing, checking] = relay::scripts(peers);
    let second = relay.start_elsewhere(&checking).await?;
    let mut rows = Vec::new();
    for way in [Way::Ordinary, Way::Dkim] {
        for cell in relayed(wanted) {
            rows.push(relay.measure(way, cell, Some(&second)).await?);
            say(
                wanted.json,
                &rows.last().map(relay::Row::line).unwrap_or_default(),
            );
        }
    }
    let first = relay.start_signing(&signing, dkim).await?;
    for cell in relayed(wanted) {
        rows.push(relay.measure_others(cell, (&first, &second)).await?);
        say(
            wanted.json,
            &rows.last().map(relay::Row::line).unwrap_or_default(),
        );
    }
    first.stop()?;
    second.stop()?;
    Ok(rows)
}

/// Every load of mail on its way.
fn relayed(wanted: &OnTheWay) -> Vec<Cell> {
    let mut cells = Vec::new();
    for &kibibytes in &wanted.sizes {
        for &sessions in &wanted.sessions {
            let usual = usual(sessions, kibibytes) / 2;
            cells.push(Cell {
                sessions,
                per_connection: 20,
                kibibytes,
                cold: false,
                messages: scaled(wanted.part, usual).max(sessions),
            });
        }
    }
    cells
}

/// The folder that was asked for, or the temporary one.
fn folder(wanted: Option<&PathBuf>, temporary: &std::path::Path) -> Outcome<PathBuf> {
    let folder = match wanted {
        Some(folder) => std::path::absolute(folder).step("folder")?,
        None => temporary.to_owned(),
    };
    std::fs::create_dir_all(&folder).step(format!("folder {}", folder.display()))?;
    Ok(folder)
}

async fn measure(run: &Run) -> Outcome<()> {
    let temporary = tempfile::tempdir().step("temporary folder")?;
    let folder = folder(run.dir.as_ref(), temporary.path())?;
    let mut testbed = Testbed::start(&folder)?;
    if !run.peer.is_empty() {
        testbed.authority.answer_at_port(53)?;
    }
    let keys = match run.no_ordinary && run.peer.is_empty() {
        true => Vec::new(),
        false => vec![
            Dkim::make(&folder, Algorithm::Rsa)?,
            Dkim::make(&folder, Algorithm::Ed25519)?,
        ],
    };
    let records: Vec<_> = keys.iter().map(Dkim::record).collect();
    let strangers = match run.no_cold {
        true => 0,
        false => strangers(run),
    };
    let stage = Stage::set_up(testbed, strangers, &records).await?;
    let mut report = begin(&stage, keys.first())?;
    say(run.json, &format!("{}\n\n{HEAD}", report.limits_line()));
    measure_ours(run, &stage, &mut report).await?;
    if !run.no_ordinary {
        measure_ordinary(run, &stage, &mut report, &keys).await?;
    }
    if !run.no_sinks {
        measure_peer(run, &stage, &mut report, Kind::SmtpSink).await?;
        measure_peer(run, &stage, &mut report, Kind::Nothing).await?;
    }
    for (script, key) in run.peer.iter().zip(keys.iter().take(1).cycle()) {
        measure_peer(run, &stage, &mut report, Kind::Script(script, key)).await?;
    }
    let ordinary = report.ordinary_lines().join("\n");
    say(run.json, &format!("\n{ORDINARY_HEAD}\n{ordinary}"));
    let ratios = report.ratios().join("\n");
    say(run.json, &format!("\n{RATIO_HEAD}\n{ratios}"));
    measure_memory(run, &stage, &mut report).await?;
    if run.json {
        println!("{}", serde_json::to_string_pretty(&report).step("JSON")?);
    }
    stage.stop().await
}

fn say(json: bool, text: &str) {
    if !json {
        println!("{text}");
    }
}

fn begin(stage: &Stage, rsa: Option<&Dkim>) -> Outcome<Report> {
    let (world, sender) = (&stage.testbed.world, &stage.sender);
    let text = Text::new(&sender.address, 2048)?;
    let seal = sender.seal(world, &mailbox(0)?, &text)?;
    let mut limits = machine::limits(world, &stage.receiver.folder, &seal, &sender.key)?;
    let rsa = rsa.map(|key| machine::rsa(world, key, &stage.testbed.folder));
    limits.rsa_verifications = rsa.transpose()?;
    Ok(Report {
        limits,
        rows: Vec::new(),
        memory: Vec::new(),
    })
}

async fn measure_ours(run: &Run, stage: &Stage, report: &mut Report) -> Outcome<()> {
    let (world, folder) = (&stage.testbed.world, &stage.receiver.folder);
    for cell in cells(run, !run.no_cold) {
        let lockstep = machine::lockstep(world, folder, cell.sessions, cell.kibibytes * 1024);
        let lockstep = Some(lockstep.await?);
        let mut row = stage.measure(cell).await?;
        row.lockstep = lockstep;
        say(run.json, &row.line());
        report.rows.push(row);
    }
    Ok(())
}

/// Ordinary mail as other servers get it, at our own.
async fn measure_ordinary(
    run: &Run,
    stage: &Stage,
    report: &mut Report,
    keys: &[Dkim],
) -> Outcome<()> {
    let most = run.per_connection.iter().max().copied();
    for key in keys {
        let cells = cells(run, false).into_iter();
        for cell in cells.filter(|cell| Some(cell.per_connection) == most) {
            let letters = peer::signed(stage, &cell, key)?;
            let first = letters.first().cloned().step("letter")?;
            let name = format!("{ORDINARY}{}", key.algorithm().name());
            let row = stage.measure_with(&name, cell, letters, &first).await?;
            say(run.json, &row.line());
            report.rows.push(row);
        }
    }
    Ok(())
}

async fn measure_peer(
    run: &Run,
    stage: &Stage,
    report: &mut Report,
    kind: Kind<'_>,
) -> Outcome<()> {
    let is_slow = matches!(kind, Kind::Script(..));
    let peer = Peer::start(stage, kind).await?;
    for mut cell in cells(run, false) {
        if is_slow {
            cell.messages = cell.messages.min(FOR_PEERS);
        }
        let row = peer.measure(stage, cell).await?;
        say(run.json, &row.line());
        report.rows.push(row);
    }
    peer.stop()
}

async fn measure_memory(run: &Run, stage: &Stage, report: &mut Report) -> Outcome<()> {
    if run.idle == 0 {
        return Ok(());
    }
    say(run.json, &format!("\n{MEMORY_HEAD}"));
    for kibibytes in [2, 200] {
        let cell = Cell {
            sessions: 100,
            per_connection: 20,
            kibibytes,
            cold: false,
            messages: scaled(run.part, 1000),
        };
        report
            .memory
            .push(idle::measure(stage, run.idle, &cell).await?);
        let last = report.memory_lines().pop();
        say(run.json, &last.unwrap_or_default());
    }
    Ok(())
}

/// Every load, the cold ones once per number of sessions.
fn cells(run: &Run, cold: bool) -> Vec<Cell> {
    let mut cells = Vec::new();
    for &kibibytes in &run.sizes {
        for &sessions in &run.sessions {
            for &per_connection in &run.per_connection {
                cells.push(Cell {
                    sessions,
                    per_connection,
                    kibibytes,
                    cold: false,
                    messages: scaled(run.part, usual(sessions, kibibytes)).max(sessions),
                });
            }
        }
    }
    let smallest = run.sizes.iter().min().copied().unwrap_or(2);
    for &sessions in run.sessions.iter().filter(|_| cold) {
        cells.push(Cell {
            sessions,
            per_connection: 1,
            kibibytes: smallest,
            cold: true,
            messages: strangers(run),
        });
    }
    cells
}

/// Each writes once.
fn strangers(run: &Run) -> usize {
    scaled(run.part, STRANGERS).clamp(1, STRANGERS)
}

/// Messages that take other servers a few seconds.
const FOR_PEERS: usize = 800;

/// Messages that take a few seconds.
fn usual(sessions: usize, kibibytes: usize) -> usize {
    let most = match sessions {
        0..=1 => 400,
        2..=10 => 2000,
        _ => 6000,
    };
    if kibibytes >= 100 { most / 5 } else { most }
}

fn scaled(part: f64, messages: usize) -> usize {
    ((messages as f64 * part) as usize).max(1)
}
