//! More than one works on the queue of a store.

use tempfile::TempDir;

use crate::conformance::NOW;
use crate::conformance::queue::{entries_for, taking};
use crate::queue::Settlement;
use crate::{Opening, Store};

/// How long a claim holds, seconds.
const LEASE: u64 = 600;

/// A server that begins takes up at once what the one before it left; what a worker beside it does
/// is that worker's until its lease is over.
#[tokio::test]
async fn a_server_takes_up_its_own_claims_and_no_others() {
    let directory = TempDir::new().unwrap();
    let open = |opening| Store::open(directory.path(), opening, NOW).unwrap();
    let (server, worker) = (open(Opening::Serve), open(Opening::Visit));
    taking(&server, "example.net").await;
    entries_for(&server, "example.net", 6, NOW).await;
    let left = server.claim(NOW, LEASE, 2).await.unwrap();
    let others = worker.claim(NOW, LEASE, 2).await.unwrap();
    assert_eq!((left.len(), others.len()), (2, 2));
    drop(server);
    let server = open(Opening::Serve);
    assert_eq!(server.end_leases(NOW + 1).await.unwrap(), 2);
    let again = server.claim(NOW + 1, LEASE, 9).await.unwrap();
    let ids = |claimed: &[crate::Claimed]| -> Vec<_> {
        claimed.iter().map(|claim| claim.entry.id).collect()
    };
    assert_eq!(ids(&again), ids(&left), "and the worker's are not free");
    // A worker that begins ends nobody's.
    let second = open(Opening::Visit);
    assert_eq!(second.end_leases(NOW + 1).await.unwrap(), 0);
    let done = others.iter().chain(&left).map(|claim| Settlement {
        finished: true,
        ..Settlement::of(claim.entry.id, claim.epoch, NOW + 2)
    });
    let settled = worker.settle(done.collect()).await.unwrap();
    assert_eq!(settled, [true, true, false, false]);
    // What the worker claims and leaves is anybody's when its lease is over.
    let left = worker.claim(NOW + 2, LEASE, 2).await.unwrap();
    drop(worker);
    let again = server.claim(NOW + 1 + LEASE, LEASE, 9).await.unwrap();
    assert_eq!(again.len(), 2, "its own");
    let free = second.claim(NOW + 2 + LEASE, LEASE, 9).await.unwrap();
    assert_eq!(ids(&free), ids(&left));
}
