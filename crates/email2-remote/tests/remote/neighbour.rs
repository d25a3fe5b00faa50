//! Another domain's host: our server machine behind real TLS, with answers that a test chooses.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use email2::key_query::KeyQuery;
use email2::{KeyAnswer, Rejection};
use email2_io::drive::Driver;
use email2_io::tls::ServerTls;
use email2_io::{Stream, World};
use email2_smtp::Server;
use email2_smtp::server::{Answer, Auth, Event, ServerConfig};

/// How a host behaves.
#[derive(Default)]
pub(crate) struct Manners {
    /// It takes connections and says nothing.
    pub(crate) mute: bool,
    /// It offers no TLS, and so no EMAIL2.
    pub(crate) plain: bool,
    /// Its answers to KEY; whoever is not named has no key.
    pub(crate) answers: Mutex<HashMap<String, Result<KeyAnswer, Rejection>>>,
    /// Refused recipients.
    pub(crate) refused: Mutex<HashMap<String, Rejection>>,
    /// Recipients taken in one transaction; others get 452 4.5.3.
    pub(crate) at_once: Option<usize>,
    /// It hangs up after so many messages on one connection.
    pub(crate) messages: Option<usize>,
    /// The questions that came.
    pub(crate) asked: Mutex<Vec<KeyQuery>>,
    /// The messages that came, with their recipients.
    pub(crate) mail: Mutex<Vec<(Vec<String>, Vec<u8>)>>,
    /// The connections that came.
    pub(crate) connections: Mutex<usize>,
    /// Those that are open.
    pub(crate) open: AtomicUsize,
    /// The most that were open at a time.
    pub(crate) most_open: AtomicUsize,
}

impl Manners {
    pub(crate) fn answer(&self, subject: &str, answer: Result<KeyAnswer, Rejection>) {
        self.answers
            .lock()
            .unwrap()
            .insert(subject.to_owned(), answer);
    }

    pub(crate) fn refuse(&self, recipient: &str, rejection: Rejection) {
        self.refused
            .lock()
            .unwrap()
            .insert(recipient.to_owned(), rejection);
    }

    pub(crate) fn count(&self, subject: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .filter(|query| query.subject.to_string() == subject)
            .count()
    }

    fn answer_to(&self, query: &KeyQuery) -> Result<KeyAnswer, Rejection> {
        self.asked.lock().unwrap().push(query.clone());
        let answers = self.answers.lock().unwrap();
        match (answers.get(&query.subject.to_string()), &query.etag) {
            (Some(Ok(KeyAnswer::Certificate { etag, .. })), Some(asked)) if etag == asked => {
                Ok(KeyAnswer::Unchanged)
            }
            (Some(answer), _) => answer.clone(),
            (None, _) => Err(Rejection::NoKey {
                subject: query.subject.clone(),
            }),
        }
    }
}

/// Serves at `address` until the test ends.
pub(crate) async fn serve(
    world: World,
    tls: ServerTls,
    address: SocketAddr,
    direct: bool,
    manners: Arc<Manners>,
) -> SocketAddr {
    let listener = world.net.listen(address).await.unwrap();
    let bound = listener.local_addr();
    tokio::spawn(async move {
        loop {
            let connection = listener.accept().await.unwrap();
            *manners.connections.lock().unwrap() += 1;
            let (world, tls) = (world.clone(), tls.clone());
            let manners = Arc::clone(&manners);
            tokio::spawn(async move {
                if manners.mute {
                    std::future::pending::<()>().await;
                }
                let open = manners.open.fetch_add(1, Ordering::Relaxed) + 1;
                manners.most_open.fetch_max(open, Ordering::Relaxed);
                let _ = talk(world, tls, connection.stream, direct, &manners).await;
                manners.open.fetch_sub(1, Ordering::Relaxed);
            });
        }
    });
    bound
}

async fn talk(
    world: World,
    tls: ServerTls,
    stream: Stream,
    direct: bool,
    manners: &Manners,
) -> Option<()> {
    let stream = if direct {
        tls.accept(stream, &[b"email2"]).await.ok()?.stream
    } else {
        stream
    };
    let clock = Arc::clone(&world.clock);
    let machine = Server::new(config(direct, manners), clock.monotonic());
    let mut driver = Driver::new(machine, stream, Arc::clone(&clock));
    let mut intake = Intake::default();
    let mut messages = 0;
    while let Ok(Some(event)) = driver.next().await {
        let now = clock.monotonic();
        match event {
            Event::StartTls => {
                let secure = async |stream| tls.accept(stream, &[]).await.map(|a| a.stream);
                driver = driver.upgrade(secure).await.ok()?;
                driver.machine().tls_active(now);
            }
            Event::Key { id, query } => {
                let answer = manners.answer_to(&query);
                driver.machine().answer_key(id, answer, now);
            }
            Event::Closed => break,
            other => {
                messages += usize::from(matches!(other, Event::ContentEnd(_)));
                if let Some(answer) = intake.take(other, manners) {
                    driver.machine().answer(answer, now);
                }
                if manners.messages == Some(messages) {
                    break;
                }
            }
        }
    }
    driver.close().await;
    Some(())
}

fn config(direct: bool, manners: &Manners) -> ServerConfig {
    ServerConfig {
        hostname: "neighbour.example".to_owned(),
        tls: direct,
        starttls: !manners.plain,
        auth: Auth::NotOffered,
        size_limit: 1 << 20,
        recipients_limit: 100,
        postmaster: None,
    }
}

/// The transaction under way.
#[derive(Default)]
struct Intake {
    recipients: Vec<String>,
    content: Vec<u8>,
}

impl Intake {
    fn take(&mut self, event: Event, manners: &Manners) -> Option<Answer> {
        match event {
            Event::Mail(_) => Some(Answer::Accepted),
            Event::Recipient(recipient) => {
                Some(self.recipient(recipient.address.to_string(), manners))
            }
            Event::Content(octets) => {
                self.content.extend(octets);
                None
            }
            Event::ContentEnd(_) => {
                let Intake {
                    recipients,
                    content,
                } = std::mem::take(self);
                manners.mail.lock().unwrap().push((recipients, content));
                Some(Answer::Stored("stored".to_owned()))
            }
            _ => None,
        }
    }

    fn recipient(&mut self, name: String, manners: &Manners) -> Answer {
        let refused = manners.refused.lock().unwrap().get(&name).cloned();
        let full = manners
            .at_once
            .is_some_and(|most| self.recipients.len() >= most);
        match refused {
            Some(rejection) => Answer::Rejected(rejection),
            None if full => Answer::Rejected(Rejection::RecipientApart),
            None => {
                self.recipients.push(name);
                Answer::Accepted
            }
        }
    }
}
