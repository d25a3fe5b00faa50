//! A mailbox of 10,000 messages: what a program and a person ask of it costs a bounded time and
//! a bounded memory. The numbers are printed.

use std::time::Duration;

use email2::address::Address;
use email2_client::inbox::{self, Page};
use email2_client::search::{self, Bounds, Query};
use email2_client::{sync, thread};
use email2_io::net::Stream;
use email2_store::Appended;
use email2_store::message::{Append, Flags};
use email2_testbed::domain::Plan;
use email2_testbed::failure::{Failure, Outcome, Step};
use email2_testbed::forger::session::Session;
use email2_testbed::loopback::IMAPS_PORT;
use email2_testbed::person::Person;
use email2_testbed::testbed::Testbed;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Messages in the mailbox.
const MESSAGES: usize = 10_000;
/// Put there in one transaction.
const AT_ONCE: usize = 500;
/// What client and server together may grow by, in this process.
const GROWTH_ALLOWED: u64 = 96 * 1024 * 1024;
/// How long one question may take, however slow the machine and however little optimised.
const PATIENCE: Duration = Duration::from_secs(60);

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

fn letter(number: usize) -> String {
    format!(
        "From: Bob <bob{}@example.org>\r\nTo: alice@example.com\r\nSubject: number {number}\r\n\
         Date: Thu, 26 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{number}@example.org>\r\n\
         References: <{}@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n\
         {}At noon, for the {number}th time.\r\n",
        number % 50,
        number / 10 * 10,
        "A line of text as it stands in letters.\r\n".repeat(20),
    )
}

async fn fill(testbed: &Testbed, alice: &Address) -> Outcome<()> {
    let store = testbed.store(testbed.domain("example.com")?)?;
    let account = store.account(alice).await.step("account")?;
    let account = account.step("account")?.id;
    let mailbox = store.mailbox(account, "INBOX").await.step("mailbox")?;
    let mailbox = mailbox.step("INBOX")?.id;
    for first in (0..MESSAGES).step_by(AT_ONCE) {
        let mut appends = Vec::new();
        for number in first..first + AT_ONCE {
            let mut body = store.write_body().await.step("body")?;
            body.push(letter(number).as_bytes()).await.step("body")?;
            appends.push(Append {
                door: Appended::by(account),
                mailbox,
                flags: Flags::default(),
                body: body.finish().await.step("body")?,
                received: testbed.world.now(),
            });
        }
        store.append(appends).await.step("append")?;
    }
    Ok(())
}

/// Sends a command and reads to its tagged answer; how many FETCH lines and octets came.
async fn ask(stream: &mut Stream, tag: &str, command: &str) -> Outcome<(usize, usize)> {
    let line = format!("{tag} {command}\r\n");
    stream.write_all(line.as_bytes()).await.step("command")?;
    stream.flush().await.step("command")?;
    let (mut tail, mut fetched, mut octets) = (Vec::new(), 0, 0);
    let end = format!("{tag} OK");
    loop {
        let mut some = vec![0; 64 * 1024];
        let count = stream.read(&mut some).await.step("answer")?;
        octets += count;
        tail.extend(some.into_iter().take(count));
        while let Some(line_end) = tail.iter().position(|&octet| octet == b'\n') {
            let line: Vec<u8> = tail.drain(..=line_end).collect();
            let line = String::from_utf8_lossy(&line);
            fetched += usize::from(line.starts_with("* ") && line.contains(" FETCH ("));
            if line.starts_with(&end) {
                return Ok((fetched, octets));
            }
        }
        if count == 0 {
            return None.step("the connection ended");
        }
    }
}

/// Runs a question; prints what it took.
async fn timed<T>(
    testbed: &Testbed,
    what: &str,
    question: impl Future<Output = Outcome<T>>,
) -> Outcome<T> {
    let clock = &testbed.world.clock;
    let begin = clock.monotonic();
    let answer = question.await?;
    let took = clock.monotonic().saturating_sub(begin);
    println!("{what}: {took:.1?}");
    if took > PATIENCE {
        let why = format!("took {took:?}");
        let step = what.to_owned();
        return Err(Failure { step, why });
    }
    Ok(answer)
}

async fn imap(testbed: &Testbed, alice: &Person) -> Outcome<()> {
    let door = testbed.door("example.com", IMAPS_PORT)?;
    let mut stream = Session::dial(&testbed.world, &door).await?;
    let log_in = format!("LOGIN {} {}", alice.address, alice.token()?);
    ask(&mut stream, "a", &log_in).await?;
    timed(
        testbed,
        "IMAP SELECT",
        ask(&mut stream, "b", "SELECT INBOX"),
    )
    .await?;
    let all = "FETCH 1:* (UID FLAGS RFC822.SIZE ENVELOPE)";
    let asked = ask(&mut stream, "c", all);
    let (fetched, octets) = timed(testbed, "IMAP FETCH of all envelopes", asked).await?;
    println!("  {octets} octets");
    assert_eq!(fetched, MESSAGES);
    let search = ask(&mut stream, "d", "UID SEARCH SUBJECT \"number 9999\"");
    timed(testbed, "IMAP SEARCH by subject", search).await?;
    let store = ask(&mut stream, "e", "STORE 1:* +FLAGS.SILENT (\\Seen)");
    timed(testbed, "IMAP STORE for all", store).await?;
    Ok(())
}

async fn client(testbed: &Testbed, alice: &Person) -> Outcome<()> {
    let person = &alice.client;
    let listing = async { inbox::list(person, "INBOX", 50).await.step("list") };
    let newest = timed(testbed, "client: the newest 50", listing).await?;
    assert_eq!(newest.len(), 50);
    assert_eq!(newest.first().step("newest")?.subject, "number 9999");
    let page = Page {
        limit: 50,
        before: None,
    };
    let threads = async {
        let threads = thread::page(person, None, "INBOX", &page).await;
        threads.step("threads")
    };
    let threads = timed(testbed, "client: a page in threads", threads).await?;
    assert!((1..=50).contains(&threads.len()));
    let query = Query::parse(&["subject:9876".to_owned()]).step("query")?;
    let bounds = Bounds {
        results: 10,
        looked_at: 500,
        before: None,
    };
    let search = async {
        let found = search::search(person, None, "INBOX", &query, &bounds).await;
        found.step("search")
    };
    let found = timed(testbed, "client: search inside the newest 500", search).await?;
    assert_eq!(found.messages.len(), 1);
    let news = async {
        let news = sync::news(person, "INBOX", None, Duration::ZERO).await;
        news.step("news")
    };
    let news = timed(testbed, "client: all that is new", news).await?;
    assert_eq!(news.entries.len(), MESSAGES);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_messages_are_listed_in_bounded_time_and_memory() -> Outcome<()> {
    let folder = tempfile::tempdir().step("folder")?;
    let mut testbed = Testbed::start(folder.path())?;
    testbed.add_domain(&Plan::new("example.com")).await?;
    let address = Address::parse("alice@example.com").step("address")?;
    let alice = Person::set_up(&testbed, &address).await?;
    timed(
        &testbed,
        "10,000 messages put there",
        fill(&testbed, &address),
    )
    .await?;
    // From here on the highest is the highest of what follows.
    std::fs::write("/proc/self/clear_refs", "5").step("clear_refs")?;
    let before = resident("VmRSS")?;
    client(&testbed, &alice).await?;
    imap(&testbed, &alice).await?;
    let grown = resident("VmHWM")?.saturating_sub(before);
    println!("memory grew by {} KiB at most", grown / 1024);
    assert!(grown <= GROWTH_ALLOWED, "{grown} octets");
    testbed.stop().await;
    Ok(())
}
