//! Enrolment by one-time code, and KEYPUT (spec §3.6, §3.7).

use std::future::Future;
use std::task::Poll;

use email2::certificate::generate::generate;
use email2::certificate::succession::{Succession, succeed};
use email2::certificate::{Certificate, RevocationReason};
use email2::secret::SecretKey;
use email2::{Address, Identity, KeyPutAnswer};
use email2_store::{Purpose, Secret};

use crate::house::House;
use crate::wire::Wire;

async fn code(house: &House, address: &Address, purpose: Purpose) -> String {
    let account = house.store.account(address).await.unwrap().unwrap();
    let code = Secret::code(&mut house.world.rng());
    let now = house.world.now();
    let issued = house
        .store
        .issue_code(account.id, purpose, &code, now)
        .await;
    issued.unwrap();
    code.reveal().to_owned()
}

fn key(house: &House, address: &str) -> SecretKey {
    let who: Identity = address.parse().unwrap();
    generate(&who, house.world.now(), &mut house.world.rng()).unwrap()
}

async fn put(wire: &mut Wire, address: &str, secret: &SecretKey) -> String {
    let octets = secret.certificate().octets();
    wire.send(&format!("KEYPUT <{address}> {}\r\n", octets.len()))
        .await;
    wire.send_octets(octets).await;
    wire.hear().await
}

/// The token in a reply to KEYPUT.
fn token(reply: &str) -> String {
    let lines: Vec<String> = reply.lines().map(|line| line[4..].to_owned()).collect();
    let answer = KeyPutAnswer::parse(&lines).unwrap();
    answer.token.unwrap().reveal().to_owned()
}

#[tokio::test]
async fn a_code_opens_a_device_and_nothing_else() {
    let house = House::open().await;
    let alice = "alice@example.com";
    house.account(alice, None).await;
    let code = code(&house, &alice.parse().unwrap(), Purpose::Add).await;
    let secret = key(&house, alice);
    let mut wire = Wire::submission(&house).await;
    assert!(wire.sign_in(alice.into(), &code).await.starts_with("235 "));
    let mail = wire.ask("MAIL FROM:<alice@example.com>").await;
    assert!(mail.starts_with("550 5.7.1 "), "{mail}");
    let other = put(
        &mut wire,
        "bob@example.org",
        &key(&house, "bob@example.org"),
    )
    .await;
    assert!(other.starts_with("550 "), "{other}");
    let first = token(&put(&mut wire, alice, &secret).await);
    // The 250 may have been lost: the same octets give a new token in place of the old.
    let mut again = Wire::submission(&house).await;
    assert!(again.sign_in(alice.into(), &code).await.starts_with("235 "));
    let second = token(&put(&mut again, alice, &secret).await);
    assert_ne!(first, second);
    let mut device = Wire::submission(&house).await;
    assert!(
        device
            .sign_in(alice.into(), &first)
            .await
            .starts_with("535 ")
    );
    assert!(
        device
            .sign_in(alice.into(), &second)
            .await
            .starts_with("235 ")
    );
    // The first sign-in with the token ended the code.
    let mut late = Wire::submission(&house).await;
    assert!(late.sign_in(alice.into(), &code).await.starts_with("535 "));
    let served = Wire::mx(&house).await.ask("KEY <alice@example.com>").await;
    assert!(served.starts_with("250-2.0.0 v=1 "), "{served}");
}

/// Whoever merges last must not lose what the others brought (spec §6.5.1).
#[tokio::test]
async fn of_certificates_put_at_once_each_is_merged() {
    let house = House::open().await;
    let alice = house.person("alice@example.com").await;
    let who: Identity = "alice@example.com".parse().unwrap();
    let (mut wires, mut puts) = (Vec::new(), Vec::new());
    for number in 0..8 {
        let (mut rng, at) = (house.world.rng(), house.world.now() - number);
        let revoked = alice
            .secret
            .revoke(RevocationReason::Superseded, at, &mut rng);
        puts.push(revoked.unwrap());
        wires.push(Wire::signed_in(&house, &alice).await);
    }
    let all = wires
        .iter_mut()
        .zip(&puts)
        .map(|(wire, certificate)| async move {
            let octets = certificate.octets();
            let command = format!("KEYPUT <alice@example.com> {}\r\n", octets.len());
            wire.send(&command).await;
            wire.send_octets(octets).await;
            wire.hear().await
        });
    let mut all: Vec<_> = all.map(Box::pin).collect();
    let mut replies = vec![String::new(); all.len()];
    std::future::poll_fn(|context| {
        for (one, reply) in all.iter_mut().zip(&mut replies) {
            if reply.is_empty()
                && let Poll::Ready(heard) = one.as_mut().poll(context)
            {
                *reply = heard;
            }
        }
        match replies.iter().any(String::is_empty) {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    })
    .await;
    assert!(
        replies.iter().all(|reply| reply.starts_with("250")),
        "{replies:?}"
    );
    let served = house.store.served(&who).await.unwrap().unwrap();
    let served = Certificate::parse(&served.octets).unwrap();
    for put in &puts {
        let after = succeed(&served, put).unwrap();
        assert!(matches!(after, Succession::Same), "a revocation was lost");
    }
}

#[tokio::test]
async fn a_code_to_add_keeps_the_primary_key() {
    let house = House::open().await;
    let alice = house.person("alice@example.com").await;
    let address = "alice@example.com";
    let add = code(&house, &alice.address, Purpose::Add).await;
    let mut wire = Wire::submission(&house).await;
    wire.sign_in(address.into(), &add).await;
    let refused = put(&mut wire, address, &key(&house, address)).await;
    assert!(refused.starts_with("550 "), "{refused}");
    let kept = put(&mut wire, address, &alice.secret).await;
    assert!(kept.starts_with("250"), "the code is still good: {kept}");
}

#[tokio::test]
async fn a_reset_makes_the_old_key_hard() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person("alice@example.com").await;
    let to = ["bob@example.org"];
    let before = house.sealed(&alice, &to, &alice.letter(to[0], "hi\r\n"));
    let reset = code(&house, &alice.address, Purpose::Reset).await;
    let mut wire = Wire::submission(&house).await;
    wire.sign_in(alice.address.to_string(), &reset).await;
    let reply = put(
        &mut wire,
        "alice@example.com",
        &key(&house, "alice@example.com"),
    )
    .await;
    assert!(reply.starts_with("250"), "{reply}");
    let old = &alice.secret.certificate().signing_keys()[0];
    let mut mx = Wire::mx(&house).await;
    let verifier = mx.ask(&format!("KEY <alice@example.com> FPR={old}")).await;
    assert!(verifier.contains("hard"), "{verifier}");
    let late = mx.deliver(&alice, &to, &before).await;
    assert!(
        late.starts_with("550 5.7."),
        "whatever its time says: {late}"
    );
    assert!(house.inbox(&bob.account).await.is_empty());
}

#[tokio::test]
async fn with_a_token_a_new_primary_key_needs_a_transition() {
    let house = House::open().await;
    let alice = house.person("alice@example.com").await;
    let mut wire = Wire::signed_in(&house, &alice).await;
    let address = "alice@example.com";
    let stranger = put(&mut wire, address, &key(&house, address)).await;
    assert!(stranger.starts_with("550 5.7."), "{stranger}");
    let nonsense = {
        wire.send("KEYPUT <alice@example.com> 7\r\nnothing").await;
        wire.hear().await
    };
    assert!(nonsense.starts_with("550 "), "{nonsense}");
    let other = put(
        &mut wire,
        "bob@example.org",
        &key(&house, "bob@example.org"),
    )
    .await;
    assert!(other.starts_with("550 "), "{other}");
    assert_eq!(wire.code("NOOP").await, "250");
}

/// spec §13.2.5, §3.7.4: the held key signs for whoever has an administrator's code.
#[tokio::test]
async fn a_held_key_gives_way_to_a_code_and_not_to_a_password() {
    let house = House::open().await;
    let carol = house.held("carol@example.org").await;
    let name = carol.address.to_string();
    let who = Identity::Address(carol.address.clone());
    let served = async || {
        let version = house.store.served(&who).await.unwrap().unwrap();
        Certificate::parse(&version.octets).unwrap()
    };
    let held = served().await;
    let own = key(&house, &name);
    let mut program = Wire::signed_in(&house, &carol).await;
    let refused = put(&mut program, &name, &own).await;
    let sentence = "550 5.7.1 A new primary key needs a transition signed by the old key";
    assert!(refused.starts_with(sentence), "{refused}");
    let code = code(&house, &carol.address, Purpose::Add).await;
    let mut first = String::new();
    // The 250 may have been lost: once more is the same.
    for _ in 0..2 {
        let mut device = Wire::submission(&house).await;
        let signed_in = device.sign_in(name.clone(), &code).await;
        assert!(signed_in.starts_with("235 "), "{signed_in}");
        let token = token(&put(&mut device, &name, &own).await);
        assert_ne!(std::mem::replace(&mut first, token), first);
        let next = served().await;
        assert_eq!(next.primary(), own.certificate().primary());
        assert!(matches!(
            succeed(&held, &next),
            Ok(Succession::Transition(_))
        ));
    }
    let versions = house.store.versions(&who).await.unwrap();
    let old = versions
        .iter()
        .find(|version| version.primary == *held.primary());
    assert!(old.is_some_and(|old| old.until.is_some() && !old.hard));
    // Nothing is left to seal with for the ordinary program.
    let mut program = Wire::signed_in(&house, &carol).await;
    assert_eq!(program.code(&format!("MAIL FROM:<{name}>")).await, "250");
    let reply = program.ask("RCPT TO:<dave@example.net>").await;
    let sentence = "550 5.7.1 This server holds no key for you";
    assert!(reply.starts_with(sentence), "{reply}");
}
