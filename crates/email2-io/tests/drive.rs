//! The driver over a narrow pipe.

use std::sync::Arc;
use std::time::Duration;

use email2_io::clock::{Clock, SystemClock};
use email2_io::drive::Driver;
use email2_io::machine::Machine;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Says what it has to say, then tells what it heard.
struct Talker {
    says: Option<Vec<u8>>,
    heard: Vec<u8>,
    ends: Vec<&'static str>,
}

impl Machine for Talker {
    type Event = Vec<u8>;

    fn wants_octets(&self) -> bool {
        true
    }

    fn receive(&mut self, octets: &[u8], _now: Duration) {
        self.heard.extend_from_slice(octets);
    }

    fn end_of_stream(&mut self, _now: Duration) {
        self.ends.push("end of stream");
    }

    fn too_much(&mut self, _now: Duration) {
        self.ends.push("too much");
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.says.take()
    }

    fn poll_event(&mut self) -> Option<Vec<u8>> {
        let heard = std::mem::take(&mut self.heard);
        (!heard.is_empty()).then_some(heard)
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }

    fn timeout(&mut self, _now: Duration) {}
}

#[tokio::test]
async fn giving_up_a_wait_loses_no_octets() {
    let (ours, mut theirs) = tokio::io::duplex(8);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let says: Vec<u8> = (0..100).collect();
    let talker = Talker {
        says: Some(says.clone()),
        heard: Vec::new(),
        ends: Vec::new(),
    };
    let mut driver = Driver::new(talker, Box::new(ours), Arc::clone(&clock));
    let mut received: Vec<u8> = Vec::new();
    while received.len() < says.len() {
        // Each wait is given up while the pipe is full; the next goes on where it stood.
        let waiting = email2_io::clock::within(&*clock, Duration::from_millis(1), driver.next());
        assert!(waiting.await.is_err());
        let mut some = [0; 5];
        let count = theirs.read(&mut some).await.unwrap();
        received.extend(some.iter().take(count));
    }
    assert_eq!(received, says);
    theirs.write_all(b"thanks").await.unwrap();
    assert_eq!(driver.next().await.unwrap(), Some(b"thanks".to_vec()));
}

#[tokio::test]
async fn who_sends_more_than_is_read_has_not_ended_the_connection() {
    for (octets, heard, end) in [
        (8, Some(b"12345678".to_vec()), "end of stream"),
        (7, None, "too much"),
    ] {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let talker = Talker {
            says: None,
            heard: Vec::new(),
            ends: Vec::new(),
        };
        let mut driver = Driver::new(talker, Box::new(ours), clock);
        driver.allow(octets);
        theirs.write_all(b"12345678").await.unwrap();
        drop(theirs);
        if heard.is_some() {
            assert_eq!(driver.next().await.unwrap(), heard);
        }
        assert_eq!(driver.next().await.unwrap(), None);
        assert_eq!(driver.machine().ends, [end]);
    }
}
