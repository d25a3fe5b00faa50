//! What goes on from here (spec §14): rules, aliases, lists, and the reports about them, between
//! two domains of one server.

use std::time::Duration;

use email2_store::{Alias, AliasTarget, List, Member, Origin, Scope, Standing};

use crate::house::{House, Person};
use crate::wire::Wire;

/// Sets one of a person's settings.
pub(crate) async fn set(house: &House, who: &Person, name: &str, value: &str) {
    let scope = Scope::Account(who.account.id);
    let values = vec![(name.to_owned(), Some(value.as_bytes().to_vec()))];
    house.store.set(scope, values).await.unwrap();
}

/// A rule that its addresses took.
pub(crate) async fn forward(house: &House, who: &Person, rule: &str) {
    set(house, who, "forward", rule).await;
    set(house, who, "forward-confirmed", rule).await;
}

/// Gives a letter to the mail exchanger; its reply.
pub(crate) async fn letter(house: &House, from: &Person, to: &str, body: &str) -> String {
    let message = house.sealed(from, &[to], &from.letter(to, body));
    Wire::mx(house).await.deliver(from, &[to], &message).await
}

/// A letter whose subject is a command.
async fn command(house: &House, from: &Person, to: &str, subject: &str) -> String {
    let text = from.letter(to, "hi\r\n");
    let text = text.replace("Subject: hello", &format!("Subject: {subject}"));
    let message = house.sealed(from, &[to], &text);
    Wire::mx(house).await.deliver(from, &[to], &message).await
}

/// Waits until nothing is on its way any more, but what is held.
pub(crate) async fn settled(house: &House) {
    for _ in 0..400 {
        let entries = house.store.entries().await.unwrap();
        if entries.iter().all(|entry| entry.held) {
            return;
        }
        house.world.clock.sleep(Duration::from_millis(25)).await;
    }
    panic!("{:?}", house.store.entries().await);
}

/// The verdicts of an inbox, as they are shown.
pub(crate) async fn verdicts(house: &House, who: &Person) -> Vec<String> {
    let inbox = house.store.mailbox(who.account.id, "INBOX").await.unwrap();
    let messages = house.store.messages(inbox.unwrap().id).await.unwrap();
    let shown = |origin: &Origin| match origin {
        Origin::Accepted(provenance) => provenance.to_string(),
        other => format!("{other:?}"),
    };
    messages
        .iter()
        .map(|message| shown(&message.origin))
        .collect()
}

/// A list that anybody may join, not kept yet.
pub(crate) fn list_of(house: &House, address: &str, owner: &Person) -> List {
    List {
        address: address.parse().unwrap(),
        announcement: false,
        moderated: false,
        open: true,
        hidden: false,
        one_click: false,
        owner: owner.address.clone(),
        created: house.world.now(),
    }
}

pub(crate) async fn add_list(
    house: &House,
    address: &str,
    moderated: bool,
    owner: &Person,
) -> List {
    let list = List {
        moderated,
        ..list_of(house, address, owner)
    };
    house.store.add_list(&list).await.unwrap();
    list
}

pub(crate) async fn join(house: &House, list: &List, who: &Person, standing: Standing) {
    let member = Member {
        address: who.address.clone(),
        standing,
        since: house.world.now(),
    };
    house
        .store
        .set_member(&list.address, &member)
        .await
        .unwrap();
    set(house, who, "forwarders", &list.address.to_string()).await;
}

#[tokio::test]
async fn a_rule_passes_mail_on_and_its_author_stays_verified() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let carol = house.person("carol@example.org").await;
    forward(&house, &alice, "carol@example.org\n").await;
    set(&house, &carol, "forwarders", "alice@example.com").await;
    let reply = letter(&house, &bob, "alice@example.com", "hi\r\n").await;
    assert!(
        reply.starts_with("250 2.0.0 sealed by bob@example.org, stored as "),
        "it does not tell where the mail goes: {reply}"
    );
    settled(&house).await;
    assert!(house.inbox(&alice.account).await.is_empty());
    let inbox = house.inbox(&carol.account).await;
    let [(stored, verified)] = inbox.as_slice() else {
        panic!("{inbox:?}");
    };
    assert!(verified, "{stored}");
    assert_eq!(stored.matches("Email2-Seal:").count(), 2, "{stored}");
    assert!(stored.contains("Email2-Key: v=1; a=local;"), "{stored}");
    assert!(
        stored.starts_with("Return-Path: <alice@example.com>\r\n"),
        "{stored}"
    );
    assert!(!stored.contains("127.0.0.1"), "spec §4.14.1: {stored}");
    let shown = verdicts(&house, &carol).await;
    assert!(
        shown[0].starts_with("verified; author=bob@example.org; assurance=local;")
            && shown[0].ends_with("via=@example.com/alice@example.com"),
        "{shown:?}"
    );
}

/// A 250 was lost: the message comes again, and goes on once (spec §14.2.2).
#[tokio::test]
async fn what_comes_twice_goes_on_once() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let carol = house.person("carol@example.org").await;
    forward(&house, &alice, "carol@example.org\nkeep\n").await;
    set(&house, &carol, "forwarders", "alice@example.com").await;
    let to = "alice@example.com";
    let message = house.sealed(&bob, &[to], &bob.letter(to, "hi\r\n"));
    for _ in 0..2 {
        let reply = Wire::mx(&house).await.deliver(&bob, &[to], &message).await;
        assert!(reply.starts_with("250 "), "{reply}");
        settled(&house).await;
    }
    assert_eq!(house.inbox(&alice.account).await.len(), 1, "her copy");
    assert_eq!(house.inbox(&carol.account).await.len(), 1);
}

/// Case R10 and R11: forward alice → dave → alice. The second time her address refuses it; the
/// verified sender is told, by her domain, of her address and no other.
#[tokio::test]
async fn r10_a_loop_ends_and_its_sender_is_told() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let dave = house.person("dave@example.org").await;
    forward(&house, &alice, "dave@example.org\n").await;
    forward(&house, &dave, "alice@example.com\n").await;
    set(&house, &dave, "forwarders", "alice@example.com").await;
    letter(&house, &bob, "alice@example.com", "hi\r\n").await;
    settled(&house).await;
    let inbox = house.inbox(&bob.account).await;
    let [(report, verified)] = inbox.as_slice() else {
        panic!("{inbox:?}");
    };
    assert!(!verified, "a report is never verified");
    assert!(
        report.contains("Final-Recipient: rfc822; alice@example.com"),
        "{report}"
    );
    assert!(!report.contains("dave"), "spec §14.2.7: {report}");
    assert!(verdicts(&house, &bob).await[0].starts_with("service; domain=example.com"));
    assert!(house.inbox(&alice.account).await.is_empty());
    assert!(house.inbox(&dave.account).await.is_empty());
}

/// Case R10: our own Delivered-To is refused at once (spec §14.2.1).
#[tokio::test]
async fn r10_what_was_delivered_to_a_recipient_before_is_refused() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    house.person("alice@example.com").await;
    let to = "alice@example.com";
    let sealed = house.sealed(&bob, &[to], &bob.letter(to, "hi\r\n"));
    let again = format!("Delivered-To: alice@example.com\r\n{sealed}");
    let reply = Wire::mx(&house).await.deliver(&bob, &[to], &again).await;
    assert!(reply.starts_with("554 5.4.6 "), "{reply}");
}

/// Case R11: a forward that fails is reported to the author about the message as it had come,
/// and what its target's server said is not repeated.
#[tokio::test]
async fn r11_a_forward_that_fails_is_reported_and_hides_where_it_went() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    forward(&house, &alice, "hidden-away@example.org\n").await;
    letter(&house, &bob, "alice@example.com", "hi\r\n").await;
    settled(&house).await;
    let inbox = house.inbox(&bob.account).await;
    assert_eq!(inbox.len(), 1, "{inbox:?}");
    let report = &inbox[0].0;
    assert!(
        report.contains("Final-Recipient: rfc822; alice@example.com"),
        "{report}"
    );
    assert!(!report.contains("hidden-away"), "{report}");
    let quoted = report.split("text/rfc822-headers").nth(1).unwrap();
    assert_eq!(
        quoted.matches("Email2-Seal:").count(),
        1,
        "as it had come: {quoted}"
    );
    assert!(quoted.contains("Subject: hello"), "{quoted}");
}

/// Two domains refuse it, each for itself: the author wrote once, and hears once (spec §14.2.7).
#[tokio::test]
async fn r11_an_author_is_told_once_to_however_many_domains_it_went() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    forward(&house, &alice, "gone@example.org\ngone@example.com\n").await;
    letter(&house, &bob, "alice@example.com", "hi\r\n").await;
    settled(&house).await;
    let inbox = house.inbox(&bob.account).await;
    let [(report, _)] = inbox.as_slice() else {
        panic!("{inbox:?}");
    };
    let about = "Final-Recipient: rfc822; alice@example.com";
    assert_eq!(report.matches("Final-Recipient:").count(), 1, "{report}");
    assert!(
        report.contains(about) && !report.contains("gone@"),
        "{report}"
    );
}

/// Whoever is forwarded by a registered domain, but not from the registered address, reaches no
/// Inbox: nobody re-aims Bob's mail unseen (spec §4.6.4).
#[tokio::test]
async fn another_user_of_a_registered_forwarder_re_aims_nothing() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let eve = house.person("eve@example.com").await;
    let carol = house.person("carol@example.org").await;
    set(&house, &carol, "forwarders", "alice@example.com").await;
    forward(&house, &eve, "carol@example.org\n").await;
    letter(&house, &bob, "eve@example.com", "hi\r\n").await;
    settled(&house).await;
    assert!(house.inbox(&carol.account).await.is_empty());
}

/// A rule holds when the owner of the address took it, by a sealed letter (spec §14.2.3).
#[tokio::test]
async fn a_rule_waits_for_the_owner_of_the_address() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let carol = house.person("carol@example.org").await;
    set(&house, &carol, "forwarders", "alice@example.com").await;
    set(&house, &alice, "forward", "carol@example.org\n").await;
    letter(&house, &bob, "alice@example.com", "one\r\n").await;
    settled(&house).await;
    assert_eq!(house.inbox(&alice.account).await.len(), 1);
    assert!(house.inbox(&carol.account).await.is_empty());
    let take = "alice+confirm-forward@example.com";
    let reply = letter(&house, &bob, take, "no\r\n").await;
    assert!(reply.starts_with("550 5.1.1 "), "{reply}");
    // What Carol wrote to somebody else, passed on to the address by Alice's own mediator.
    let eve = house.person("eve@example.org").await;
    forward(&house, &eve, take).await;
    set(&house, &alice, "forwarders", "eve@example.org").await;
    letter(&house, &carol, "eve@example.org", "hello\r\n").await;
    settled(&house).await;
    let key = "forward-confirmed";
    let scope = Scope::Account(alice.account.id);
    assert_eq!(house.store.setting(scope, key).await.unwrap(), None);
    let reply = letter(&house, &carol, take, "yes\r\n").await;
    assert_eq!(
        reply,
        "250 2.0.0 mail for alice@example.com is passed on to you\r\n"
    );
    letter(&house, &bob, "alice@example.com", "two\r\n").await;
    settled(&house).await;
    assert_eq!(house.inbox(&alice.account).await.len(), 1);
    let carols = house.inbox(&carol.account).await;
    let verified = carols.iter().filter(|(_, verified)| *verified);
    assert_eq!(
        verified.count(),
        1,
        "beside the report about Eve: {carols:?}"
    );
}

#[tokio::test]
async fn aliases_and_tags_lead_to_mailboxes() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let carol = house.person("carol@example.org").await;
    let now = house.world.now();
    for (address, target) in [
        (
            "sales@example.com",
            AliasTarget::Account {
                address: alice.address.clone(),
                linked: true,
            },
        ),
        (
            "away@example.com",
            AliasTarget::Elsewhere(vec![carol.address.clone()]),
        ),
    ] {
        let alias = Alias {
            address: address.parse().unwrap(),
            target,
            created: now,
        };
        house.store.add_alias(&alias).await.unwrap();
        let again = house.store.add_alias(&alias).await;
        assert!(again.is_err(), "one address names one thing");
    }
    set(&house, &carol, "forwarders", "away@example.com").await;
    for to in [
        "sales@example.com",
        "alice+news@example.com",
        "away@example.com",
    ] {
        let reply = letter(&house, &bob, to, "hi\r\n").await;
        assert!(reply.starts_with("250 "), "{to}: {reply}");
    }
    settled(&house).await;
    assert_eq!(house.inbox(&alice.account).await.len(), 2);
    let inbox = house.inbox(&carol.account).await;
    assert_eq!(inbox.len(), 1);
    assert!(inbox[0].1, "{inbox:?}");
    let reply = Wire::mx(&house).await.ask("KEY <sales@example.com>").await;
    assert!(reply.starts_with("250-2.0.0 "), "{reply}");
    let reply = Wire::mx(&house).await.ask("KEY <away@example.com>").await;
    assert!(reply.starts_with("550 "), "{reply}");
}

#[tokio::test]
async fn a_transaction_has_one_recipient_whose_mail_goes_on() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    house.person("carol@example.com").await;
    house.person("dave@example.org").await;
    forward(&house, &alice, "dave@example.org\n").await;
    let mut wire = Wire::mx(&house).await;
    wire.ask(&bob.announces()).await;
    assert_eq!(wire.code("RCPT TO:<carol@example.com>").await, "250");
    let apart = wire.ask("RCPT TO:<alice@example.com>").await;
    assert!(apart.starts_with("452 4.5.3 "), "{apart}");
}

#[tokio::test]
async fn a_list_sends_to_its_members_and_its_author_stays_verified() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let carol = house.person("carol@example.org").await;
    let list = add_list(&house, "club@example.com", false, &alice).await;
    for who in [&bob, &alice, &carol] {
        join(&house, &list, who, Standing::Member).await;
    }
    letter(&house, &bob, "club@example.com", "hi\r\n").await;
    settled(&house).await;
    for who in [&bob, &alice, &carol] {
        let inbox = house.inbox(&who.account).await;
        assert_eq!(inbox.len(), 1, "{}", who.address);
        let (stored, verified) = &inbox[0];
        assert!(verified, "{stored}");
        let seals: Vec<&str> = stored.split("Email2-Seal:").collect();
        assert_eq!(seals.len(), 3, "{stored}");
        for field in [
            "List-Id: <club.example.com>\r\n",
            "List-Post: <mailto:club@example.com>\r\n",
            "List-Help: <mailto:club-request@example.com?subject=help>\r\n",
            "List-Owner: <mailto:alice@example.com>\r\n",
            "List-Subscribe: <mailto:club-request@example.com?subject=subscribe>\r\n",
            "List-Unsubscribe: <mailto:club-request@example.com?subject=unsubscribe>\r\n",
            "Precedence: list\r\n",
        ] {
            assert!(seals[1].contains(field), "between the seals: {stored}");
        }
        assert!(!stored.contains("Sender:"), "{stored}");
    }
    let shown = verdicts(&house, &carol).await;
    assert!(
        shown[0].starts_with("verified; author=bob@example.org;")
            && shown[0].ends_with("via=@example.com/club@example.com"),
        "{shown:?}"
    );
}

/// Who is no member, what is not sealed for the list, and the list itself (case R10).
#[tokio::test]
async fn a_list_takes_letters_of_members_only() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let eve = house.person("eve@example.org").await;
    let list = add_list(&house, "club@example.com", false, &alice).await;
    join(&house, &list, &bob, Standing::Member).await;
    let reply = letter(&house, &eve, "club@example.com", "hi\r\n").await;
    assert_eq!(
        reply,
        "550 5.7.1 Only members who may write to club@example.com can\r\n"
    );
    // Eve passes Bob's letter to her on to the list: it was not written to the list.
    forward(&house, &eve, "club@example.com\n").await;
    letter(&house, &bob, "eve@example.org", "secret\r\n").await;
    settled(&house).await;
    let member = Member {
        address: list.address.clone(),
        standing: Standing::Member,
        since: 0,
    };
    house
        .store
        .set_member(&list.address, &member)
        .await
        .unwrap();
    letter(&house, &bob, "club@example.com", "round\r\n").await;
    settled(&house).await;
    let bobs = house.inbox(&bob.account).await;
    let from_list = bobs.iter().filter(|(text, _)| text.contains("List-Id: "));
    let texts: Vec<&String> = from_list.map(|(text, _)| text).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(!texts[0].contains("secret"));
    // The list's own failing is told to its owner, and to nobody else.
    let owners = house.inbox(&alice.account).await;
    assert!(
        owners.iter().any(|(text, _)| text.contains("5.4.6")),
        "{owners:?}"
    );
}

#[tokio::test]
async fn members_come_and_go_by_sealed_letters() {
    let house = House::open().await;
    let alice = house.person("alice@example.com").await;
    let carol = house.person("carol@example.org").await;
    let list = add_list(&house, "club@example.com", false, &alice).await;
    let office = "club-request@example.com";
    let reply = command(&house, &carol, office, "subscribe").await;
    assert!(
        reply.starts_with("250 2.0.0 you are a member of this list now, "),
        "{reply}"
    );
    settled(&house).await;
    let members = house.store.members(&list.address).await.unwrap();
    assert_eq!(members.len(), 1);
    let inbox = house.inbox(&carol.account).await;
    assert_eq!(inbox.len(), 1, "the list answers");
    assert!(inbox[0].1, "sealed by the office: {inbox:?}");
    assert!(inbox[0].0.contains("Auto-Submitted: auto-replied"));
    assert!(inbox[0].0.starts_with("Return-Path: <>\r\n"), "{inbox:?}");
    // Nobody encrypts to the office.
    let key = Wire::mx(&house).await.ask(&format!("KEY <{office}>")).await;
    assert!(key.starts_with("550 "), "{key}");
    command(&house, &carol, office, "unsubscribe").await;
    assert!(house.store.members(&list.address).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_moderator_decides_what_goes_to_the_list() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let list = add_list(&house, "club@example.com", true, &alice).await;
    join(&house, &list, &bob, Standing::Member).await;
    join(&house, &list, &alice, Standing::Moderator).await;
    for body in ["one\r\n", "two\r\n"] {
        letter(&house, &bob, "club@example.com", body).await;
    }
    settled(&house).await;
    assert!(house.inbox(&bob.account).await.is_empty(), "they wait");
    let asked = house.inbox(&alice.account).await;
    assert_eq!(asked.len(), 2);
    let number = |text: &str| {
        let after = text.split("approve ").nth(1).unwrap();
        after.split_whitespace().next().unwrap().to_owned()
    };
    let office = "club-request@example.com";
    let approve = format!("approve {}", number(&asked[0].0));
    let reply = command(&house, &bob, office, &approve).await;
    assert!(reply.contains("only moderators"), "{reply}");
    let reply = command(&house, &alice, office, &approve).await;
    assert!(reply.contains("it was sent to the list"), "{reply}");
    let reject = format!("reject {}", number(&asked[1].0));
    let reply = command(&house, &alice, office, &reject).await;
    assert!(reply.contains("it was dropped"), "{reply}");
    settled(&house).await;
    let got = house.inbox(&bob.account).await;
    let letters = got.iter().filter(|(text, _)| text.contains("List-Id: "));
    assert_eq!(letters.count(), 1, "{got:?}");
    assert!(house.store.entries().await.unwrap().is_empty());
}

/// Once a week, to whoever wrote to her herself; never by a list, never to a program (case R10).
#[tokio::test]
async fn r10_who_is_away_answers_once_and_no_machine() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let carol = house.person("carol@example.org").await;
    let account = house.account("alice@example.com", None).await;
    let (now, mut rng) = (house.world.now(), house.world.rng());
    let data = house.folder.path().join("data");
    let held = email2d::held_key::hold(&data, &house.store, &account, now, &mut rng);
    held.await.unwrap();
    let alice = Person {
        address: account.address.clone(),
        account,
        secret: bob.secret.clone(),
        token: String::new(),
    };
    set(&house, &alice, "vacation", "I am away.\n").await;
    let list = add_list(&house, "club@example.com", false, &carol).await;
    join(&house, &list, &alice, Standing::Member).await;
    join(&house, &list, &carol, Standing::Member).await;
    letter(&house, &carol, "club@example.com", "to all\r\n").await;
    for body in ["one\r\n", "two\r\n"] {
        letter(&house, &bob, "alice@example.com", body).await;
        settled(&house).await;
    }
    let automatic = bob.letter("alice@example.com", "three\r\n");
    let automatic = format!("Auto-Submitted: auto-generated\r\n{automatic}");
    let message = house.sealed(
        &carol,
        &["alice@example.com"],
        &automatic.replace("bob@", "carol@"),
    );
    let mut wire = Wire::mx(&house).await;
    let reply = wire.deliver(&carol, &["alice@example.com"], &message).await;
    assert!(reply.starts_with("250 "), "{reply}");
    settled(&house).await;
    assert_eq!(house.inbox(&alice.account).await.len(), 4);
    let answers = house.inbox(&bob.account).await;
    let [(answer, verified)] = answers.as_slice() else {
        panic!("{answers:?}");
    };
    assert!(verified, "{answer}");
    for part in [
        "From: alice@example.com\r\n",
        "Subject: Auto: hello\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "In-Reply-To: <1@x>\r\n",
        "\r\n\r\nI am away.\r\n",
    ] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    let carols = house.inbox(&carol.account).await;
    assert_eq!(carols.len(), 1, "by the list only: {carols:?}");
}

/// Case C13: a list keeps every octet below its seal, a line that begins with "From " too
/// (spec §14.4.2).
#[tokio::test]
async fn c13_a_list_keeps_every_octet() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let carol = house.person("carol@example.org").await;
    let list = add_list(&house, "club@example.com", false, &bob).await;
    join(&house, &list, &bob, Standing::Member).await;
    join(&house, &list, &carol, Standing::Member).await;
    let to = "club@example.com";
    let text = bob.letter(to, "From here on\r\n.\r\n  \r\n\tend \r\n");
    let message = house.sealed(&bob, &[to], &text);
    Wire::mx(&house).await.deliver(&bob, &[to], &message).await;
    settled(&house).await;
    let inbox = house.inbox(&carol.account).await;
    assert_eq!(inbox.len(), 1);
    assert!(inbox[0].0.ends_with(&message), "{}", inbox[0].0);
    assert!(inbox[0].1);
}

/// Two lists that have each other as members, put there by an owner of elsewhere: each letter
/// goes round once, its author gets it once, and the owners are told (case R10).
#[tokio::test]
async fn r10_two_lists_that_are_members_of_each_other_send_nothing_round() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let club = add_list(&house, "club@example.com", false, &alice).await;
    let staff = add_list(&house, "staff@example.org", false, &alice).await;
    for (list, other) in [(&club, &staff), (&staff, &club)] {
        join(&house, list, &bob, Standing::Member).await;
        let member = Member {
            address: other.address.clone(),
            standing: Standing::Member,
            since: 0,
        };
        let set = house.store.set_member(&list.address, &member).await;
        set.unwrap();
    }
    set(
        &house,
        &bob,
        "forwarders",
        "club@example.com\nstaff@example.org",
    )
    .await;
    letter(&house, &bob, "club@example.com", "round\r\n").await;
    settled(&house).await;
    let got = house.inbox(&bob.account).await;
    assert_eq!(got.len(), 1, "{got:?}");
    let told = house.inbox(&alice.account).await;
    let [(report, _)] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert!(
        report.contains("Final-Recipient: rfc822; staff@example.org\r\n"),
        "{report}"
    );
}

/// The administrator decides in a moderator's place, by what the store shows.
#[tokio::test]
async fn what_waits_is_shown_in_the_store_with_its_number() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let list = add_list(&house, "club@example.com", true, &alice).await;
    join(&house, &list, &bob, Standing::Member).await;
    letter(&house, &bob, "club@example.com", "one\r\n").await;
    let waiting = house.store.waiting(&list.address).await.unwrap();
    let [one] = waiting.as_slice() else {
        panic!("{waiting:?}");
    };
    assert_eq!(one.entries, 1);
    let held = house.store.held(&list.address, &one.group).await.unwrap();
    assert_eq!(held, [one.entry]);
}

/// Whose key is on their own devices is answered for by an address that says so (spec §14.3.1):
/// nobody answers in somebody's name.
#[tokio::test]
async fn who_keeps_their_key_is_answered_for_by_an_address_beside_theirs() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    set(&house, &alice, "vacation", "I am away.\n").await;
    set(&house, &alice, "vacation-days", "1").await;
    letter(&house, &bob, "alice@example.com", "one\r\n").await;
    settled(&house).await;
    let shown = verdicts(&house, &bob).await;
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(
        shown[0].starts_with("verified; author=alice+away@example.com;"),
        "{shown:?}"
    );
    let (answer, _) = house.inbox(&bob.account).await.remove(0);
    assert!(
        answer.contains("From: alice+away@example.com\r\n"),
        "{answer}"
    );
    // Nobody encrypts to it: a writer is answered with her own certificate.
    let key = Wire::mx(&house)
        .await
        .ask("KEY <alice+away@example.com>")
        .await;
    assert!(key.starts_with("250-2.0.0 "), "{key}");
    let hers = Wire::mx(&house).await.ask("KEY <alice@example.com>").await;
    assert_eq!(key, hers);
    // What is answered to it reaches her, and is not answered again.
    letter(&house, &bob, "alice+away@example.com", "thanks\r\n").await;
    settled(&house).await;
    assert_eq!(house.inbox(&alice.account).await.len(), 2);
    assert_eq!(verdicts(&house, &bob).await.len(), 1);
}

/// To whoever the person did not write to openly nobody answers: a blind copy, a reverse-path
/// that is not the author's, a list (RFC 5230 §4.5, spec §14.3.2).
#[tokio::test]
async fn only_who_wrote_to_the_person_by_name_is_answered() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    set(&house, &alice, "vacation", "I am away.\n").await;
    let to = "alice@example.com";
    let blind = bob.letter("carol@example.com", "blind\r\n");
    let listed = format!("Precedence: bulk\r\n{}", bob.letter(to, "bulk\r\n"));
    let automatic = format!(
        "Auto-Submitted: auto-notified\r\n{}",
        bob.letter(to, "x\r\n")
    );
    for text in [blind, listed, automatic] {
        let message = house.sealed(&bob, &[to], &text);
        let reply = Wire::mx(&house).await.deliver(&bob, &[to], &message).await;
        assert!(reply.starts_with("250 "), "{reply}");
    }
    settled(&house).await;
    assert_eq!(house.inbox(&alice.account).await.len(), 3);
    assert!(house.inbox(&bob.account).await.is_empty());
}
