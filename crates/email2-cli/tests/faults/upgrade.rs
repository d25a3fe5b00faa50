//! From one version of the program to the next, with mail that waits.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use email2::Address;
use email2_testbed::domain::{Domain, Place, Plan};
use email2_testbed::failure::{Failure, Outcome, Step};
use email2_testbed::forger::session::{Session, deliver};
use email2_testbed::kept::kept;
use email2_testbed::loopback::SUBMISSIONS_PORT;
use email2_testbed::testbed::Testbed;

use crate::letters::{Letters, Pen};
use crate::server::{self, Server};

/// Letters that wait.
const WAITING: usize = 20;

/// The store of a server that does not run becomes one of version 1, with all that is in it.
fn downgrade(place: &Place) -> Outcome<()> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = own.join("tests/programs/downgrade.py");
    let schema = own.join("../email2-store/src/sqlite/tests/version-1.sql");
    let store = place.folder.join("data/store.sqlite");
    let mut command = Command::new("python3");
    let done = command.args([program, schema, store]).output();
    let done = done.step("python3")?;
    match done.status.success() {
        true => Ok(()),
        false => Err(Failure {
            step: "downgrade.py".to_owned(),
            why: String::from_utf8_lossy(&done.stderr).into_owned(),
        }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_in_a_store_of_version_1_goes_out_after_the_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let mut testbed = Testbed::start(folder.path()).unwrap();
    for name in ["example.com", "example.org"] {
        testbed.add_domain(&Plan::new(name)).await.unwrap();
    }
    let bob = Address::parse("bob@example.com").unwrap();
    let alice = Address::parse("alice@example.org").unwrap();
    testbed.add_account(&alice).await.unwrap();
    let device = Arc::new(testbed.add_device(&bob).await.unwrap());
    let mut places = Vec::new();
    for name in ["example.com", "example.org"] {
        let domain = testbed.domains.remove(name).unwrap();
        places.push(domain.place.clone());
        domain.stop().await;
    }
    let [place, there]: [Place; 2] = places.try_into().unwrap();
    let testbed = Arc::new(testbed);
    let pen = Pen::Device(Arc::clone(&device));
    let letters = Letters::new(&testbed, "upgraded", pen, &alice);
    letters.top_up(WAITING).unwrap();
    let at = testbed.door_at(&place, SUBMISSIONS_PORT).unwrap();
    let server = Server::start(&place, at.address).unwrap();
    let mut session = Session::log_in(&testbed.world, &at, &bob, &device.token)
        .await
        .unwrap();
    while let Some(number) = letters.next() {
        let reply = deliver(&mut session, &letters.letter(number)).await;
        letters.answered(number, &reply.unwrap());
    }
    drop(session);
    server.stop().unwrap();
    assert_eq!(server::waiting(&place).unwrap(), WAITING);
    downgrade(&place).unwrap();
    let there = Domain::start(there, &testbed.network, &testbed.world)
        .await
        .unwrap();
    let server = Server::start(&place, at.address).unwrap();
    server::drained(&place, &testbed).await.unwrap();
    server.stop().unwrap();
    let kept = kept(&testbed.world, &there.place, &alice).await.unwrap();
    let tally = letters.tally(&kept).unwrap();
    assert_eq!((tally.lost, tally.duplicated), (0, 0), "{tally:?}");
    assert_eq!(tally.acknowledged, WAITING);
    there.stop().await;
}
