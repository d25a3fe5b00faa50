//! Whoever holds mail that was passed on to them re-aims it at nobody unseen (spec §4.6.4,
//! §4.11): not through the forwarder, not through the list, not a second time.

use email2::address::{Identity, ReversePath};
use email2::evidence::Announced;
use email2::limits;
use email2::seal::{ContentDigest, Nonce, Role, SealRequest, sign};
use email2_store::Standing;

use crate::house::{House, Person};
use crate::mediator::{add_list, forward, join, letter, set, settled, verdicts};
use crate::wire::Wire;

const ALICE: &str = "alice@example.com";
const CLUB: &str = "club@example.com";

/// The one message in somebody's inbox from its `nth` seal on (0: the top), as they hold it.
async fn held(house: &House, who: &Person, nth: usize) -> String {
    let inbox = house.inbox(&who.account).await;
    let [(stored, true)] = inbox.as_slice() else {
        panic!("{inbox:?}");
    };
    let mut seals = stored.match_indices("Email2-Seal:");
    let (start, _) = seals.nth(nth).unwrap();
    stored[start..].to_owned()
}

/// Offers octets under an envelope; the reply to their end.
async fn offer(house: &House, mail: &str, to: &str, octets: &str) -> String {
    let mut wire = Wire::mx(house).await;
    assert_eq!(wire.code(mail).await, "250");
    assert_eq!(wire.code(&format!("RCPT TO:<{to}>")).await, "250", "{to}");
    wire.data(octets).await
}

/// `MAIL` for what this seal is on top of.
fn mail(from: &str, role: Role, signer: &str) -> String {
    let mut mail = email2_smtp::Mail::new(ReversePath::Address(from.parse().unwrap()));
    mail.announced = Some(Announced {
        role,
        signer: Identity::parse(signer).unwrap(),
    });
    mail.to_string()
}

/// What `who` holds, under a `forward` seal of their own for somebody else.
fn resealed(house: &House, who: &Person, to: &str, octets: &str) -> String {
    let (now, mut rng) = (house.world.now(), house.world.rng());
    let request = SealRequest {
        role: Role::Forward,
        signer: Identity::Address(who.address.clone()),
        reverse_path: ReversePath::Address(who.address.clone()),
        recipients: vec![to.parse().unwrap()],
        created: now,
        expires: now + limits::SEAL_LIFETIME,
        nonce: Nonce::random(&mut rng),
        digest: ContentDigest::of(octets.as_bytes()).unwrap(),
    };
    sign(&request, &who.secret, &mut rng).unwrap().field() + octets
}

async fn has_nothing(house: &House, who: &Person) {
    settled(house).await;
    let inbox = house.inbox(&who.account).await;
    assert!(inbox.is_empty(), "{}: {inbox:?}", who.address);
}

/// Carol holds what Alice passed on to her. Dave takes mail by Alice as well, and gets nothing of
/// it into his Inbox, whatever she does.
#[tokio::test]
async fn who_holds_forwarded_mail_re_aims_it_at_nobody() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person(ALICE).await;
    let carol = house.person("carol@example.org").await;
    let dave = house.person("dave@example.org").await;
    forward(&house, &alice, "carol@example.org\n").await;
    for who in [&carol, &dave] {
        set(&house, who, "forwarders", ALICE).await;
    }
    letter(&house, &bob, ALICE, "secret\r\n").await;
    settled(&house).await;
    let (stack, original) = (held(&house, &carol, 0).await, held(&house, &carol, 1).await);
    // To another address, as it is: the seal names Carol.
    let as_alice = mail(ALICE, Role::Forward, "@example.com");
    let reply = offer(&house, &as_alice, "dave@example.org", &stack).await;
    assert!(reply.starts_with("550 5.7."), "{reply}");
    // What Bob wrote, without its upper seal: it names Alice.
    let as_bob = mail("bob@example.org", Role::Author, "bob@example.org");
    let reply = offer(&house, &as_bob, "dave@example.org", &original).await;
    assert!(reply.starts_with("550 5.7."), "{reply}");
    // A second time through the forwarder, who now passes on to Dave: it was taken once.
    forward(&house, &alice, "dave@example.org\n").await;
    let reply = offer(&house, &as_bob, ALICE, &original).await;
    assert!(reply.starts_with("250 "), "it tells nothing: {reply}");
    has_nothing(&house, &dave).await;
    // The whole stack to the forwarder.
    let reply = offer(&house, &as_alice, ALICE, &stack).await;
    assert!(
        reply.starts_with("550 5.7.") || reply.starts_with("554 5.4.6"),
        "{reply}"
    );
    // Under a seal of her own: Dave registered Alice's address, not hers.
    let again = resealed(&house, &carol, "dave@example.org", &stack);
    let as_carol = mail("carol@example.org", Role::Forward, "carol@example.org");
    let reply = offer(&house, &as_carol, "dave@example.org", &again).await;
    assert!(reply.starts_with("250 "), "{reply}");
    has_nothing(&house, &dave).await;
    let requests = house.store.mailbox(dave.account.id, "Requests").await;
    let waiting = house
        .store
        .messages(requests.unwrap().unwrap().id)
        .await
        .unwrap();
    let shown = waiting[0].origin.provenance().unwrap().to_string();
    assert!(
        shown.starts_with("for-others; author=bob@example.org;")
            && shown.contains("via=unregistered:carol@example.org/carol@example.org; via=@example.com/alice@example.com"),
        "shown as what it is: {shown}"
    );
}

/// Another user of the forwarder has a letter of Bob's own, and Alice's target.
#[tokio::test]
async fn another_user_of_the_forwarder_re_aims_nothing_through_alice() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person(ALICE).await;
    let eve = house.person("eve@example.com").await;
    let carol = house.person("carol@example.org").await;
    forward(&house, &alice, "carol@example.org\n").await;
    set(&house, &carol, "forwarders", ALICE).await;
    letter(&house, &bob, "eve@example.com", "to eve\r\n").await;
    let hers = held(&house, &eve, 0).await;
    let as_bob = mail("bob@example.org", Role::Author, "bob@example.org");
    let reply = offer(&house, &as_bob, ALICE, &hers).await;
    assert!(reply.starts_with("550 5.7."), "{reply}");
    // Sealed on by her own key to Alice, who passes on only what lies in her Inbox.
    let on = resealed(&house, &eve, ALICE, &hers);
    let as_eve = mail("eve@example.com", Role::Forward, "eve@example.com");
    let reply = offer(&house, &as_eve, ALICE, &on).await;
    assert!(reply.starts_with("250 "), "{reply}");
    has_nothing(&house, &carol).await;
    assert!(
        house.inbox(&alice.account).await.is_empty(),
        "it waits in her Requests"
    );
}

/// A member holds what the list sent, and a private letter of Bob's.
#[tokio::test]
async fn who_holds_a_lists_mail_re_aims_it_at_nobody() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let alice = house.person(ALICE).await;
    let carol = house.person("carol@example.org").await;
    let dave = house.person("dave@example.org").await;
    let list = add_list(&house, CLUB, false, &alice).await;
    for who in [&bob, &carol] {
        join(&house, &list, who, Standing::Member).await;
    }
    set(&house, &dave, "forwarders", CLUB).await;
    letter(&house, &bob, CLUB, "to the club\r\n").await;
    settled(&house).await;
    let (stack, original) = (held(&house, &carol, 0).await, held(&house, &carol, 1).await);
    let as_list = mail(CLUB, Role::Forward, "@example.com");
    let reply = offer(&house, &as_list, "dave@example.org", &stack).await;
    assert!(reply.starts_with("550 5.7."), "{reply}");
    // A second time to the list, when Dave is a member.
    join(&house, &list, &dave, Standing::Member).await;
    let as_bob = mail("bob@example.org", Role::Author, "bob@example.org");
    let reply = offer(&house, &as_bob, CLUB, &original).await;
    assert!(reply.starts_with("250 "), "{reply}");
    has_nothing(&house, &dave).await;
    // Sealed on to Dave by herself.
    let again = resealed(&house, &carol, "dave@example.org", &stack);
    let as_carol = mail("carol@example.org", Role::Forward, "carol@example.org");
    offer(&house, &as_carol, "dave@example.org", &again).await;
    has_nothing(&house, &dave).await;
    // And to the list: it takes what was written to it, by who wrote it (spec §14.4.1).
    let again = resealed(&house, &carol, CLUB, &stack);
    let reply = offer(&house, &as_carol, CLUB, &again).await;
    assert!(reply.starts_with("55"), "{reply}");
    has_nothing(&house, &dave).await;
    assert_eq!(verdicts(&house, &carol).await.len(), 1, "each got it once");
}
