//! A store without threads of its own is the same store.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tempfile::TempDir;

use crate::conformance::{NOW, account, delivery, mailbox, queue};
use crate::{Opening, Store, Threads};

fn fresh() -> (Store, TempDir) {
    let directory = TempDir::new().unwrap();
    let store = Store::open_with(directory.path(), Opening::Serve, Threads::None, NOW).unwrap();
    (store, directory)
}

#[tokio::test]
async fn without_threads_it_keeps_what_it_is_given() {
    delivery::what_was_judged_is_kept_with_its_verdict(&fresh().0).await;
    delivery::a_second_delivery_stores_nothing(&fresh().0).await;
    delivery::over_quota_nothing_is_stored_or_remembered(&fresh().0).await;
    delivery::large_bodies_are_read_in_ranges(&fresh().0).await;
    mailbox::who_watches_is_told(&fresh().0).await;
    queue::a_claim_that_was_lost_settles_nothing(&fresh().0).await;
    queue::sealed_again_it_has_the_new_octets(&fresh().0).await;
}

#[test]
fn without_threads_a_call_is_done_when_it_is_first_polled() {
    let (store, _keep) = fresh();
    let adding = pin!(account(&store, "bob@example.org", None));
    let done = adding.poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(done, Poll::Ready(added) if added.address.to_string() == "bob@example.org"));
}
