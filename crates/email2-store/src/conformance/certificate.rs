//! Certificates and enrolment.

use email2::certificate::generate::generate;
use email2::{Etag, Fingerprint, Identity};
use rand_core::OsRng;

use super::{NOW, account};
use crate::Store;
use crate::account::Account;
use crate::certificate::{Enrolment, EnrolmentOutcome, Published, Replaces, Version};
use crate::credential::{CodeId, Login, Purpose, Secret};

fn version(who: &Identity) -> Version {
    let secret = generate(who, NOW, &mut OsRng).unwrap();
    let certificate = secret.certificate();
    Version {
        identity: who.clone(),
        primary: certificate.primary().clone(),
        keys: certificate.signing_keys(),
        etag: certificate.etag(),
        octets: certificate.octets().to_vec(),
    }
}

fn bob() -> Identity {
    Identity::parse("bob@example.org").unwrap()
}

async fn served(store: &Store) -> Option<Fingerprint> {
    store
        .served(&bob())
        .await
        .unwrap()
        .map(|version| version.primary)
}

pub(crate) async fn every_version_is_kept_and_the_newest_served(store: &Store) {
    let first = version(&bob());
    let mut second = first.clone();
    second.etag = "ab".parse::<Etag>().unwrap();
    assert!(
        store
            .publish(first.clone(), Replaces::Keep, NOW)
            .await
            .unwrap()
    );
    assert!(
        store
            .publish(first.clone(), Replaces::Keep, NOW + 1)
            .await
            .unwrap()
    );
    assert!(
        store
            .publish(second.clone(), Replaces::Keep, NOW + 2)
            .await
            .unwrap()
    );
    let versions = store.versions(&bob()).await.unwrap();
    assert_eq!(versions.len(), 2);
    assert_eq!((versions[0].etag.as_str(), versions[0].since), ("ab", NOW));
    let held = store
        .holding(&bob(), &first.keys[0])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(held, versions[0]);
    let nobody = Identity::parse("eve@example.org").unwrap();
    assert_eq!(store.holding(&nobody, &first.keys[0]).await.unwrap(), None);
}

pub(crate) async fn another_primary_needs_a_transition_or_a_reset(store: &Store) {
    let (first, second, third) = (version(&bob()), version(&bob()), version(&bob()));
    store
        .publish(first.clone(), Replaces::Keep, NOW)
        .await
        .unwrap();
    assert!(
        !store
            .publish(second.clone(), Replaces::Keep, NOW)
            .await
            .unwrap()
    );
    assert!(
        store
            .publish(second.clone(), Replaces::Transition, NOW + 5)
            .await
            .unwrap()
    );
    let old = store
        .holding(&bob(), &first.keys[0])
        .await
        .unwrap()
        .unwrap();
    assert_eq!((old.until, old.hard), (Some(NOW + 5), false));
    assert_eq!(served(store).await, Some(second.primary.clone()));
    assert!(
        store
            .publish(third.clone(), Replaces::Reset, NOW + 9)
            .await
            .unwrap()
    );
    let old = store
        .holding(&bob(), &second.keys[0])
        .await
        .unwrap()
        .unwrap();
    assert!(old.hard);
    assert_eq!(served(store).await, Some(third.primary));
    assert!(
        !store
            .publish(second, Replaces::Reset, NOW + 10)
            .await
            .unwrap(),
        "hard is for good"
    );
}

/// Of two who merged into the same version, the second must merge again.
pub(crate) async fn a_version_made_over_an_older_one_is_not_kept(store: &Store) {
    let first = version(&bob());
    let with_etag = |etag: &str| Version {
        etag: etag.parse::<Etag>().unwrap(),
        ..first.clone()
    };
    let put = async |version: Version, over: Option<&Etag>| {
        let put = store.publish_over(version, Replaces::Keep, over, NOW);
        put.await.unwrap()
    };
    let (one, other) = (with_etag("aa"), with_etag("bb"));
    let nothing = put(one.clone(), Some(&first.etag)).await;
    assert_eq!(nothing, Published::Moved, "none is served");
    assert_eq!(put(first.clone(), None).await, Published::Kept);
    let over = Some(&first.etag);
    assert_eq!(put(one.clone(), over).await, Published::Kept);
    assert_eq!(put(other.clone(), over).await, Published::Moved);
    let served = store.served(&bob()).await.unwrap().unwrap();
    assert_eq!(served.etag, one.etag);
    assert_eq!(put(other, Some(&one.etag)).await, Published::Kept);
    let mut stranger = version(&bob());
    stranger.etag = "cc".parse::<Etag>().unwrap();
    let served = store.served(&bob()).await.unwrap().unwrap();
    let refused = put(stranger, Some(&served.etag)).await;
    assert_eq!(refused, Published::OtherPrimary);
}

pub(crate) async fn what_is_hard_is_not_served(store: &Store) {
    let only = version(&bob());
    store
        .publish(only.clone(), Replaces::Keep, NOW)
        .await
        .unwrap();
    assert_eq!(store.mark_hard(&bob(), None).await.unwrap(), 1);
    assert_eq!(served(store).await, None);
    assert!(
        store
            .holding(&bob(), &only.keys[0])
            .await
            .unwrap()
            .unwrap()
            .hard
    );
    let next = version(&bob());
    assert!(
        !store
            .publish(next.clone(), Replaces::Keep, NOW)
            .await
            .unwrap(),
        "it needs a reset"
    );
    assert!(store.publish(next, Replaces::Reset, NOW).await.unwrap());
}

/// Logs in with a new code.
async fn code(store: &Store, account: &Account, purpose: Purpose) -> CodeId {
    let secret = Secret::code(&mut OsRng);
    store
        .issue_code(account.id, purpose, &secret, NOW)
        .await
        .unwrap();
    match store
        .check(&account.address, secret.reveal().as_bytes(), NOW)
        .await
        .unwrap()
    {
        Some(Login::Code { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

fn enrolment(code: CodeId, version: &Version, token: &Secret) -> Enrolment {
    Enrolment {
        code,
        version: version.clone(),
        replaces: Replaces::Keep,
        over: None,
        put: [1; 32],
        token: token.clone(),
    }
}

pub(crate) async fn the_code_ends_by_the_first_login_with_the_token(store: &Store) {
    let account = account(store, "bob@example.org", None).await;
    let (code, version) = (code(store, &account, Purpose::Add).await, version(&bob()));
    let (lost, token) = (Secret::token(&mut OsRng), Secret::token(&mut OsRng));
    let enrol = async |enrolment| store.enrol(account.id, enrolment, NOW).await.unwrap();
    let outcome = enrol(enrolment(code, &version, &lost)).await;
    assert_eq!(outcome, EnrolmentOutcome::Enrolled);
    let outcome = enrol(enrolment(code, &version, &token)).await;
    assert_eq!(outcome, EnrolmentOutcome::TokenReplaced);
    let log_in = async |token: &Secret| {
        store
            .check(&account.address, token.reveal().as_bytes(), NOW)
            .await
            .unwrap()
    };
    assert_eq!(log_in(&lost).await, None);
    let mut other = enrolment(code, &version, &token);
    other.put = [2; 32];
    assert_eq!(enrol(other).await, EnrolmentOutcome::CodeEnded);
    assert!(log_in(&token).await.is_some());
    let outcome = enrol(enrolment(code, &version, &token)).await;
    assert_eq!(outcome, EnrolmentOutcome::CodeEnded);
}

pub(crate) async fn a_code_to_add_keeps_the_primary_and_stays_valid(store: &Store) {
    let account = account(store, "bob@example.org", None).await;
    let (served, other) = (version(&bob()), version(&bob()));
    store
        .publish(served.clone(), Replaces::Keep, NOW)
        .await
        .unwrap();
    let code = code(store, &account, Purpose::Add).await;
    let token = Secret::token(&mut OsRng);
    let enrol = async |version| {
        let mut enrolment = enrolment(code, version, &token);
        enrolment.over = Some(served.etag.clone());
        store.enrol(account.id, enrolment, NOW).await.unwrap()
    };
    assert_eq!(enrol(&other).await, EnrolmentOutcome::OtherPrimary);
    assert_eq!(enrol(&served).await, EnrolmentOutcome::Enrolled);
}

pub(crate) async fn the_key_of_a_removed_account_is_hard(store: &Store) {
    let account = account(store, "bob@example.org", None).await;
    let only = version(&bob());
    store
        .publish(only.clone(), Replaces::Keep, NOW)
        .await
        .unwrap();
    store.remove_account(account.id, NOW).await.unwrap();
    assert_eq!(served(store).await, None);
    assert!(
        store
            .holding(&bob(), &only.keys[0])
            .await
            .unwrap()
            .unwrap()
            .hard
    );
}
