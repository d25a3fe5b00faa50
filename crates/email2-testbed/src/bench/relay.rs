//! Mail on its way through two servers: submitted to one, kept in its queue, delivered to the
//! other. Ours take it as its author's program sealed it, or seal it with a key that they hold;
//! or carry it to another mail server, whose like does the same beside them.

mod inbox;
mod row;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use email2::address::{Address, Domain};
use email2_store::{NewAccount, Opening, Secret, Store};
use email2d::{dkim_key, held_key};

use super::dialogue::{Dialogue, Target, Tls};
use super::dkim::Dkim;
use super::letters::{Letter, Text, ended, message, ordinary};
use super::load;
use super::peer::HOST;
use super::process::Process;
use super::report::Cell;
use super::script::{Cast, Script};
use super::stage::{MAILBOXES, SENDING, Stage, mailbox};
use crate::failure::{Outcome, Step};
use crate::loopback::{SUBMISSION_PORT, SUBMISSIONS_PORT};
use crate::zone::Zone;
use inbox::Inbox;

pub use row::{HEAD, Row};

/// The domain whose mail another mail server takes.
pub const ELSEWHERE: &str = "elsewhere.example";
/// The host number of another mail server that carries mail on.
const RELAY: u8 = HOST + 1;
/// How long a server is left alone before its CPU is read, so that it has written down what left.
const REST: Duration = Duration::from_millis(500);

/// The way through two other mail servers.
const OTHERS: &str = "Postfix → Postfix, OpenDKIM in both";

/// How mail is submitted, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Its author's program sealed it (465).
    Sealed,
    /// An ordinary program sent it; the server signs and seals it (587).
    Held,
    /// The same to another mail server: signed (PGP/MIME), without DKIM.
    Ordinary,
    /// The same with two DKIM signatures (Ed25519 and RSA).
    Dkim,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Sealed => "email2d → email2d, sealed by the client",
            Way::Held => "email2d → email2d, sealed by the server",
            Way::Ordinary => "email2d → Postfix",
            Way::Dkim => "email2d → Postfix, signed by DKIM",
        }
    }

    /// To another server of ours?
    fn is_ours(self) -> bool {
        matches!(self, Way::Sealed | Way::Held)
    }
}

/// The user whose key the server holds.
fn held_user() -> Outcome<Address> {
    format!("carol@{SENDING}").parse().step("address")
}

/// Users who sign in, and the servers that they meet.
pub struct Relay<'a> {
    stage: &'a mut Stage,
    logins: [String; 2],
}

impl<'a> Relay<'a> {
    /// Gives the users passwords, and one of them a key that the server holds.
    ///
    /// # Errors
    /// The store refuses.
    pub async fn prepare(stage: &'a mut Stage) -> Outcome<Relay<'a>> {
        let store = open(stage, &stage.home_data())?;
        let world = &stage.testbed.world;
        let (now, carol) = (world.now(), held_user()?);
        let account = NewAccount {
            address: carol.clone(),
            quota: None,
            strict: false,
            unlisted: false,
        };
        let account = store.add_account(&account, now).await.step("account")?;
        let data = stage.home_data();
        let mut rng = world.rng();
        let held = held_key::hold(&data, &store, &account, now, &mut rng);
        held.await.step("held key")?;
        let alice = stage.sender.address.clone();
        let logins = [
            login(stage, &store, &alice).await?,
            login(stage, &store, &carol).await?,
        ];
        Ok(Relay { stage, logins })
    }

    /// Measures one way through our server, to ours or to `other`.
    ///
    /// # Errors
    /// A message is refused, or does not arrive.
    pub async fn measure(&mut self, way: Way, cell: Cell, other: Option<&Script>) -> Outcome<Row> {
        self.stage.stop_home()?;
        if way == Way::Dkim {
            self.publish_keys()?;
        }
        let receiver = match other {
            None => Some(self.stage.receive().await?),
            Some(_) => None,
        };
        self.stage.start_home().await?;
        let inbox = match other {
            None => {
                Inbox::ours(open(self.stage, &self.stage.receiver.folder.join("data"))?).await?
            }
            Some(other) => Inbox::folder(other),
        };
        let second = Second { receiver, other };
        let through = self.through(way, cell, &inbox, &second).await;
        if let Some(mut receiver) = second.receiver {
            receiver.stop()?;
        }
        if let Some(other) = other {
            if way == Way::Dkim {
                other.expect_verified(cell.messages + 1)?;
            }
            other.empty()?;
        }
        through
    }

    /// Keys for DKIM and their records, as `email2d dkim` makes them.
    fn publish_keys(&mut self) -> Outcome<()> {
        let domain: Domain = SENDING.parse().step("domain")?;
        let data = self.stage.home_data();
        let testbed = &mut self.stage.testbed;
        let records = dkim_key::ensure(&data, &domain, &mut testbed.world.rng()).step("DKIM")?;
        let zone = testbed.authority.zone(SENDING).cloned().step("zone")?;
        let zone = records.iter().fold(zone, |zone, record| {
            zone.without(&record.name).text(&record.name, &record.text)
        });
        testbed.authority.publish(zone)
    }

    async fn through(
        &self,
        way: Way,
        cell: Cell,
        inbox: &Inbox,
        second: &Second<'_>,
    ) -> Outcome<Row> {
        let (stage, target) = (&*self.stage, self.target(way)?);
        let letters = self.letters(way, cell.messages + 1, cell.kibibytes * 1024)?;
        let letters = warmed(stage, &target, inbox, letters).await?;
        let home = stage.home();
        let before = (home.cpu()?, second.cpu()?);
        let travelled = travel(stage, &target, &cell, inbox, letters).await?;
        stage.testbed.world.clock.sleep(REST).await;
        let row = Row::of(way.name(), cell, &travelled);
        let row = row.with_cpu(home.cpu()? - before.0, second.cpu()? - before.1);
        Ok(row.with_memory(Some(home.highest_memory()?), second.memory()?))
    }

    fn target(&self, way: Way) -> Outcome<Target> {
        let [sealing, held] = &self.logins;
        let (port, tls, login) = match way {
            Way::Sealed => (SUBMISSIONS_PORT, Tls::First, sealing),
            _ => (SUBMISSION_PORT, Tls::Start, held),
        };
        let stage = &*self.stage;
        let exchanger = stage.testbed.door_at(stage.home_place(), port)?;
        Ok(Target {
            exchanger: Arc::new(exchanger),
            tls,
            login: Some(login.clone()),
        })
    }

    fn letters(&self, way: Way, count: usize, octets: usize) -> Outcome<Vec<Letter>> {
        let (sender, world) = (&self.stage.sender, &self.stage.testbed.world);
        if way == Way::Sealed {
            let text = Text::new(&sender.address, octets)?;
            return (0..count)
                .map(|number| sender.letter(world, &mailbox(number % MAILBOXES)?, &text))
                .collect();
        }
        plain(&held_user()?, count, octets, way.is_ours())
    }
}

/// Ordinary letters for mailboxes of ours, or elsewhere.
fn plain(from: &Address, count: usize, octets: usize, ours: bool) -> Outcome<Vec<Letter>> {
    let content = ended(message(from, octets));
    let to = |number: usize| match ours {
        true => mailbox(number % MAILBOXES),
        false => elsewhere(number % MAILBOXES),
    };
    let letters = (0..count).map(|number| Ok(ordinary(from, &to(number)?, &content)));
    letters.collect()
}

fn elsewhere(number: usize) -> Outcome<Address> {
    format!("bob{number}@{ELSEWHERE}").parse().step("address")
}

/// The server that mail arrives at.
struct Second<'a> {
    receiver: Option<Process>,
    other: Option<&'a Script>,
}

impl Second<'_> {
    fn cpu(&self) -> Outcome<f64> {
        match (&self.receiver, self.other) {
            (Some(receiver), _) => receiver.cpu(),
            (None, Some(other)) => other.cpu(),
            (None, None) => Ok(0.0),
        }
    }

    fn memory(&self) -> Outcome<Option<u64>> {
        self.receiver
            .as_ref()
            .map(Process::highest_memory)
            .transpose()
    }
}

fn open(stage: &Stage, data: &Path) -> Outcome<Store> {
    Store::open(data, Opening::Visit, stage.testbed.world.now()).step("store")
}

/// A new password, as AUTH PLAIN says it (RFC 4616).
async fn login(stage: &Stage, store: &Store, user: &Address) -> Outcome<String> {
    let world = &stage.testbed.world;
    let account = store.account(user).await.step("account")?.step("account")?;
    let token = Secret::token(&mut world.rng());
    let kept = store.add_token(account.id, "bench", &token, world.now());
    kept.await.step("token")?;
    Ok(STANDARD.encode(format!("\0{user}\0{}", token.reveal())))
}

/// Sends one letter ahead: then keys are known, and the domain has taken something.
async fn warmed(
    stage: &Stage,
    target: &Target,
    inbox: &Inbox,
    mut letters: Vec<Letter>,
) -> Outcome<Arc<Vec<Letter>>> {
    let world = &stage.testbed.world;
    let before = inbox.count().await?;
    let first = letters.pop().step("letter")?;
    let mut dialogue = Dialogue::open(world, target, 0).await?;
    dialogue.deliver(&first).await?;
    dialogue.quit().await;
    inbox.watch(world, before, 1).await?;
    Ok(Arc::new(letters))
}

/// When messages were taken, and when they arrived; ascending, monotonic time.
struct Travelled {
    began: Duration,
    answered: Vec<Duration>,
    arrived: Vec<Duration>,
}

async fn travel(
    stage: &Stage,
    target: &Target,
    cell: &Cell,
    inbox: &Inbox,
    letters: Arc<Vec<Letter>>,
) -> Outcome<Travelled> {
    let world = &stage.testbed.world;
    let (count, before) = (letters.len(), inbox.count().await?);
    let began = world.clock.monotonic();
    let sending = load::deliver(world, target, cell.shape(), letters);
    let arriving = inbox.watch(world, before, count);
    let (sent, arrived) = futures::try_join!(sending, arriving)?;
    Ok(Travelled {
        began,
        answered: sent.answered,
        arrived,
    })
}

impl Relay<'_> {
    /// Another mail server that takes mail for [`ELSEWHERE`]; DNS leads to it.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start_elsewhere(&mut self, script: &Path) -> Outcome<Script> {
        let (host, testbed) = (format!("mx.{ELSEWHERE}"), &mut self.stage.testbed);
        let zone = Zone::new(ELSEWHERE)
            .kept_for(3600)
            .mx(ELSEWHERE, 10, &host)?
            .address(&host, testbed.network.host(HOST));
        testbed.authority.publish(zone)?;
        let cast = Cast {
            script,
            number: HOST,
            host: &host,
            domain: ELSEWHERE,
            more: Vec::new(),
        };
        Script::start(self.stage, &cast).await
    }

    /// Another mail server that signs with `dkim` and carries everything to that one.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start_signing(&self, script: &Path, dkim: &Dkim) -> Outcome<Script> {
        let next = self.stage.testbed.network.host(HOST).to_string();
        let cast = Cast {
            script,
            number: RELAY,
            host: "relay.bench.example",
            domain: ELSEWHERE,
            more: vec![
                ("PEER_RELAY_IP", next.as_ref()),
                ("PEER_SIGNS", super::stage::LETTERS.as_ref()),
                ("PEER_SELECTOR", "rsa".as_ref()),
                ("PEER_DKIM_KEY", dkim.file.as_os_str()),
            ],
        };
        Script::start(self.stage, &cast).await
    }

    /// Measures the way through both other mail servers.
    ///
    /// # Errors
    /// A message is refused, or does not arrive.
    pub async fn measure_others(
        &self,
        cell: Cell,
        (first, second): (&Script, &Script),
    ) -> Outcome<Row> {
        let stage = &*self.stage;
        let target = first.target(stage)?;
        let from = format!("alice@{}", super::stage::LETTERS);
        let from = from.parse().step("address")?;
        let letters = plain(&from, cell.messages + 1, cell.kibibytes * 1024, false)?;
        let inbox = Inbox::folder(second);
        let letters = warmed(stage, &target, &inbox, letters).await?;
        let before = (first.settled(stage).await?, second.settled(stage).await?);
        let travelled = travel(stage, &target, &cell, &inbox, letters).await?;
        let after = (first.settled(stage).await?, second.settled(stage).await?);
        second.expect_verified(cell.messages + 1)?;
        second.empty()?;
        let row = Row::of(OTHERS, cell, &travelled);
        Ok(row.with_cpu(after.0 - before.0, after.1 - before.1))
    }
}

/// How the ways stand to the one through two other mail servers.
#[must_use]
pub fn ratios(rows: &[Row]) -> String {
    let others = rows.iter().filter(|row| row.way == OTHERS);
    let mut lines = vec![row::RATIO_HEAD.to_owned()];
    for other in others {
        let ours = rows.iter().filter(|row| row.way != OTHERS);
        lines.extend(ours.filter_map(|row| row.ratio(other)));
    }
    lines.join("\n")
}

/// The scripts for these in a folder of them.
#[must_use]
pub fn scripts(peers: &Path) -> [PathBuf; 2] {
    ["postfix-signing", "postfix-opendkim"].map(|name| peers.join(name))
}
