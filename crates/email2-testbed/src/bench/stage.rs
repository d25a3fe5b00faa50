//! The world of a measurement: a server that receives and one that answers for the senders, as
//! processes, with real DNS between them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use email2::address::{Address, Identity};
use email2::certificate::generate::generate;
use email2_store::{NewAccount, Opening, Replaces, Store, Version};

use super::dialogue::{Dialogue, Target, Tls};
use super::letters::{Letter, Sender, Text};
use super::load::{self, Taken};
use super::process::{Process, SyncCounter, beside};
use super::report::{Cell, Row};
use crate::domain::{Place, Plan};
use crate::failure::{Failure, Outcome, Step};
use crate::loopback::{MX_PORT, SUBMISSIONS_PORT};
use crate::testbed::Testbed;
use crate::zone::Zone;

/// The domain that receives.
pub const RECEIVING: &str = "bench.example";
/// The domain of the senders; those who are asked for the first time have domains below it.
pub const SENDING: &str = "senders.example";
/// The domain of ordinary mail that comes in: it has never heard of Email 2.0.
pub const LETTERS: &str = "letters.example";
/// Mailboxes that the mail is spread over.
pub const MAILBOXES: usize = 20;
/// Senders that nobody asked for before, each of a domain of its own.
pub const STRANGERS: usize = 200;
/// How long records of DNS live, seconds: as in the world outside.
const HOUR: u32 = 3600;
/// When the domain of ordinary mail wrote first, seconds before.
const LONG_AGO: u64 = 3 * 86_400;
/// How long a server may take to listen.
const STARTING: Duration = Duration::from_secs(30);
/// How often it is tried.
const PAUSE: Duration = Duration::from_millis(20);

/// The world.
pub struct Stage {
    /// DNS, certificates, network.
    pub testbed: Testbed,
    /// Where the receiving server is.
    pub receiver: Place,
    /// The sender whose certificate is known after the first message.
    pub sender: Sender,
    strangers: Vec<Sender>,
    program: PathBuf,
    home_place: Place,
    home: Process,
}

impl Stage {
    /// Sets it up in the folder of `testbed`, with so many strangers, and with `records` in the
    /// zone of ordinary mail.
    ///
    /// # Errors
    /// A server does not start.
    pub async fn set_up(
        mut testbed: Testbed,
        strangers: usize,
        records: &[(String, String)],
    ) -> Outcome<Stage> {
        let program = beside("email2d")?;
        let place = testbed.prepare(&Plan::new(SENDING))?;
        let sender = sender(&testbed, &format!("alice@{SENDING}"))?;
        let strangers = (0..strangers)
            .map(|number| self::sender(&testbed, &format!("alice@c{number}.{SENDING}")))
            .collect::<Outcome<Vec<Sender>>>()?;
        certify(&testbed, &place, &strangers)?;
        publish(&mut testbed, &place, &strangers)?;
        publish_letters(&mut testbed, records)?;
        keep_certificates(&testbed, &place, &sender, &strangers).await?;
        let home = serve(&program, &place)?;
        wait_for(&testbed, &place, SUBMISSIONS_PORT).await?;
        let receiver = testbed.prepare(&Plan::new(RECEIVING))?;
        let zone = receiver.zone(&testbed.network)?.kept_for(HOUR);
        testbed.authority.publish(zone)?;
        take_ordinary_mail(&receiver)?;
        Ok(Stage {
            testbed,
            receiver,
            sender,
            strangers,
            program,
            home_place: place,
            home,
        })
    }

    /// Whom the load goes to.
    ///
    /// # Errors
    /// The authority's file cannot be read.
    pub fn target(&self) -> Outcome<Target> {
        let exchanger = self.testbed.door_at(&self.receiver, MX_PORT)?;
        Ok(Target {
            exchanger: Arc::new(exchanger),
            tls: Tls::Start,
            login: None,
        })
    }

    /// Where the senders' server is.
    #[must_use]
    pub fn home_place(&self) -> &Place {
        &self.home_place
    }

    /// The senders' server.
    #[must_use]
    pub fn home(&self) -> &Process {
        &self.home
    }

    /// Starts the receiving server on a new store.
    ///
    /// # Errors
    /// It does not listen.
    pub async fn receive(&self) -> Outcome<Process> {
        let data = self.receiver.folder.join("data");
        std::fs::remove_dir_all(&data).step("data")?;
        std::fs::create_dir_all(&data).step("data")?;
        let now = self.testbed.world.now();
        let store = Store::open(&data, Opening::Visit, now).step("store")?;
        for number in 0..MAILBOXES {
            add_account(&store, &mailbox(number)?, now).await?;
            meet_letters(&store, &mailbox(number)?, now - LONG_AGO).await?;
        }
        drop(store);
        let server = serve(&self.program, &self.receiver)?;
        wait_for(&self.testbed, &self.receiver, MX_PORT).await?;
        Ok(server)
    }

    /// Seals what `cell` needs.
    ///
    /// # Errors
    /// A seal cannot be made.
    pub fn letters(&self, cell: &Cell) -> Outcome<Vec<Letter>> {
        let world = &self.testbed.world;
        let octets = cell.kibibytes * 1024;
        let mut text = Text::new(&self.sender.address, octets)?;
        let mut letters = Vec::with_capacity(cell.messages);
        for number in 0..cell.messages {
            let to = mailbox(number % MAILBOXES)?;
            let sender = match cell.cold {
                true => self.strangers.get(number).step("stranger")?,
                false => &self.sender,
            };
            if cell.cold {
                text = Text::new(&sender.address, octets)?;
            }
            letters.push(sender.letter(world, &to, &text)?);
        }
        Ok(letters)
    }

    /// Delivers one message, so that the sender's certificate is known.
    ///
    /// # Errors
    /// It is refused.
    pub async fn introduce(&self) -> Outcome<()> {
        self.deliver_one(&self.introduction()?).await
    }

    fn introduction(&self) -> Outcome<Letter> {
        let text = Text::new(&self.sender.address, 1024)?;
        let world = &self.testbed.world;
        self.sender.letter(world, &mailbox(0)?, &text)
    }

    async fn deliver_one(&self, letter: &Letter) -> Outcome<()> {
        let (world, target) = (&self.testbed.world, self.target()?);
        let mut dialogue = Dialogue::open(world, &target, 0).await?;
        dialogue.deliver(letter).await?;
        dialogue.quit().await;
        Ok(())
    }

    /// Measures one cell on a server of its own.
    ///
    /// # Errors
    /// A message was not delivered.
    pub async fn measure(&self, cell: Cell) -> Outcome<Row> {
        let letters = self.letters(&cell)?;
        let first = self.introduction()?;
        self.measure_with("email2d", cell, letters, &first).await
    }

    /// Measures one cell with these letters on a server of its own, behind a `first` one, after
    /// which its keys are known.
    ///
    /// # Errors
    /// A message was not delivered.
    pub async fn measure_with(
        &self,
        name: &str,
        cell: Cell,
        letters: Vec<Letter>,
        first: &Letter,
    ) -> Outcome<Row> {
        let mut server = self.receive().await?;
        self.deliver_one(first).await?;
        let counter = SyncCounter::start(server.id(), &self.testbed.folder);
        let before = server.cpu()?;
        let taken = self.load(&cell, Arc::new(letters)).await?;
        let cpu = server.cpu()? - before;
        let syncs = counter.and_then(SyncCounter::stop);
        let row = Row::of(name, cell, &taken, cpu);
        let row = row.with_server(server.highest_memory()?, syncs);
        server.stop()?;
        Ok(row)
    }

    async fn load(&self, cell: &Cell, letters: Arc<Vec<Letter>>) -> Outcome<Taken> {
        let (world, target) = (&self.testbed.world, self.target()?);
        load::deliver(world, &target, cell.shape(), letters).await
    }

    /// Stops the senders' server.
    ///
    /// # Errors
    /// There is no `kill`.
    pub fn stop_home(&mut self) -> Outcome<()> {
        self.home.stop()
    }

    /// Kills it.
    ///
    /// # Errors
    /// It cannot be killed.
    pub fn kill_home(&mut self) -> Outcome<()> {
        self.home.kill()
    }

    /// Starts it again.
    ///
    /// # Errors
    /// It does not listen.
    pub async fn start_home(&mut self) -> Outcome<()> {
        self.home = serve(&self.program, &self.home_place)?;
        wait_for(&self.testbed, &self.home_place, SUBMISSIONS_PORT).await
    }

    /// Where it keeps its store.
    #[must_use]
    pub fn home_data(&self) -> PathBuf {
        self.home_place.folder.join("data")
    }

    /// The memory that it has, octets.
    ///
    /// # Errors
    /// It ended.
    pub fn home_memory(&self) -> Outcome<u64> {
        self.home.memory()
    }

    /// Stops everything.
    ///
    /// # Errors
    /// There is no `kill`.
    pub async fn stop(mut self) -> Outcome<()> {
        self.home.stop()?;
        self.testbed.stop().await;
        Ok(())
    }
}

/// A mailbox of the receiving domain.
///
/// # Errors
/// None: the address is one.
pub fn mailbox(number: usize) -> Outcome<Address> {
    format!("bob{number}@{RECEIVING}").parse().step("address")
}

fn sender(testbed: &Testbed, address: &str) -> Outcome<Sender> {
    let address: Address = address.parse().step("address")?;
    let (identity, world) = (Identity::Address(address.clone()), &testbed.world);
    let key = generate(&identity, world.now(), &mut world.rng()).step("key")?;
    Ok(Sender { address, key })
}

/// The certificate of the senders' host, valid for every domain that it answers for.
fn certify(testbed: &Testbed, place: &Place, strangers: &[Sender]) -> Outcome<()> {
    let host = &place.plan.host;
    let mut names = vec![host.clone(), format!("email2.{SENDING}")];
    let domains = strangers.iter().map(|sender| sender.address.domain());
    names.extend(domains.map(|domain| format!("email2.{domain}")));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    testbed.certification.issue(host, &names).map(|_| ())
}

/// The zone of the senders with a mail exchanger and a record for each stranger's domain.
fn publish(testbed: &mut Testbed, place: &Place, strangers: &[Sender]) -> Outcome<()> {
    let mut zone = place.zone(&testbed.network)?.kept_for(HOUR);
    let mut domains = String::new();
    for stranger in strangers {
        let name = stranger.address.domain().to_string();
        zone = zone
            .mx(&name, 10, &place.plan.host)?
            .text(&format!("_email2.{name}"), "v=EMAIL2; p=open; id=1");
        domains.push_str(&format!("\n[[domain]]\nname = \"{name}\"\nlocal = true\n"));
    }
    testbed.authority.publish(zone)?;
    extend(place, &domains)
}

/// The zone of ordinary mail: every host of the world may send for it, and its policy is strict
/// for whoever asks.
fn publish_letters(testbed: &mut Testbed, records: &[(String, String)]) -> Outcome<()> {
    let mut zone = Zone::new(LETTERS)
        .kept_for(HOUR)
        .mx(LETTERS, 10, &format!("mx.{LETTERS}"))?
        .text(LETTERS, "v=spf1 ip4:127.0.0.0/8 -all")
        .text(&format!("_dmarc.{LETTERS}"), "v=DMARC1; p=reject");
    for (owner, text) in records {
        zone = zone.text(owner, text);
    }
    testbed.authority.publish(zone)
}

/// Mail without a seal goes to the Inbox.
fn take_ordinary_mail(place: &Place) -> Outcome<()> {
    let path = place.configuration();
    let written = std::fs::read_to_string(&path).step("configuration")?;
    let changed = written.replacen("policy = ", "legacy = \"accept\"\npolicy = ", 1);
    std::fs::write(&path, changed).step("configuration")
}

fn extend(place: &Place, text: &str) -> Outcome<()> {
    let path = place.configuration();
    let written = std::fs::read_to_string(&path).step("configuration")?;
    std::fs::write(&path, written + text).step("configuration")
}

async fn add_account(store: &Store, address: &Address, now: u64) -> Outcome<()> {
    let account = NewAccount {
        address: address.clone(),
        quota: None,
        strict: false,
        unlisted: false,
    };
    let added = store.add_account(&account, now).await;
    added.step(format!("account {address}")).map(|_| ())
}

/// The domain of ordinary mail wrote before: it is nobody's first contact (spec §10.6.4).
async fn meet_letters(store: &Store, address: &Address, at: u64) -> Outcome<()> {
    let account = store.account(address).await.step("account")?;
    let domain = LETTERS.parse().step("domain")?;
    let met = store.meet_domain(account.step("account")?.id, &domain, at);
    met.await.step("acquaintance")
}

async fn keep_certificates(
    testbed: &Testbed,
    place: &Place,
    sender: &Sender,
    strangers: &[Sender],
) -> Outcome<()> {
    let now = testbed.world.now();
    let store = Store::open(&place.folder.join("data"), Opening::Visit, now).step("store")?;
    for sender in std::iter::once(sender).chain(strangers) {
        add_account(&store, &sender.address, now).await?;
        let certificate = sender.key.certificate();
        let version = Version {
            identity: Identity::Address(sender.address.clone()),
            primary: certificate.primary().clone(),
            keys: certificate.signing_keys(),
            etag: certificate.etag(),
            octets: certificate.octets().to_vec(),
        };
        let published = store.publish(version, Replaces::Keep, now).await;
        if !published.step("certificate")? {
            return Err(Failure {
                step: format!("certificate of {}", sender.address),
                why: "the store refuses it".to_owned(),
            });
        }
    }
    Ok(())
}

fn serve(program: &Path, place: &Place) -> Outcome<Process> {
    let configuration = place.configuration();
    let arguments: [&OsStr; 3] = [
        "--config".as_ref(),
        configuration.as_os_str(),
        "serve".as_ref(),
    ];
    Process::start(program, &arguments, &place.folder.join("log"))
}

async fn wait_for(testbed: &Testbed, place: &Place, port: u16) -> Outcome<()> {
    let address = testbed.network.port(place.number, port);
    wait_until_it_listens(testbed, address)
        .await
        .map_err(|failure| Failure {
            why: std::fs::read_to_string(place.folder.join("log")).unwrap_or_default(),
            ..failure
        })
}

/// Waits until somebody listens at `address`.
///
/// # Errors
/// Nobody does, in 30 seconds.
pub async fn wait_until_it_listens(
    testbed: &Testbed,
    address: std::net::SocketAddr,
) -> Outcome<()> {
    let world = &testbed.world;
    for _ in 0..STARTING.as_millis() / PAUSE.as_millis() {
        if world.net.connect(address).await.is_ok() {
            return Ok(());
        }
        world.clock.sleep(PAUSE).await;
    }
    Err(Failure {
        step: format!("a server at {address}"),
        why: "nobody listens".to_owned(),
    })
}
