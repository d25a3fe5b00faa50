//! A domain that its enforced MTA-STS policy alone authenticates (spec §2.2, way b), and what its
//! policy host may do: mail waits while the policy cannot be had, in bounded time and memory.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use email2_testbed::domain::Plan;
use email2_testbed::loopback::HTTPS_PORT;
use email2_testbed::rogue::{Act, Rogue, Script};

use crate::scene::Scene;

/// The policy's host, and one with a certificate of another name.
const POLICY: u8 = 224;
const OTHER: u8 = 228;

/// It holds for a second: what fails then is not covered by what was fetched before.
const TEXT: &str = "version: STSv1\r\nmode: enforce\r\nmx: mx.example.com\r\nmax_age: 1\r\n";

/// What the policy's host does.
#[derive(Clone)]
enum Page {
    /// Answers with this head, and the policy.
    Is(&'static str),
    /// Has no end.
    Endless,
}

const GOOD: Page = Page::Is("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n");

fn serves(page: &Arc<Mutex<Page>>) -> Script {
    let page = Arc::clone(page);
    Arc::new(move |said| {
        let asks = said.is("GET /.well-known/mta-sts.txt ");
        match (&*page.lock().unwrap(), asks) {
            (Page::Is(head), true) => {
                let length = TEXT.len();
                let rest = format!("Content-Length: {length}\r\nConnection: close\r\n\r\n{TEXT}");
                Act::SayAndClose(format!("{head}{rest}").into_bytes())
            }
            (Page::Endless, true) => {
                Act::Say(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n".to_vec())
            }
            (Page::Endless, false) if said.is("host:") => Act::Babble(vec![b'x'; 16 * 1024]),
            (_, false) => Act::Say(Vec::new()),
        }
    })
}

/// The policy's record has this id, and its host is this one.
async fn publish(scene: &mut Scene, id: usize, host: u8) {
    let place = scene.testbed.domain("example.com").unwrap().place.clone();
    let testbed = &mut scene.testbed;
    let address = testbed.network.host(host);
    let zone = place.zone(&testbed.network).unwrap();
    let zone = zone.address("mta-sts.example.com", address);
    let record = format!("v=STSv1; id={id}");
    testbed
        .publish(zone.text("_mta-sts.example.com", &record))
        .unwrap();
    // Answers are kept for a second, and so is the policy.
    scene.pause(2_100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_waits_while_the_policy_that_authenticates_a_domain_cannot_be_had() {
    let plan = Plan {
        certified: false,
        ..Plan::new("example.com")
    };
    let mut scene = Scene::people(plan).await;
    let page = Arc::new(Mutex::new(GOOD));
    let mut webs = Vec::new();
    for (host, name) in [(POLICY, "mta-sts.example.com"), (OTHER, "www.example.com")] {
        let testbed = &scene.testbed;
        let files = testbed.certification.issue(name, &[name]).unwrap();
        let at = testbed.network.port(host, HTTPS_PORT);
        let web = Rogue::start_secured(&testbed.world, at, &files, serves(&page)).await;
        webs.push(web.unwrap());
    }
    publish(&mut scene, 0, POLICY).await;
    scene.begins().await;

    let moved = "HTTP/1.1 302 Found\r\nLocation: https://www.example.com/\r\n";
    let faults = [
        (
            Page::Is(moved),
            POLICY,
            "it redirects (302 Found), which is not followed",
        ),
        (
            Page::Endless,
            POLICY,
            "its answer is larger than 65536 octets",
        ),
        (
            GOOD,
            OTHER,
            "its certificate is for www.example.com, not for mta-sts.example.com",
        ),
    ];
    for (number, (fault, host, told)) in faults.into_iter().enumerate() {
        *page.lock().unwrap() = fault;
        publish(&mut scene, 2 * number + 1, host).await;
        let began = scene.testbed.world.clock.monotonic();
        scene.submit(told).await;
        let why = scene.waits().await.reply;
        let took = scene.testbed.world.clock.monotonic() - began;
        assert!(took < Duration::from_secs(20), "{why}: {took:?}");
        let said = "mx.example.com is not authenticated for example.com: ";
        assert!(why.starts_with(said), "{why}");
        let said = format!("; https://mta-sts.example.com: {told}; ");
        assert!(why.contains(&said), "{why}\nlacks: {said}");
        *page.lock().unwrap() = GOOD;
        publish(&mut scene, 2 * number + 2, POLICY).await;
        scene.goes_out(number + 2).await;
    }
    scene.testbed.stop().await;
}
