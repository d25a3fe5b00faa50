//! A hundred thousand messages in the queue: memory, claims, and how soon a restart goes on.
//! Alone in its process, whose memory is measured.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail where it stands, and measures real time"
)]

#[path = "queue/exchanger.rs"]
#[expect(dead_code, reason = "the other tests of the queue use the rest")]
mod exchanger;
#[path = "queue/office.rs"]
#[expect(dead_code, reason = "the other tests of the queue use the rest")]
mod office;

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use email2_store::queue::{DomainNews, Settlement};
use futures::FutureExt;

use email2_testbed::bench::queue::{Order, measure};
use email2_testbed::bench::stage::Stage;
use email2_testbed::testbed::Testbed;
use exchanger::Exchanger;
use office::{Office, people};

const ENTRIES: usize = 100_000;
/// Entries that are put in at once.
const AT_ONCE: usize = 1000;
/// Claims that are measured.
const CLAIMS: u32 = 500;
/// How soon a restart must go on with the queue (the target is the same for any length).
const SOON: Duration = Duration::from_secs(2);
/// What memory may grow by, from an empty queue to a full one at work, octets.
const GROWTH: u64 = 64 * 1024 * 1024;

/// Past the capture of the test runner: the figures are for people.
fn say(what: &str) {
    let mut out = std::io::stderr();
    writeln!(out, "{what}").unwrap();
}

/// Memory of this process, octets.
fn memory() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let resident: u64 = pages.split(' ').nth(1).unwrap().parse().unwrap();
    resident * 4096
}

/// Claims and settles; how many a second.
fn claim_rate(office: &Office) -> f64 {
    let (store, now) = (office.store("example.org"), office.now());
    let began = Instant::now();
    for _ in 0..CLAIMS {
        let claimed = store.claim(now, 600, 1).now_or_never().unwrap().unwrap();
        let claim = claimed.first().unwrap();
        let done = Settlement {
            finished: true,
            domain: DomainNews::Accepted,
            ..Settlement::of(claim.entry.id, claim.epoch, now)
        };
        let settled = store.settle(vec![done]).now_or_never().unwrap();
        assert_eq!(settled.unwrap(), [true]);
    }
    f64::from(CLAIMS) / began.elapsed().as_secs_f64()
}

/// One measures the memory of this process, and the time of both is measured.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_hundred_thousand_messages_cost_no_memory_and_a_restart_goes_on_at_once() {
    let _alone = alone();
    let exchanger = Exchanger::with(Vec::new());
    let mut office = Office::open(Some(&exchanger));
    office.pass(Duration::from_secs(60));
    office.take_down("example.org");
    let empty = memory();
    let began = Instant::now();
    for _ in 0..ENTRIES / AT_ONCE {
        office.queue(&people(AT_ONCE));
    }
    let filled = began.elapsed();
    let rate = claim_rate(&office);
    let began = Instant::now();
    office.start("example.org");
    while exchanger.taken.lock().unwrap().is_empty() {
        office.pass(Duration::from_millis(100));
    }
    let first = began.elapsed();
    let began = Instant::now();
    while exchanger.taken.lock().unwrap().len() < AT_ONCE {
        office.pass(Duration::from_millis(100));
    }
    let thousand = began.elapsed();
    let grown = memory().saturating_sub(empty);
    say(&format!(
        "queue of {ENTRIES}: filled in {filled:.1?}, {rate:.0} claims and settlements/s, first \
         delivery {first:.2?} after a restart, {AT_ONCE} in {thousand:.1?}, memory grown by \
         {:.1} MiB",
        grown as f64 / (1024.0 * 1024.0)
    ));
    assert!(first < SOON, "{first:?}");
    assert!(grown < GROWTH, "{grown} octets");
}

/// The real program with its files, killed while it delivers.
#[test]
fn after_a_kill_a_long_queue_goes_on_at_once() {
    let _alone = alone();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let measured = async {
        let testbed = Testbed::start(folder.path()).unwrap();
        let mut stage = Stage::set_up(testbed, 0, &[]).await.unwrap();
        // What lies behind those that arrive meanwhile is as good as any.
        let order = Order {
            entries: ENTRIES,
            own: 2000,
            counted: 100,
        };
        let figures = measure(&mut stage, order).await.unwrap();
        stage.stop().await.unwrap();
        figures
    };
    let figures = runtime.block_on(measured);
    say(&figures.line());
    assert!(figures.cut_off > 0, "{figures:?}");
    for first in [figures.first_after, figures.first_after_kill] {
        assert!(first < SOON.as_secs_f64(), "{figures:?}");
    }
}
