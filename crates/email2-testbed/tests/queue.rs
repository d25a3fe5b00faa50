//! The server's queue over simulated days: domains that are down, put off, hang or lie; who is
//! told what (spec §12.5).

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "queue/behind.rs"]
mod behind;
#[path = "queue/exchanger.rs"]
mod exchanger;
#[path = "queue/office.rs"]
mod office;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use email2::address::{Address, Identity, ReversePath};
use email2::limits;
use email2::seal::Role;

use exchanger::{Act, Exchanger, Step};
use office::{OTHERS, Office, other, people};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn s07_who_is_refused_is_reported_and_the_others_have_it_once() {
    let exchanger = Exchanger::with(Vec::new());
    let unknown = "nobody@example.net".to_owned();
    exchanger.unknown.lock().unwrap().push(unknown.clone());
    let office = Office::open(Some(&exchanger));
    let mut three = people(2);
    three.push(unknown);
    let all = three.clone();
    // One entry for three.
    office.queue_as(&three[..1], "", |entry| {
        let first = entry.recipients[0].clone();
        entry.recipients = all
            .iter()
            .map(|to| {
                let mut recipient = first.clone();
                recipient.address = email2::Address::parse(to).unwrap();
                recipient
            })
            .collect();
    });
    office.pass(HOUR);
    assert_eq!(office.waiting(), []);
    assert_eq!(exchanger.taken.lock().unwrap().len(), 1, "one transaction");
    assert_eq!(exchanger.taken_by("dave0@example.net"), 1);
    assert_eq!(exchanger.taken_by("dave1@example.net"), 1);
    let inbox = office.inbox("bob@example.org");
    assert_eq!(inbox.len(), 1, "{inbox:?}");
    for part in [
        "Final-Recipient: rfc822; nobody@example.net\r\n",
        "Action: failed\r\nStatus: 5.1.1\r\n",
        "550 5.1.1 no such person",
    ] {
        assert!(inbox[0].contains(part), "{part:?} in {}", inbox[0]);
    }
    assert!(
        !inbox[0].contains("dave"),
        "the others are nobody's business"
    );
}

#[test]
fn s13_a_thousand_letters_wait_behind_one_probe() {
    let says = |step, reply| Some((step, Act::Says(reply)));
    let exchanger = Exchanger::with(vec![
        says(
            Step::Mail,
            "450 4.7.1 greylisted, come back in 300 seconds\r\n",
        ),
        says(
            Step::Recipient,
            "451 4.7.1 greylisted, come back in 300 seconds\r\n",
        ),
        says(Step::End, "451 4.7.1 once more\r\n"),
        says(Step::Greeting, "421 4.3.2 too busy\r\n"),
    ]);
    let office = Office::open(Some(&exchanger));
    office.queue(&people(1000));
    office.pass(10 * MINUTE);
    let visits = exchanger.visits.lock().unwrap().clone();
    assert_eq!(visits.len(), 4, "one probe at a time: {visits:?}");
    let pauses: Vec<u64> = visits
        .windows(2)
        .map(|two| (two[1].at - two[0].at).as_secs())
        .collect();
    assert!((45..=80).contains(&pauses[0]), "{pauses:?}");
    assert!((90..=155).contains(&pauses[1]), "{pauses:?}");
    assert!((180..=305).contains(&pauses[2]), "{pauses:?}");
    let reasons = office.reasons();
    for (reason, part) in reasons.iter().zip([
        "mail.example.net, at MAIL: 450 4.7.1 greylisted",
        "mail.example.net, at RCPT: 451 4.7.1 greylisted",
        "mail.example.net, at the end of the content: 451 4.7.1 once more",
    ]) {
        assert!(reason.contains(part), "{part:?} in {reasons:?}");
    }
    office.pass(HOUR);
    assert_eq!(office.waiting(), []);
    assert_eq!(exchanger.taken.lock().unwrap().len(), 1000);
}

/// A dialogue takes one message after the other (RFC 5321 §3.3). A host that hangs up between two
/// of them has refused neither: both arrive at once, and each once.
#[test]
fn letters_for_one_domain_share_a_few_connections() {
    for (messages, connections) in [(None, 1..=8), (Some(3), 67..=90)] {
        let exchanger = Arc::new(Exchanger {
            messages,
            ..Exchanger::default()
        });
        let office = Office::open(Some(&exchanger));
        let letters = people(200);
        office.queue(&letters);
        // No time for a second attempt.
        office.pass(MINUTE);
        assert_eq!(office.waiting(), [], "{messages:?}");
        for to in &letters {
            assert_eq!(exchanger.taken_by(to), 1, "{messages:?}: {to}");
        }
        let came = exchanger.visits.lock().unwrap().len();
        assert!(connections.contains(&came), "{messages:?}: {came}");
    }
}

/// A reply too many is not taken for one to the next message (spec §12.5.11).
#[test]
fn who_answers_more_than_was_asked_gets_the_next_letter_over_a_new_connection() {
    let twice = Act::Says("250 2.0.0 taken\r\n250 2.0.0 and once more\r\n");
    let exchanger = Exchanger::with(vec![Some((Step::End, twice))]);
    let office = Office::open(Some(&exchanger));
    office.queue(&people(10));
    office.pass(MINUTE);
    assert_eq!(office.waiting(), []);
    // It keeps nothing of that first connection.
    assert_eq!(exchanger.taken.lock().unwrap().len(), 9);
}

#[test]
fn a_host_that_hangs_at_any_step_costs_bounded_time_and_says_where() {
    let (reply, data) = (limits::REPLY_TIMEOUT, limits::DATA_START_TIMEOUT);
    for (step, patience, words) in [
        (Step::Greeting, reply, "mail.example.net: no reply in time"),
        (Step::Hello, reply, "mail.example.net: no reply in time"),
        (
            Step::Mail,
            reply,
            "mail.example.net, at MAIL: no reply in time",
        ),
        (
            Step::Recipient,
            reply,
            "mail.example.net, at RCPT: no reply in time",
        ),
        (
            Step::Data,
            data,
            "mail.example.net, at DATA: no reply in time",
        ),
        (
            Step::End,
            limits::DATA_END_TIMEOUT,
            "mail.example.net, at the end of the content: no reply in time",
        ),
    ] {
        let exchanger = Exchanger::with(vec![Some((step, Act::Hangs))]);
        let office = Office::open(Some(&exchanger));
        office.queue(&people(1));
        // The queue is looked at within 15 seconds; the next attempt is 45 later at the earliest.
        office.pass(Duration::from_secs(patience + 30));
        assert_eq!(office.waiting().len(), 1, "{step:?}");
        assert_eq!(office.reasons(), [words], "{step:?}");
        office.pass(HOUR);
        assert_eq!(office.waiting(), [], "{step:?}");
        assert_eq!(exchanger.taken_by("dave0@example.net"), 1, "{step:?}");
    }
}

#[test]
fn a_host_that_lies_floods_or_hangs_up_is_tried_again() {
    let large = "and so on, and so on, and so on\r\n".repeat(64 * 1024);
    let large = format!("From: bob@example.org\r\nSubject: long\r\n\r\n{large}");
    let large: &'static str = Box::leak(large.into_boxed_str());
    for (step, at) in [
        (Step::Greeting, vec![""]),
        (Step::Hello, vec![""]),
        (Step::Mail, vec![", at MAIL"]),
        (Step::Data, vec![", at DATA"]),
        // Wherever in the content it is noticed.
        (
            Step::Content,
            vec![", at the content", ", at the end of the content"],
        ),
        (Step::End, vec![", at the end of the content"]),
    ] {
        for (act, fault) in [
            (Act::Garbage, "the reply is not in the form of RFC 5321"),
            (Act::Floods, "the server answered with more than 64 KiB"),
            (Act::HangsUp, "the connection ended before the reply came"),
        ] {
            let exchanger = Exchanger::with(vec![Some((step, act.clone()))]);
            let mut office = Office::open(Some(&exchanger));
            if step == Step::Content {
                office.text = large;
            }
            office.queue(&people(1));
            // The queue is looked at within 15 seconds; what is at fault shows at once.
            office.pass(Duration::from_secs(30));
            // A large message is still on its way then, at the pace of the network there.
            for _ in 0..60 {
                if !office.reasons().is_empty() {
                    break;
                }
                office.pass(Duration::from_secs(10));
            }
            assert_eq!(office.waiting().len(), 1, "{step:?} {act:?}");
            let reasons = office.reasons();
            assert_eq!(reasons.len(), 1, "{step:?} {act:?}: {reasons:?}");
            let said = |at: &&str| reasons[0] == format!("mail.example.net{at}: {fault}");
            assert!(at.iter().any(said), "{step:?} {act:?}: {reasons:?}");
            office.pass(HOUR);
            assert_eq!(office.waiting(), [], "{step:?} {act:?}");
            assert_eq!(
                exchanger.taken_by("dave0@example.net"),
                1,
                "{step:?} {act:?}"
            );
        }
    }
}

#[test]
fn s14_after_250_it_is_delivered_whatever_follows() {
    let exchanger = Exchanger::with(vec![Some((
        Step::End,
        Act::Says("250 2.0.0 taken\r\n\r\n421 what is this\r\n"),
    ))]);
    let office = Office::open(Some(&exchanger));
    office.queue(&people(1));
    office.pass(HOUR);
    assert_eq!(office.waiting(), []);
    assert_eq!(exchanger.visits.lock().unwrap().len(), 1);
}

#[test]
fn what_the_next_host_cannot_carry_is_returned_with_the_right_code() {
    let exchanger = Arc::new(Exchanger {
        old: true,
        ..Exchanger::default()
    });
    let office = Office::open(Some(&exchanger));
    office.queue_as(&people(1), "8bitmime", |_| {});
    office.queue_as(&people(2)[1..], "smtputf8", |_| {});
    office.pass(HOUR);
    assert_eq!(office.waiting(), []);
    assert_eq!(exchanger.taken.lock().unwrap().len(), 0);
    let inbox = office.inbox("bob@example.org").join("\n");
    assert!(inbox.contains("Status: 5.6.3\r\n"), "{inbox}");
    assert!(inbox.contains("Status: 5.6.7\r\n"), "{inbox}");
}

#[test]
fn a_domain_down_for_two_days_gets_everything_once() {
    let exchanger = Exchanger::with(Vec::new());
    let mut office = Office::open(None);
    let all = people(200);
    office.queue(&all);
    office.pass(48 * HOUR);
    assert_eq!(office.waiting().len(), 200);
    let told = office.inbox("bob@example.org");
    assert_eq!(told.len(), 200, "each author is told once that it is late");
    assert!(
        told.iter()
            .all(|report| report.contains("Action: delayed\r\n"))
    );
    office.put_up(&exchanger);
    office.pass(6 * HOUR);
    assert_eq!(office.waiting(), []);
    for to in &all {
        assert_eq!(exchanger.taken_by(to), 1, "{to}");
    }
    assert_eq!(
        office.inbox("bob@example.org").len(),
        200,
        "and nothing more"
    );
}

#[test]
fn what_nobody_takes_for_five_days_is_returned_with_the_reason() {
    let office = Office::open(None);
    office.queue(&people(30));
    office.pass(Duration::from_secs(limits::QUEUE_LIFETIME) + HOUR);
    assert_eq!(office.waiting(), []);
    let inbox = office.inbox("bob@example.org");
    let is_final = |report: &&String| report.contains("Action: failed\r\nStatus: 4.4.7\r\n");
    let failed: Vec<&String> = inbox.iter().filter(is_final).collect();
    assert_eq!(failed.len(), 30);
    assert!(
        failed
            .iter()
            .all(|report| report.contains("mail.example.net"))
    );
}

/// Nobody here can seal it again: its author gets it back, with what the last attempt met.
#[test]
fn what_came_sealed_is_returned_with_the_reason_when_its_seal_ends() {
    let office = Office::open(None);
    let life = 2 * HOUR;
    office.queue_as(&people(1), "", |entry| {
        entry.announced = sealed_by_bob();
        entry.expires = entry.created + life.as_secs();
    });
    office.pass(HOUR);
    assert_eq!(office.waiting().len(), 1);
    office.pass(2 * HOUR);
    assert_eq!(office.waiting(), []);
    let inbox = office.inbox("bob@example.org");
    assert_eq!(inbox.len(), 1, "{inbox:?}");
    let report = &inbox[0];
    assert!(
        report.contains("Action: failed\r\nStatus: 4.4.7\r\n"),
        "{report}"
    );
    assert!(report.contains("mail.example.net"), "{report}");
}

#[test]
fn s15_a_report_that_nobody_takes_is_dropped_after_its_time_and_causes_none() {
    let office = Office::open(None);
    office.queue_as(&people(10), "", |entry| entry.mail_from = ReversePath::Null);
    office.pass(Duration::from_secs(limits::QUEUE_LIFETIME) + HOUR);
    assert_eq!(office.waiting(), []);
    assert!(office.inbox("bob@example.org").is_empty());
}

#[test]
fn r11_a_refused_report_causes_none_and_one_with_a_sender_is_ordinary_mail() {
    let exchanger = Exchanger::with(Vec::new());
    let unknown = people(2);
    exchanger.unknown.lock().unwrap().extend(unknown.clone());
    let office = Office::open(Some(&exchanger));
    office.queue_as(&unknown[..1], "", |entry| {
        entry.mail_from = ReversePath::Null
    });
    office.queue(&unknown[1..]);
    office.pass(HOUR);
    assert_eq!(office.waiting(), []);
    let inbox = office.inbox("bob@example.org");
    assert_eq!(inbox.len(), 1, "for the one with a sender");
    assert!(inbox[0].contains("dave1@example.net"), "{}", inbox[0]);
}

#[test]
fn a_dead_domain_delays_no_other() {
    let office = Office::open(None);
    office.queue(&people(5000));
    office.pass(MINUTE);
    let alice = vec!["nobody@example.com".to_owned()];
    office.queue(&alice);
    office.pass(MINUTE);
    let waiting = office.waiting();
    assert_eq!(waiting.len(), 5000, "the other one has its answer");
}

fn sealed_by_bob() -> Option<(Role, Identity)> {
    let bob = Address::parse("bob@example.org").unwrap();
    Some((Role::Author, Identity::Address(bob)))
}

/// spec §12.5.1, §12.5.2.
#[test]
fn sealed_mail_leaves_for_an_ordinary_domain_unless_its_author_demands_otherwise() {
    let exchanger = Exchanger::with(Vec::new());
    let mut office = Office::open(Some(&exchanger));
    let two = people(2);
    office.queue_as(&two[..1], "", |entry| entry.announced = sealed_by_bob());
    office.text = "Email2-Required: yes\r\nFrom: bob@example.org\r\n\r\nSecret.\r\n";
    office.queue_as(&two[1..], "", |entry| entry.announced = sealed_by_bob());
    office.pass(HOUR);
    assert_eq!(office.waiting(), []);
    let taken = exchanger.taken.lock().unwrap().clone();
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert_eq!(taken[0].0, ["dave0@example.net"]);
    let inbox = office.inbox("bob@example.org");
    assert_eq!(inbox.len(), 1);
    assert!(inbox[0].contains("Status: 5.6.7\r\n"), "{}", inbox[0]);
    let why = "demands Email 2.0 all the way and example.net does not speak it";
    assert!(inbox[0].contains(why), "{}", inbox[0]);
}

/// spec §12.5.8.
#[test]
fn an_author_elsewhere_is_told_of_what_was_sealed_only() {
    let exchanger = Exchanger::with(Vec::new());
    let two = people(2);
    exchanger.unknown.lock().unwrap().extend(two.clone());
    let mut office = Office::open(Some(&exchanger));
    office.take_down("example.com");
    let alice = || ReversePath::Address(Address::parse("alice@example.com").unwrap());
    office.queue_as(&two[..1], "", |entry| entry.mail_from = alice());
    office.queue_as(&two[1..], "", |entry| {
        entry.mail_from = alice();
        entry.announced = sealed_by_bob();
    });
    office.pass(HOUR);
    let waiting = office.waiting();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    let report = &waiting[0];
    assert_eq!(report.mail_from, ReversePath::Null);
    assert_eq!(
        report.recipients[0].address.to_string(),
        "alice@example.com"
    );
    let service = Identity::Service(email2::Domain::parse("example.org").unwrap());
    assert_eq!(report.announced, Some((Role::Service, service)));
}

#[test]
fn what_is_held_back_waits_until_it_is_released() {
    let exchanger = Exchanger::with(Vec::new());
    let mut office = Office::open(None);
    office.queue(&people(3));
    let store = office.store("example.org");
    let ids: Vec<_> = office.waiting().iter().map(|entry| entry.id).collect();
    let held = futures::FutureExt::now_or_never(store.hold(&ids[1..], true, office.now()));
    assert_eq!(held.unwrap().unwrap(), 2);
    office.put_up(&exchanger);
    office.pass(HOUR);
    assert_eq!(office.waiting().len(), 2);
    let released = futures::FutureExt::now_or_never(store.hold(&ids, false, office.now()));
    assert_eq!(released.unwrap().unwrap(), 2);
    office.pass(HOUR);
    assert_eq!(office.waiting(), []);
    assert_eq!(exchanger.taken.lock().unwrap().len(), 3);
}

/// Leases go by the wall clock (spec §12.5.6).
#[test]
fn a_clock_that_jumps_lets_nobody_claim_what_is_under_way() {
    let exchanger = Exchanger::with(vec![Some((Step::End, Act::Hangs))]);
    let mut office = Office::open(Some(&exchanger));
    let clock = office.start_by_clock("example.org");
    office.queue(&people(1));
    office.pass(MINUTE);
    clock.shift(3600);
    office.pass(2 * MINUTE);
    let visits = exchanger.visits.lock().unwrap().len();
    assert_eq!(visits, 1, "the first attempt still goes on");
    // The next attempt is 45 seconds later at the earliest.
    office.pass(Duration::from_secs(limits::DATA_END_TIMEOUT + 30) - 3 * MINUTE);
    let words = "mail.example.net, at the end of the content: no reply in time";
    let reasons = office.reasons();
    assert_eq!(reasons, [words], "it was written down");
    office.pass(HOUR);
    assert_eq!(office.waiting(), []);
    assert_eq!(exchanger.taken_by("dave0@example.net"), 1);
}

/// Two workers share a queue by the leases of their claims; when one is gone, the other ends it
/// once the leases are over.
#[test]
fn two_workers_drain_one_queue_and_one_ends_it_for_both() {
    let exchanger = Exchanger::with(Vec::new());
    let mut office = Office::open(Some(&exchanger));
    office.take_down("example.org");
    let twice = (0..OTHERS).chain(0..OTHERS);
    let recipients: Vec<String> = twice
        .enumerate()
        .map(|(person, domain)| format!("p{person}@{}", other(domain)))
        .collect();
    office.queue_sealed("alice@example.com", 60);
    office.queue(&recipients);
    office.start("example.org");
    office.start_beside("example.org");
    while office.inbox("alice@example.com").len() < 10 {
        office.pass(Duration::from_millis(10));
    }
    let visits = exchanger.visits.lock().unwrap().clone();
    let workers: BTreeSet<_> = visits.iter().map(|visit| visit.from).collect();
    assert_eq!(workers.len(), 2, "both work");
    let waiting = office.waiting();
    let claimed = waiting.iter().filter(|entry| entry.leased_until.is_some());
    let claimed = claimed.count();
    assert!(claimed > 0 && waiting.len() > 30, "in the middle of it");
    office.take_down("example.org");
    office.pass(HOUR);
    assert_eq!(office.waiting(), []);
    let inbox = office.inbox("alice@example.com");
    let letters: BTreeSet<_> = inbox
        .iter()
        .filter_map(|text| text.lines().last())
        .collect();
    assert_eq!((inbox.len(), letters.len()), (60, 60), "each once");
    // Ordinary mail knows no seals: what was under way may have come twice, nothing else.
    let taken: Vec<usize> = recipients.iter().map(|to| exchanger.taken_by(to)).collect();
    assert!(taken.iter().all(|times| *times > 0), "{taken:?}");
    let surplus = taken.iter().sum::<usize>() - recipients.len();
    assert!(surplus <= claimed, "{surplus} of {claimed}");
}
