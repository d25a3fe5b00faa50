//! A message of 50 MiB passes through the server, and its memory does not grow with it.

use email2::address::Address;
use email2::limits::MESSAGE_OCTETS;
use email2::seal::ContentDigest;
use email2_testbed::domain::Plan;
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::forger::session::{Reply, Session};
use email2_testbed::forger::{Claim, announcement, seal_over};
use email2_testbed::testbed::Testbed;

/// What the process may grow by: spool buffers, database cache, TLS, allocator.
const GROWTH_ALLOWED: u64 = 16 * 1024 * 1024;
/// Lines sent at once.
const LINES_AT_ONCE: usize = 200;

/// Resident memory of this process, in octets: what it is, or with `VmHWM` was at most.
fn resident(what: &str) -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status").step("status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with(what))
        .step(what)?;
    let kilobytes = line.split_whitespace().nth(1).step(what)?;
    Ok(kilobytes.parse::<u64>().step(what)? * 1024)
}

/// The message in pieces, never whole in memory.
fn pieces(from: &Address, to: &Address) -> impl Iterator<Item = Vec<u8>> + use<> {
    let header = format!(
        "From: {from}\r\nTo: {to}\r\nSubject: large\r\nDate: Thu, 26 Nov 2026 10:00:00 +0000\r\n\
         Message-ID: <large@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n"
    );
    let line = format!("{}\r\n", "0123456789abcdef".repeat(4));
    let piece = line.repeat(LINES_AT_ONCE).into_bytes();
    let room = usize::try_from(MESSAGE_OCTETS).unwrap_or(0) - 16 * 1024;
    let count = room / piece.len();
    std::iter::once(header.into_bytes()).chain((0..count).map(move |_| piece.clone()))
}

async fn pass(testbed: &Testbed) -> Outcome<(Reply, u64)> {
    let alice = Address::parse("alice@example.com").step("address")?;
    let bob = Address::parse("bob@example.org").step("address")?;
    testbed.add_device(&alice).await?;
    let bob = testbed.add_device(&bob).await?;
    let mut digest = ContentDigest::new();
    let mut size = 0;
    for piece in pieces(&bob.address, &alice) {
        size += piece.len() as u64;
        digest.push(&piece).step("digest")?;
    }
    let from = bob.address.to_string();
    let claim = Claim::now(&bob.address, &from, &bob.secret);
    let digest = digest.finish().step("digest")?;
    let seal = seal_over(&testbed.world, &alice, &claim, digest)?;
    let exchanger = testbed.exchanger("example.com")?;
    let mut session = Session::open(&testbed.world, &exchanger, "client.example").await?;
    let announced = announcement(&seal.signer);
    let mail = format!("MAIL FROM:<{from}> EMAIL2={announced} SIZE={size}");
    session.granted(&mail).await?;
    session.granted(&format!("RCPT TO:<{alice}>")).await?;
    session.granted("DATA").await?;
    session.send(seal.field().as_bytes()).await?;
    for piece in pieces(&bob.address, &alice) {
        session.send(&piece).await?;
    }
    session.send(b".\r\n").await?;
    Ok((session.reply().await?, size))
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_mebibytes_pass_through() {
    let folder = tempfile::tempdir().unwrap();
    let mut testbed = Testbed::start(folder.path()).unwrap();
    testbed.add_domain(&Plan::new("example.com")).await.unwrap();
    testbed.add_domain(&Plan::new("example.org")).await.unwrap();
    let before = resident("VmRSS").unwrap();
    let (reply, size) = pass(&testbed).await.unwrap();
    let highest = resident("VmHWM").unwrap();
    println!("message {size} octets; resident memory {before} before, {highest} at most");
    assert!(reply.is_granted(), "{reply}");
    assert!(size > MESSAGE_OCTETS - 64 * 1024);
    assert!(highest < before + GROWTH_ALLOWED, "{before} to {highest}");
    testbed.stop().await;
}
