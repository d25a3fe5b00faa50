//! Name servers that fail, and a thousand who wait for them (R07).

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail where it stands"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use email2_io::{DnsError, NetworkConfig, World};
use tokio::net::UdpSocket;

/// The bits of a header that say: an answer, the server failed (RFC 1035 §4.1.1).
const ANSWER: u8 = 0x80;
const SERVFAIL: u8 = 2;

/// A name server that answers SERVFAIL; how often it was asked.
async fn failing_server() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut packet = [0; 1500];
        loop {
            let (length, from) = socket.recv_from(&mut packet).await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            packet[2] |= ANSWER;
            packet[3] = (packet[3] & 0xf0) | SERVFAIL;
            let _ = socket.send_to(&packet[..length], from).await;
        }
    });
    (address, asked)
}

#[tokio::test]
async fn r07_a_failing_name_is_asked_once_an_interval_however_many_wait() {
    let (server, asked) = failing_server().await;
    let folder = tempfile::tempdir().unwrap();
    let anchor = folder.path().join("anchor");
    std::fs::write(&anchor, "").unwrap();
    let config = NetworkConfig {
        dns: vec![server],
        // Without validation, so that only what was asked for is counted.
        dnssec_anchor: Some(anchor),
        ..NetworkConfig::default()
    };
    let world = World::real(&config).unwrap();
    let names = ["one.example", "two.example", "three.example"];
    let wait = async |round: usize| {
        let lookups = (0..1000).map(|number| world.dns.mx(names[(round + number) % 3]));
        for failed in futures::future::join_all(lookups).await {
            let error = failed.unwrap_err();
            assert!(!error.is_absence(), "{error}");
        }
    };
    wait(0).await;
    let first = asked.load(Ordering::Relaxed);
    // hickory asks a server that fails a few times before it gives up.
    assert!(
        (3..=30).contains(&first),
        "{first} questions for three names"
    );
    wait(1).await;
    wait(2).await;
    assert_eq!(
        asked.load(Ordering::Relaxed),
        first,
        "the failure is remembered"
    );
    assert_eq!(world.dns.mx("one.example").await, Err(DnsError::ServFail));
}
