//! A mail system behind that does not answer: whoever names a recipient waits a bounded time for
//! a turn, and hears why (spec §15.1.1).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use email2_io::World;
use email2_testbed::sim::stage::ip;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::exchanger::{Act, Exchanger, Step};
use crate::office::Office;

/// The machine of the system behind.
const INNER: u8 = 22;
/// Machines of strangers.
const STRANGERS: [u8; 2] = [31, 32];
/// Connections of each.
const AT_ONCE: usize = 20;
/// A turn is waited for, and a question asked, for 20 seconds each.
const PATIENCE: Duration = Duration::from_secs(41);

/// What was said to RCPT, and after how long.
type Said = Arc<Mutex<Vec<(Duration, String)>>>;

/// Names a recipient at the mail exchanger of example.com.
async fn names(world: World, recipient: String, said: Said) -> Option<()> {
    let at = SocketAddr::new(ip(1), 25);
    let stream = world.net.connect(at).await.ok()?.stream;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let begin = [
        "EHLO mta.example.net".to_owned(),
        "MAIL FROM:<>".to_owned(),
        format!("RCPT TO:<{recipient}>"),
    ];
    let mut sent = world.clock.monotonic();
    for command in begin {
        sent = world.clock.monotonic();
        let octets = format!("{command}\r\n");
        stream.write_all(octets.as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
        line.clear();
        while line.as_bytes().get(3) != Some(&b' ') {
            line.clear();
            stream.read_line(&mut line).await.ok()?;
        }
    }
    let waited = world.clock.monotonic() - sent;
    said.lock()
        .unwrap()
        .push((waited, line.trim_end().to_owned()));
    Some(())
}

impl Office {
    /// Strangers name so many recipients of example.com each, all at once; what they hear.
    fn strangers_name(&mut self, each: usize) -> Vec<(Duration, String)> {
        let said = Said::default();
        for machine in STRANGERS {
            let (host, world) = self.stage.put_up(ip(machine), 0).unwrap();
            for number in 0..each {
                let recipient = format!("person{machine}-{number}@example.com");
                let (world, said) = (world.clone(), Arc::clone(&said));
                drop(host.spawn(async move { names(world, recipient, said).await }));
            }
        }
        self.pass(PATIENCE);
        std::mem::take(&mut *said.lock().unwrap())
    }
}

#[test]
fn who_waits_for_a_system_behind_that_is_mute_hears_it_in_time() {
    let mute = Some((Step::Greeting, Act::Hangs));
    let inner = Exchanger::with(vec![mute; 2 * STRANGERS.len() * AT_ONCE]);
    let mut office = Office::open(None);
    let at = SocketAddr::new(ip(INNER), 24);
    office.configure("example.com", |config| {
        let domain = config.domains.first_mut().unwrap();
        domain.inner = Some(format!("smtp://{at}").parse().unwrap());
    });
    let (host, world) = office.stage.put_up(ip(INNER), 0).unwrap();
    drop(host.spawn(Arc::clone(&inner).serve(world, at)));
    let said = office.strangers_name(AT_ONCE);
    assert_eq!(
        said.len(),
        STRANGERS.len() * AT_ONCE,
        "everybody is answered"
    );
    for (waited, reply) in &said {
        assert!(*waited <= PATIENCE, "{waited:?}: {reply}");
        let sentences = [
            "451 4.3.2 The server is busy, try again soon",
            "451 4.3.0 An error on this server; nothing was accepted, try again later",
        ];
        assert!(sentences.contains(&reply.as_str()), "{reply}");
    }
    let asked = inner.visits.lock().unwrap().len();
    assert!(
        asked < said.len(),
        "{asked} connections at most eight at a time"
    );
    // The fault ends, and with it the refusals.
    inner.habits.lock().unwrap().clear();
    let said = office.strangers_name(1);
    let granted = |(_, reply): &(Duration, String)| reply.starts_with("250 ");
    assert!(said.iter().all(granted), "{said:?}");
}
