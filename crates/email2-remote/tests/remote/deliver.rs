//! One message to a domain: one outcome for each recipient (spec §3.3, §3.9).

use std::sync::Arc;

use crate::neighbour::Manners;
use crate::old::Habit;
use crate::stage::{Stage, answering};
use email2::evidence::Announced;
use email2::seal::Role;
use email2::{Address, Domain, Identity, Rejection, ReversePath};
use email2_remote::{DeliveryRequest, Line, Outcome, TlsPolicy};
use email2_smtp::{Envelope, Mail, Recipient};

const NAMES: &[&str] = &["email2.example.org", "mx.example.org"];

fn request(recipients: &[&str]) -> DeliveryRequest {
    let mut mail = Mail::new(ReversePath::parse("alice@example.com").unwrap());
    mail.announced = Some(Announced {
        role: Role::Author,
        signer: Identity::parse("alice@example.com").unwrap(),
    });
    let recipients = recipients
        .iter()
        .map(|address| Recipient::new(Address::parse(address).unwrap()));
    let mut content = b"Subject: x\r\n\r\n".to_vec();
    for line in 0..2000 {
        content.extend_from_slice(format!(".line {line} of a message\r\n").as_bytes());
    }
    DeliveryRequest {
        domain: Domain::parse("example.org").unwrap(),
        envelope: Envelope {
            mail,
            recipients: recipients.collect(),
        },
        content: Arc::new(content),
        assured: true,
    }
}

async fn octets(request: &DeliveryRequest) -> Vec<u8> {
    request.content.read(0, usize::MAX).await.unwrap()
}

#[tokio::test]
async fn each_recipient_has_an_outcome_of_its_own() {
    let mut stage = Stage::set().await;
    let manners = Manners::default();
    let etag: email2::Etag = "0a1b".parse().unwrap();
    let recipient = Address::parse("nobody@example.org").unwrap();
    manners.refuse("nobody@example.org", Rejection::NoSuchMailbox { recipient });
    let recipient = Address::parse("full@example.org").unwrap();
    manners.refuse("full@example.org", Rejection::MailboxFull { recipient });
    let changed = Rejection::KeyChanged { etag: etag.clone() };
    manners.refuse("reset@example.org", changed);
    stage.zone.mx("example.org", &["mx.example.org"], false);
    let host = stage.host("mx.example.org", NAMES, manners).await;
    let request = request(&[
        "nobody@example.org",
        "bob@example.org",
        "full@example.org",
        "reset@example.org",
    ]);
    let outcomes: Vec<Outcome> = stage
        .remote
        .deliver(&request)
        .await
        .into_iter()
        .map(|(_, outcome)| outcome)
        .collect();
    assert!(matches!(outcomes[0], Outcome::Refused(_)), "{outcomes:?}");
    assert!(matches!(outcomes[1], Outcome::Accepted(_)), "{outcomes:?}");
    assert!(matches!(outcomes[2], Outcome::Temporary(_)), "{outcomes:?}");
    assert_eq!(outcomes[3], Outcome::KeyChanged(etag));
    let sent = octets(&request).await;
    let mail = host.mail.lock().unwrap();
    assert_eq!(mail.len(), 1);
    assert!(mail[0].1 == sent, "the octets are unchanged");
}

#[tokio::test]
async fn recipients_set_apart_come_in_the_next_transaction() {
    let mut stage = Stage::set().await;
    let manners = Manners {
        at_once: Some(1),
        ..Manners::default()
    };
    stage.zone.mx("example.org", &["mx.example.org"], false);
    let host = stage.host("mx.example.org", NAMES, manners).await;
    let request = request(&["a@example.org", "b@example.org", "c@example.org"]);
    let outcomes = stage.remote.deliver(&request).await;
    let accepted = |(_, outcome): &(Address, Outcome)| matches!(outcome, Outcome::Accepted(_));
    assert!(outcomes.iter().all(accepted), "{outcomes:?}");
    assert_eq!(host.mail.lock().unwrap().len(), 3);
    assert_eq!(*host.connections.lock().unwrap(), 1);
}

#[tokio::test]
async fn mail_for_authenticated_hosts_goes_to_no_other() {
    let mut stage = Stage::set().await;
    stage.zone.mx("example.org", &["mx.mallory.example"], false);
    let names = &["mx.mallory.example"];
    let host = stage
        .host("mx.mallory.example", names, Manners::default())
        .await;
    let mut request = request(&["bob@example.org"]);
    let outcomes = stage.remote.deliver(&request).await;
    assert!(
        matches!(outcomes[0].1, Outcome::Temporary(_)),
        "{outcomes:?}"
    );
    assert!(host.mail.lock().unwrap().is_empty());
    request.assured = false;
    let outcomes = stage.remote.deliver(&request).await;
    assert!(
        matches!(outcomes[0].1, Outcome::Accepted(_)),
        "{outcomes:?}"
    );
}

/// spec §2.4.1: a host of it showed EMAIL2 when ordinary mail was brought (§12.1.3).
#[tokio::test]
async fn a_domain_that_showed_email2_and_seems_not_to_is_waited_for() {
    let mut stage = Stage::set().await;
    let (manners, _) = answering(&stage, 3600);
    stage.zone.mx("example.org", &["mx.example.org"], true);
    stage
        .host("mx.example.org", &["mx.example.org"], manners)
        .await;
    let request = request(&["bob@example.org"]);
    let hosts = stage.remote.exchangers(&request.domain).await.unwrap();
    let (host, policy) = (&hosts[0], TlsPolicy::Opportunistic);
    let met = stage.remote.open_ordinary(&request.domain, host, &policy);
    assert!(met.await.is_err());
    let names = ["old.example.org"];
    stage.zone.mx("example.org", &names, false);
    stage.old_host(names[0], &names, Habit::Clear).await;
    let outcomes = stage.remote.deliver(&request).await;
    assert!(
        matches!(outcomes[0].1, Outcome::Temporary(_)),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_domain_that_does_not_exist_is_final_and_one_that_fails_is_not() {
    let stage = Stage::set().await;
    let request = request(&["bob@example.org"]);
    let outcomes = stage.remote.deliver(&request).await;
    assert!(matches!(outcomes[0].1, Outcome::Refused(_)), "{outcomes:?}");
    stage
        .zone
        .mx_fails("example.org", email2_io::DnsError::Timeout);
    let outcomes = stage.remote.deliver(&request).await;
    assert!(
        matches!(outcomes[0].1, Outcome::Temporary(_)),
        "{outcomes:?}"
    );
}

/// Delivers as many messages one after the other over one line; the connections that took.
async fn connections(stage: &mut Stage, manners: Manners, messages: usize) -> usize {
    stage.zone.mx("example.org", &["mx.example.org"], false);
    let host = stage.host("mx.example.org", NAMES, manners).await;
    let mut line = Line::default();
    for _ in 0..messages {
        let request = request(&["bob@example.org"]);
        let outcomes = stage.remote.deliver_on(&mut line, &request).await;
        let accepted = matches!(outcomes[0].1, Outcome::Accepted(_));
        assert!(accepted, "{outcomes:?}");
    }
    stage.remote.hang_up(line);
    assert_eq!(host.mail.lock().unwrap().len(), messages);
    *host.connections.lock().unwrap()
}

#[tokio::test]
async fn one_message_after_the_other_takes_one_connection() {
    let mut stage = Stage::set().await;
    assert_eq!(connections(&mut stage, Manners::default(), 5).await, 1);
}

/// Who hangs up between two messages has refused neither.
#[tokio::test]
async fn a_line_that_ended_meanwhile_is_opened_anew() {
    let mut stage = Stage::set().await;
    let manners = Manners {
        messages: Some(2),
        ..Manners::default()
    };
    assert_eq!(connections(&mut stage, manners, 5).await, 3);
}
