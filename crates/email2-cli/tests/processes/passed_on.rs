//! A list of 50 members over 3 domains, and Alice's forwarding, with a program and a home for
//! everybody: each sees who wrote, who checked that, and the way (spec §10.3.4).

#![expect(clippy::indexing_slicing, reason = "a test may fail loudly")]

use email2_testbed::domain::Plan;
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::testbed::Testbed;
use serde_json::Value;

use super::program::{Home, ServerProcess};
use super::{only, set_up, text};

const DOMAINS: [&str; 3] = ["example.com", "example.org", "example.net"];
const MEMBERS: usize = 50;
/// Homes that are looked at together.
const AT_ONCE: usize = 4;
const LIST: &str = "club@example.com";

struct Town {
    servers: Vec<ServerProcess>,
    testbed: Testbed,
    _folder: tempfile::TempDir,
}

impl Town {
    fn start() -> Outcome<Town> {
        let folder = tempfile::tempdir().step("folder")?;
        let mut testbed = Testbed::start(folder.path())?;
        // What nobody else at example.com has is postmaster's.
        let catch_all = "local = true\ncatch_all = \"postmaster@example.com\"";
        let mut servers = Vec::new();
        for name in DOMAINS {
            let plan = Plan::new(name);
            servers.push(match name {
                "example.com" => {
                    let change = ("local = true", catch_all);
                    ServerProcess::start_changed(&mut testbed, &plan, change)?
                }
                _ => ServerProcess::start(&mut testbed, &plan)?,
            });
        }
        Ok(Town {
            servers,
            testbed,
            _folder: folder,
        })
    }

    fn server(&self, address: &str) -> Outcome<&ServerProcess> {
        let domain = address.rsplit('@').next().unwrap_or_default();
        let at = DOMAINS.iter().position(|name| *name == domain);
        self.servers.get(at.step(domain)?).step(domain)
    }

    fn home(&self, address: &str) -> Outcome<Home> {
        set_up(&self.testbed, self.server(address)?, address)
    }

    fn stop(self) -> Outcome<()> {
        self.servers.into_iter().try_for_each(ServerProcess::stop)
    }
}

/// Does the same for everybody, some at once.
fn each<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> Outcome<R> + Sync) -> Outcome<Vec<R>> {
    let share = all.len().div_ceil(AT_ONCE).max(1);
    std::thread::scope(|scope| {
        let work = &work;
        let shares: Vec<_> = all
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(work).collect::<Outcome<Vec<R>>>()))
            .collect();
        let mut done = Vec::new();
        for share in shares {
            done.extend(share.join().ok().step("a thread")??);
        }
        Ok(done)
    })
}

/// The messages of an inbox as soon as there is one.
fn inbox(home: &Home) -> Outcome<Value> {
    for _ in 0..200 {
        let inbox = home.run(&["inbox"])?;
        if inbox.as_array().is_some_and(|them| !them.is_empty()) {
            return Ok(inbox);
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    None.step("a message")
}

fn write(from: &Home, to: &str) -> Outcome<()> {
    let arguments = [
        "send",
        "--to",
        to,
        "--subject",
        "news",
        "--body",
        "All is well.\n",
    ];
    from.run(&[&arguments[..], &["--no-encrypt"]].concat())?;
    Ok(())
}

/// What a reader sees of Bob's letter that came over `address` of example.com: for people and for
/// programs, in the list and in the letter. Whose server asked Bob's itself sees him verified, the
/// others that example.com checked him.
fn sees_bob(home: &Home, address: &str, asked_itself: bool) -> Outcome<()> {
    let way = serde_json::json!([
        {"by": "@example.com", "address": address, "registered": true}
    ]);
    let checked = match asked_itself {
        true => Value::Null,
        false => serde_json::json!({"author": "bob@example.org", "by": "example.com"}),
    };
    let entry = only(&inbox(home)?)?;
    assert_eq!(entry["from"], "bob@example.org", "{entry}");
    assert_eq!(entry["verified"], asked_itself, "{entry}");
    assert_eq!(
        (&entry["checked"], &entry["way"]),
        (&checked, &way),
        "{entry}"
    );
    let line = home.page(&["inbox"])?;
    let (class, by) = match asked_itself {
        true => ("verified", "bob@example.org  news"),
        false => ("checked ", "bob@example.org [example.com]  news"),
    };
    assert!(line.starts_with(class) && line.contains(by), "{line}");
    let id = text(&entry["id"]);
    let letter = home.run(&["read", id])?;
    let verdict = &letter["verdict"];
    assert_eq!(
        (&verdict["checked"], &verdict["way"]),
        (&checked, &way),
        "{letter}"
    );
    let page = home.page(&["read", id])?;
    let first = match asked_itself {
        true => {
            "VERIFIED: from bob@example.org\nserver:  verified; author=bob@example.org; assurance="
        }
        false => "CHECKED by example.com, not verified: from bob@example.org\n",
    };
    assert!(page.starts_with(first), "{page}");
    let told = format!("\nway:     to {address}, passed on by example.com\n");
    assert!(page.contains(&told), "{page}");
    assert!(page.contains("| All is well."), "{page}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_50_members_over_3_domains_see_author_checker_and_way() {
    let town = Town::start().unwrap();
    let numbered = (1..MEMBERS).zip(DOMAINS.iter().cycle());
    let mut members: Vec<String> = numbered
        .map(|(number, domain)| format!("member{number}@{domain}"))
        .collect();
    members.push("bob@example.org".to_owned());
    assert_eq!(members.len(), MEMBERS);
    let homes = each(&members, |address| {
        let home = town.home(address)?;
        home.run(&["contact", "via", LIST])?;
        Ok(home)
    });
    let homes = homes.unwrap();
    let home_server = town.server(LIST).unwrap();
    let owner = ["--owner", "member1@example.com"];
    let create = [&["list", "create", LIST][..], &owner].concat();
    home_server.administer(&create).unwrap();
    let named: Vec<&str> = members.iter().map(String::as_str).collect();
    let add = [&["list", "add", LIST][..], &named].concat();
    let shown = home_server.administer(&add).unwrap();
    assert_eq!(shown["members"].as_array().unwrap().len(), MEMBERS);
    let bob = homes.last().unwrap();
    write(bob, LIST).unwrap();
    let everybody: Vec<(&String, &Home)> = members.iter().zip(&homes).collect();
    // Bob's own server knows him, the list's has asked it; example.net asked nobody.
    let seen = each(&everybody, |(address, home)| {
        sees_bob(home, LIST, !address.ends_with("@example.net"))
    });
    seen.unwrap();
    town.stop().unwrap();
}

/// Alice sets it herself, Carol takes it by a letter, and sees what came so.
#[tokio::test(flavor = "multi_thread")]
async fn carol_sees_by_whom_and_how_the_mail_came_that_alice_passes_on() {
    let town = Town::start().unwrap();
    let people = ["alice@example.com", "bob@example.org", "carol@example.net"];
    let homes = each(&people, |address| town.home(address)).unwrap();
    let [alice, bob, carol] = homes.as_slice() else {
        panic!("three homes");
    };
    let rule = alice
        .page(&["contact", "pass-on", "carol@example.net"])
        .unwrap();
    assert!(rule.contains("alice+confirm-forward@example.com"), "{rule}");
    carol.run(&["contact", "via", "alice@example.com"]).unwrap();
    write(carol, "alice+confirm-forward@example.com").unwrap();
    write(bob, "alice@example.com").unwrap();
    sees_bob(carol, "alice@example.com", false).unwrap();
    let left = alice.run(&["inbox"]).unwrap();
    assert_eq!(left, serde_json::json!([]), "nothing stays");
    town.stop().unwrap();
}

/// Whoever writes to an address that nobody has reaches whom the domain's catch-all names; no key
/// is told for it, so nothing is encrypted that they could not read (spec §14.1.4).
#[tokio::test(flavor = "multi_thread")]
async fn a_catch_all_gets_what_nobody_else_does() {
    let town = Town::start().unwrap();
    let people = ["postmaster@example.com", "bob@example.org"];
    let homes = each(&people, |address| town.home(address)).unwrap();
    let [postmaster, bob] = homes.as_slice() else {
        panic!("two homes");
    };
    let to = [
        "send",
        "--to",
        "no.such.person@example.com",
        "--subject",
        "hello",
    ];
    let sent = bob
        .run(&[&to[..], &["--body", "Anybody there?"]].concat())
        .unwrap();
    assert_eq!(sent[0]["state"], "delivered", "{sent}");
    assert_eq!(sent[0]["protection"], "signed", "{sent}");
    let entry = only(&inbox(postmaster).unwrap()).unwrap();
    assert_eq!(
        (&entry["from"], &entry["verified"]),
        (&"bob@example.org".into(), &true.into())
    );
    let letter = postmaster.run(&["read", text(&entry["id"])]).unwrap();
    assert_eq!(
        letter["to"][0]["address"], "no.such.person@example.com",
        "{letter}"
    );
    // At a domain without one nobody is there.
    let to = [
        "send",
        "--to",
        "no.such.person@example.net",
        "--subject",
        "hello",
    ];
    let body = ["--body", "Anybody there?"];
    let (code, _) = bob.refused(&[&to[..], &body].concat()).unwrap();
    assert_ne!(code, Some(0));
    town.stop().unwrap();
}
