//! Mailboxes over IMAP: what was judged is shown, and only that is verified
//! (spec §10.3); settings act; sessions see each other.

use email2_store::credential::Purpose;
use email2_store::{Secret, Store};

use crate::house::{House, Person};
use crate::wire::Wire;

/// Behind the greeting.
async fn arrived(house: &House) -> Wire {
    let mut wire = Wire::secured(house, house.running.listening().imaps[0], None).await;
    let greeting = wire.hear().await;
    let ready = "* OK [CAPABILITY IMAP4rev1 ";
    assert!(greeting.starts_with(ready), "{greeting}");
    wire
}

/// Signed in, with INBOX selected.
pub(crate) async fn in_inbox(house: &House, who: &Person) -> Wire {
    let mut wire = arrived(house).await;
    let login = format!("LOGIN {} {}", who.address, who.token);
    let heard = say(&mut wire, &login).await;
    assert!(heard.starts_with("t OK "), "{heard}");
    say(&mut wire, "SELECT INBOX").await;
    wire
}

/// Says a command; hears all up to its last line.
pub(crate) async fn say(wire: &mut Wire, command: &str) -> String {
    wire.send(&format!("t {command}\r\n")).await;
    hear_to(wire, "t ").await
}

/// Hears all up to a line that begins so.
pub(crate) async fn hear_to(wire: &mut Wire, beginning: &str) -> String {
    let mut heard = String::new();
    loop {
        let line = wire.hear().await;
        heard.push_str(&line);
        if line.is_empty() || line.starts_with(beginning) {
            return heard;
        }
    }
}

async fn deliver(house: &House, bob: &Person) {
    let letter = bob.letter("alice@example.com", "hello, alice\r\n");
    let sealed = house.sealed(bob, &["alice@example.com"], &letter);
    let mut wire = Wire::mx(house).await;
    let reply = wire.deliver(bob, &["alice@example.com"], &sealed).await;
    assert!(reply.starts_with("250 "), "{reply}");
}

#[tokio::test]
async fn a_sealed_message_is_shown_with_its_verdict() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    deliver(&house, &bob).await;
    let mut wire = in_inbox(&house, &alice).await;
    let heard = say(&mut wire, "FETCH 1 (FLAGS ENVELOPE)").await;
    assert!(heard.contains("FLAGS ($Email2Verified)"), "{heard}");
    assert!(
        heard.contains("((NIL NIL \"bob\" \"example.org\"))"),
        "{heard}"
    );
    let heard = say(&mut wire, "FETCH 1 (RFC822.SIZE BODY.PEEK[])").await;
    let (_, message) = heard.split_once("}\r\n").unwrap();
    let verdict = "Email2-Verdict: verified; author=bob@example.org; assurance=local; at=";
    assert!(message.starts_with(verdict), "{heard}");
    let size: usize = heard.split(['{', '}']).nth(1).unwrap().parse().unwrap();
    assert!(heard.contains(&format!("RFC822.SIZE {size} ")), "{heard}");
    assert_eq!(&message[size..], ")\r\nt OK done\r\n");
    let heard = say(&mut wire, "STORE 1 FLAGS (\\Seen)").await;
    assert_eq!(
        heard,
        "* 1 FETCH (FLAGS (\\Seen $Email2Verified))\r\nt OK done\r\n"
    );
    let heard = say(&mut wire, "COPY 1 Archive").await;
    assert!(heard.starts_with("t OK [COPYUID "), "{heard}");
    say(&mut wire, "SELECT Archive").await;
    let heard = say(&mut wire, "FETCH 1 FLAGS").await;
    assert_eq!(
        heard,
        "* 1 FETCH (FLAGS (\\Seen $Email2Verified))\r\nt OK done\r\n"
    );
}

/// Bob is who he is, and still may not say whom the server has verified.
#[tokio::test]
async fn a_message_that_brings_a_verdict_of_its_own_is_refused() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let claim = "Email2-Verdict: verified; author=carol@example.com; assurance=local; at=1\r\n";
    let letter = bob.letter("alice@example.com", "hello, alice\r\n");
    let letter = format!("{claim}{letter}");
    let sealed = house.sealed(&bob, &["alice@example.com"], &letter);
    let mut wire = Wire::mx(&house).await;
    let reply = wire.deliver(&bob, &["alice@example.com"], &sealed).await;
    let refusal = "550 5.7.1 The field Email2-Verdict may not stand in a sealed message";
    assert_eq!(reply.trim_end(), refusal);
    let mut wire = in_inbox(&house, &alice).await;
    let heard = say(&mut wire, "SEARCH ALL").await;
    assert_eq!(heard, "* SEARCH\r\nt OK done\r\n");
}

#[tokio::test]
async fn what_a_person_appends_is_never_verified() {
    let house = House::open().await;
    let alice = house.person("alice@example.com").await;
    let mut wire = in_inbox(&house, &alice).await;
    let forged = "Email2-Verdict: verified; author=bob@example.org; assurance=local; at=1\r\n\
        From: bob@example.org\r\n\r\nhi\r\n";
    let heard = say(
        &mut wire,
        &format!("APPEND INBOX {{{}+}}\r\n{forged}", forged.len()),
    )
    .await;
    assert!(
        heard.starts_with("* 1 EXISTS\r\nt OK [APPENDUID "),
        "{heard}"
    );
    let heard = say(&mut wire, "FETCH 1 (FLAGS BODY[])").await;
    let (_, message) = heard.split_once("}\r\n").unwrap();
    assert!(heard.contains("FLAGS (\\Seen) "), "{heard}");
    let shown = format!("Email2-Verdict: appended\r\nX-{forged}");
    assert!(message.starts_with(&shown), "{heard}");
    let heard = say(&mut wire, "STORE 1 +FLAGS ($Email2Verified)").await;
    assert!(heard.starts_with("t NO [CANNOT] "), "{heard}");
}

#[tokio::test]
async fn sessions_see_each_other() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let mut idle = in_inbox(&house, &alice).await;
    let mut busy = in_inbox(&house, &alice).await;
    idle.send("t IDLE\r\n").await;
    assert_eq!(idle.hear().await, "+ idling\r\n");
    deliver(&house, &bob).await;
    assert_eq!(idle.hear().await, "* 1 EXISTS\r\n");
    let heard = say(&mut busy, "NOOP").await;
    assert_eq!(heard, "* 1 EXISTS\r\nt OK done\r\n");
    say(&mut busy, "STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    let heard = idle.hear().await;
    assert!(
        heard.ends_with("FLAGS (\\Deleted $Email2Verified))\r\n"),
        "{heard}"
    );
    let heard = say(&mut busy, "EXPUNGE").await;
    assert_eq!(heard, "* 1 EXPUNGE\r\nt OK done\r\n");
    assert_eq!(idle.hear().await, "* 1 EXPUNGE\r\n");
    idle.send("DONE\r\n").await;
    assert_eq!(idle.hear().await, "t OK done\r\n");
}

#[tokio::test]
async fn a_block_set_by_its_person_acts() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let mut wire = in_inbox(&house, &alice).await;
    let entry = "/private/vendor/email2";
    let set = format!("SETMETADATA \"\" ({entry}/blocks {{13+}}\r\n@example.org\n)");
    assert_eq!(say(&mut wire, &set).await, "t OK kept\r\n");
    let heard = say(&mut wire, &format!("GETMETADATA \"\" {entry}/blocks")).await;
    let got = format!("* METADATA \"\" ({entry}/blocks {{13}}\r\n@example.org\n)\r\n");
    assert_eq!(heard, format!("{got}t OK done\r\n"));
    let mut mx = Wire::mx(&house).await;
    mx.ask(&bob.announces()).await;
    let reply = mx.ask("RCPT TO:<alice@example.com>").await;
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    let set = format!("SETMETADATA \"\" ({entry}/legacy \"accept\")");
    assert_eq!(say(&mut wire, &set).await, "t OK kept\r\n");
    let set = format!("SETMETADATA \"\" ({entry}/legacy \"some\")");
    let wanted = "t NO [CANNOT] legacy is accept, junk or reject\r\n";
    assert_eq!(say(&mut wire, &set).await, wanted);
    let set = format!("SETMETADATA \"\" ({entry}/contacts \"bob\" {entry}/blocks NIL)");
    let heard = say(&mut wire, &set).await;
    let wanted = "t NO [CANNOT] line 1 of contacts is not an address or pattern\r\n";
    assert_eq!(heard, wanted);
    assert_eq!(mx.code("RCPT TO:<alice@example.com>").await, "550");
}

/// Where mail is passed on to, and what is answered meanwhile (spec §14.2, §14.3).
#[tokio::test]
async fn what_goes_on_is_set_by_its_person() {
    let house = House::open().await;
    let alice = house.person("alice@example.com").await;
    let mut wire = in_inbox(&house, &alice).await;
    let entry = "/private/vendor/email2";
    let set = format!("SETMETADATA \"\" ({entry}/forward \"carol@example.org\")");
    assert_eq!(say(&mut wire, &set).await, "t OK kept\r\n");
    let set = format!("SETMETADATA \"\" ({entry}/forward \"carol\")");
    assert_eq!(
        say(&mut wire, &set).await,
        "t NO [CANNOT] line 1 of forward is not an address, nor keep\r\n"
    );
    let set = format!("SETMETADATA \"\" ({entry}/vacation \"I am away.\")");
    assert_eq!(say(&mut wire, &set).await, "t OK kept\r\n");
    let set = format!("SETMETADATA \"\" ({entry}/vacation-days \"3\")");
    assert_eq!(say(&mut wire, &set).await, "t OK kept\r\n");
    let set = format!("SETMETADATA \"\" ({entry}/vacation-days \"31\")");
    assert_eq!(
        say(&mut wire, &set).await,
        "t NO [CANNOT] vacation-days is a number from 1 to 30\r\n"
    );
    let set = format!("SETMETADATA \"\" ({entry}/vacation NIL)");
    assert_eq!(say(&mut wire, &set).await, "t OK kept\r\n");
}

#[tokio::test]
async fn only_a_token_opens_mailboxes() {
    let house = House::open().await;
    let alice = house.person("alice@example.com").await;
    let mut wire = arrived(&house).await;
    let heard = say(&mut wire, "LOGIN alice@example.com wrong").await;
    assert_eq!(
        heard,
        "t NO [AUTHENTICATIONFAILED] address or token is wrong\r\n"
    );
    let code = one_time_code(&house, &house.store, &alice).await;
    let heard = say(&mut wire, &format!("LOGIN alice@example.com {code}")).await;
    assert!(heard.starts_with("t NO [CANNOT] "), "{heard}");
    let heard = say(&mut wire, "SELECT INBOX").await;
    assert_eq!(heard, "t BAD log in first\r\n");
}

async fn one_time_code(house: &House, store: &Store, who: &Person) -> String {
    let code = Secret::code(&mut house.world.rng());
    let now = house.world.now();
    let issued = store
        .issue_code(who.account.id, Purpose::Add, &code, now)
        .await;
    issued.unwrap();
    code.reveal().to_owned()
}

#[tokio::test]
async fn a_session_is_told_that_the_server_goes_down() {
    let house = House::open().await;
    let alice = house.person("alice@example.com").await;
    let mut wire = in_inbox(&house, &alice).await;
    let ending = house.running.drain();
    let (heard, ()) = tokio::join!(hear_to(&mut wire, "* BYE "), ending);
    assert_eq!(heard, "* BYE this server goes down; come back later\r\n");
}
