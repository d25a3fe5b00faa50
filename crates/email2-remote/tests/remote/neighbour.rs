//! Another domain's host: our server machine behind real TLS, with answers that a test chooses.

use std::collections::HashMap;
use std::net::SocketAddr;
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
pub struct Manners {
    /// It takes connections and says nothing.
    pub mute: bool,
    /// It offers no TLS, and so no EMAIL2.
    pub plain: bool,
    /// It closes each dialogue after one KEY.
    pub answers: Mutex<HashMap<String, Result<KeyAnswer, Rejection>>>,
    /// Refused recipients.
    pub refused: Mutex<HashMap<String, Rejection>>,
    /// Recipients taken in one transaction; others get 452 4.5.3.
    pub at_once: Option<usize>,
    /// The questions that came.
    pub asked: Mutex<Vec<KeyQuery>>,
    /// The messages that came, with their recipients.
    pub mail: Mutex<Vec<(Vec<String>, Vec<u8>)>>,
    /// The connections that came.
    pub connections: Mutex<usize>,
}

impl Manners {
    pub fn answer(&self, subject: &str, answer: Result<KeyAnswer, Rejection>) {
        self.answers
            .lock()
            .unwrap()
            .insert(subject.to_owned(), answer);
    }

    pub fn count(&self, subject: &str) -> usize {
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
pub async fn serve(
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
                let _ = talk(world, tls, connection.stream, direct, &manners).await;
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
    let config = ServerConfig {
        hostname: "neighbour.example".to_owned(),
        tls: direct,
        starttls: !manners.plain,
        auth: Auth::NotOffered,
        size_limit: 1 << 20,
        recipients_limit: 100,
        postmaster: None,
    };
    let clock = Arc::clone(&world.clock);
    let machine = Server::new(config, clock.monotonic());
    let mut driver = Driver::new(machine, stream, Arc::clone(&clock));
    let mut recipients = Vec::new();
    let mut content = Vec::new();
    while let Ok(Some(event)) = driver.next().await {
        let now = clock.monotonic();
        let answer = match event {
            Event::StartTls => {
                let secure = async |stream| tls.accept(stream, &[]).await.map(|a| a.stream);
                driver = driver.upgrade(secure).await.ok()?;
                driver.machine().tls_active(now);
                continue;
            }
            Event::Key { id, query } => {
                let answer = manners.answer_to(&query);
                driver.machine().answer_key(id, answer, now);
                continue;
            }
            Event::Mail(_) => Answer::Accepted,
            Event::Recipient(recipient) => {
                let name = recipient.address.to_string();
                let refused = manners.refused.lock().unwrap().get(&name).cloned();
                match refused {
                    Some(rejection) => Answer::Rejected(rejection),
                    None if manners.at_once.is_some_and(|most| recipients.len() >= most) => {
                        Answer::Rejected(Rejection::RecipientApart)
                    }
                    None => {
                        recipients.push(name);
                        Answer::Accepted
                    }
                }
            }
            Event::Content(octets) => {
                content.extend(octets);
                continue;
            }
            Event::ContentEnd(_) => {
                let message = (
                    std::mem::take(&mut recipients),
                    std::mem::take(&mut content),
                );
                manners.mail.lock().unwrap().push(message);
                Answer::Stored("stored".to_owned())
            }
            Event::Closed => break,
            _ => continue,
        };
        driver.machine().answer(answer, now);
    }
    driver.close().await;
    Some(())
}
