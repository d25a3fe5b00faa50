//! Codes and tokens.

use rand_core::OsRng;

use super::{NOW, account, address};
use crate::Store;
use crate::credential::{ITERATIONS, Login, Purpose, Salted, Secret, Verifier};

const DAY: u64 = 24 * 3600;

pub(crate) async fn a_token_logs_in_until_it_is_revoked(store: &Store) {
    let alice = account(store, "alice@example.com", None).await;
    let token = Secret::token(&mut OsRng);
    let id = store
        .add_token(alice.id, "phone", &token, NOW)
        .await
        .unwrap();
    let check = async |secret: &str| {
        store
            .check(&alice.address, secret.as_bytes(), NOW)
            .await
            .unwrap()
    };
    let expected = Login::Token {
        account: alice.id,
        token: id,
    };
    assert_eq!(check(token.reveal()).await, Some(expected));
    assert_eq!(check("wrong").await, None);
    assert_eq!(
        store
            .check(&address("x@example.com"), b"x", NOW)
            .await
            .unwrap(),
        None
    );
    let tokens = store.tokens(alice.id).await.unwrap();
    assert_eq!(
        (tokens[0].name.as_str(), tokens[0].used),
        ("phone", Some(NOW - NOW % 3600))
    );
    store.revoke_tokens(&[id]).await.unwrap();
    assert_eq!(check(token.reveal()).await, None);
}

pub(crate) async fn a_token_is_proved_by_scram(store: &Store) {
    let alice = account(store, "alice@example.com", None).await;
    assert_eq!(store.salt(&alice.address).await.unwrap(), None);
    let token = Secret::token(&mut OsRng);
    let second = Secret::token(&mut OsRng);
    store
        .add_token(alice.id, "phone", &token, NOW)
        .await
        .unwrap();
    let id = store.add_token(alice.id, "laptop", &second, NOW).await;
    // One salt for all: the exchange begins before it shows which secret is meant.
    let salt = store.salt(&alice.address).await.unwrap().unwrap();
    let check = async |secret: &Secret| {
        let proof = Salted::new(secret.reveal().as_bytes(), &salt, ITERATIONS).proof("signed");
        let checked = store.check_proof(&alice.address, "signed", &proof, NOW);
        checked.await.unwrap()
    };
    let (login, signature) = check(&second).await.unwrap();
    let expected = Login::Token {
        account: alice.id,
        token: id.unwrap(),
    };
    assert_eq!(login, expected);
    let verifier = Verifier::new(second.reveal().as_bytes(), &salt);
    let proof = Salted::new(second.reveal().as_bytes(), &salt, ITERATIONS).proof("signed");
    assert_eq!(verifier.proves("signed", &proof), Some(signature));
    assert!(check(&Secret::token(&mut OsRng)).await.is_none());
    // A one-time code is typed in many ways: it is none of them.
    let code = Secret::code(&mut OsRng);
    store
        .issue_code(alice.id, Purpose::Add, &code, NOW)
        .await
        .unwrap();
    assert!(check(&code).await.is_none());
}

pub(crate) async fn a_code_is_valid_for_seven_days_and_as_typed(store: &Store) {
    let alice = account(store, "alice@example.com", None).await;
    let code = Secret::code(&mut OsRng);
    store
        .issue_code(alice.id, Purpose::Reset, &code, NOW)
        .await
        .unwrap();
    let typed = code.reveal().to_ascii_uppercase().replace('-', " ");
    let at = async |now| {
        store
            .check(&alice.address, typed.as_bytes(), now)
            .await
            .unwrap()
    };
    let valid = at(NOW + 7 * DAY - 1).await;
    assert!(
        matches!(
            valid,
            Some(Login::Code {
                purpose: Purpose::Reset,
                ..
            })
        ),
        "{valid:?}"
    );
    assert_eq!(at(NOW + 7 * DAY).await, None);
    store
        .issue_code(alice.id, Purpose::Add, &Secret::code(&mut OsRng), NOW)
        .await
        .unwrap();
    assert_eq!(at(NOW).await, None);
}
