//! A domain that nothing authenticates but its Web Key Directory (spec §2.2, way d): what the
//! directory says and what the mail host says must agree.

use std::sync::{Arc, Mutex};

use email2::address::Identity;
use email2::certificate::generate::generate;
use email2_testbed::authority::Fault;
use email2_testbed::domain::Plan;
use email2_testbed::kept::kept;
use email2_testbed::loopback::HTTPS_PORT;
use email2_testbed::rogue::{Act, Rogue, Script};
use hickory_proto::rr::rdata::MX;
use hickory_proto::rr::{RData, RecordType};

use crate::scene::{Scene, THIEF_NAME, thief_name};

/// The host of the directory.
const DIRECTORY: u8 = 220;

/// No DNSSEC, no policy, no certificate for `email2.D`.
fn plan() -> Plan {
    Plan {
        certified: false,
        ..Plan::new("example.com")
    }
}

/// Serves one certificate, whoever is asked for; it can be exchanged.
async fn directory(scene: &mut Scene) -> (Arc<Mutex<Vec<u8>>>, Rogue) {
    let place = scene.testbed.domain("example.com").unwrap().place.clone();
    let testbed = &mut scene.testbed;
    let name = "openpgpkey.example.com";
    let zone = place.zone(&testbed.network).unwrap();
    let zone = zone.address(name, testbed.network.host(DIRECTORY));
    testbed.authority.publish(zone).unwrap();
    let there = Arc::new(Mutex::new(certificate(scene)));
    let testbed = &scene.testbed;
    let files = testbed.certification.issue(name, &[name]).unwrap();
    let at = testbed.network.port(DIRECTORY, HTTPS_PORT);
    let web = Rogue::start_secured(&testbed.world, at, &files, serves(&there)).await;
    (there, web.unwrap())
}

fn serves(there: &Arc<Mutex<Vec<u8>>>) -> Script {
    let there = Arc::clone(there);
    Arc::new(move |said| {
        if !said.is("GET /.well-known/openpgpkey/example.com/hu/") {
            return Act::Say(Vec::new());
        }
        let key = there.lock().unwrap().clone();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            key.len()
        );
        Act::SayAndClose([head.as_bytes(), &key].concat())
    })
}

fn certificate(scene: &Scene) -> Vec<u8> {
    scene.alice.key().certificate().octets().to_vec()
}

/// spec §2.2.6: the MX is forged, and the host there, with a valid certificate of its own and a
/// key of its own for her, speaks Email 2.0 like any other.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_another_key_than_the_directory_gets_nothing() {
    let mut scene = Scene::people(plan()).await;
    let _web = directory(&mut scene).await;
    scene.begins().await;
    let elsewhere = Plan {
        host: THIEF_NAME.to_owned(),
        ..plan()
    };
    let thief = scene.testbed.impostor(&elsewhere).await.unwrap();
    let alice = &scene.alice.address;
    scene.testbed.add_device_at(&thief, alice).await.unwrap();
    let forged = RData::MX(MX::new(1, thief_name()));
    let (mx, lie) = (Some(RecordType::MX), Fault::Forged(vec![forged]));
    scene
        .testbed
        .authority
        .fault("example.com", mx, lie)
        .unwrap();
    // Answers are kept for a second (the zone's TTL).
    scene.pause(1_500).await;
    scene.submit("redirected").await;
    contradiction(&scene.waits().await.reply, THIEF_NAME);
    scene.testbed.authority.heal();
    scene.pause(1_500).await;
    scene.goes_out(2).await;
    let taken = kept(&scene.testbed.world, &thief.place, &scene.alice.address);
    assert_eq!(taken.await.unwrap().len(), 0);
    thief.stop().await;
    scene.testbed.stop().await;
}

/// The same where the directory is wrong, and its administrator mends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_with_another_key_than_the_host_holds_mail_until_it_is_mended() {
    let mut scene = Scene::people(plan()).await;
    let (there, _web) = directory(&mut scene).await;
    // His program has asked for her key before, his server has not.
    let asked = scene.bob.client.remote();
    asked.key_for_writing(&scene.alice.address).await.unwrap();
    let right = certificate(&scene);
    let world = &scene.testbed.world;
    let alice = Identity::Address(scene.alice.address.clone());
    let other = generate(&alice, world.now(), &mut world.rng()).unwrap();
    *there.lock().unwrap() = other.certificate().octets().to_vec();
    scene.submit("contradicted").await;
    contradiction(&scene.waits().await.reply, "mx.example.com");
    *there.lock().unwrap() = right;
    scene.goes_out(1).await;
    scene.testbed.stop().await;
}

/// Which host, what is wrong with it, and what to do.
fn contradiction(why: &str, host: &str) {
    let said = format!("{host} is not authenticated for example.com: ");
    assert!(why.starts_with(&said), "{why}");
    let said = "; the Web Key Directory has another key for alice@example.com; no mail was given \
                to it: DNS may lead to a wrong host, else the administrator of example.com has to \
                mend one of these";
    assert!(why.ends_with(said), "{why}");
}
