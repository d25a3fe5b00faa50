//! What holds for every input: normal forms are stable, a sealed message cannot
//! be changed, what is protected comes back.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use email2::autocrypt::Autocrypt;
use email2::block::BlockPattern;
use email2::certificate::generate::generate;
use email2::content::{Container, Mode, OuterTo, Protect, Reader, Standing, protect, unprotect};
use email2::evidence::{Announced, Evidence, SignerEvidence, SignerKey};
use email2::header::{parse_authors, parse_from};
use email2::scan::Scan;
use email2::scram::{ClientFinal, ClientFirst};
use email2::seal::{ContentDigest, Nonce, Role, Seal, SealRequest, sign};
use email2::secret::SecretKey;
use email2::skeleton::Skeleton;
use email2::verdict::judge;
use email2::{Address, Assurance, Domain, Identity, KeyFlags, Rejection, ReversePath, limits};
use proptest::prelude::*;
use proptest::sample::Index;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::sync::LazyLock;

const NOW: u64 = 1_764_000_000;
const CONTENT: &str = "From: Bob <bob@example.org>\r\nTo: alice@example.com\r\n\
    Subject: lunch\r\n\r\nAt noon?\r\n";

static BOB: LazyLock<SecretKey> = LazyLock::new(|| key("bob@example.org", 1));
static ALICE: LazyLock<SecretKey> = LazyLock::new(|| key("alice@example.com", 2));
static SEALED: LazyLock<(Seal, Vec<u8>)> = LazyLock::new(sealed);

fn key(who: &str, seed: u64) -> SecretKey {
    let who = Identity::parse(who).unwrap();
    generate(&who, NOW - 1_000, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap()
}

fn sealed() -> (Seal, Vec<u8>) {
    let request = SealRequest {
        role: Role::Author,
        signer: Identity::parse("bob@example.org").unwrap(),
        reverse_path: ReversePath::parse("bob@example.org").unwrap(),
        recipients: vec![Address::parse("alice@example.com").unwrap()],
        created: NOW,
        expires: NOW + limits::SEAL_LIFETIME,
        nonce: Nonce([7; 16]),
        digest: ContentDigest::of(CONTENT.as_bytes()).unwrap(),
    };
    let seal = sign(&request, &BOB, &mut ChaCha20Rng::seed_from_u64(3)).unwrap();
    let message = [seal.field().as_bytes(), CONTENT.as_bytes()].concat();
    (seal, message)
}

/// Takes a message as a server would; gives the seal that was judged good.
fn receive(message: &[u8]) -> Result<Seal, Rejection> {
    let scanned = Scan::whole(true, message)?;
    let verdict = judge(Evidence {
        now: NOW + 60,
        mail_from: ReversePath::parse("bob@example.org").unwrap(),
        recipients: vec![Address::parse("alice@example.com").unwrap()],
        announced: Some(Announced {
            role: Role::Author,
            signer: Identity::parse("bob@example.org").unwrap(),
        }),
        scanned,
        reported: Vec::new(),
        ordinary: None,
        signers: vec![SignerEvidence::Known(SignerKey {
            certificate: BOB.certificate().clone(),
            assurance: Some(Assurance::Dnssec),
            flags: KeyFlags::default(),
            fetched: NOW,
        })],
    });
    match verdict.rejection() {
        Some(rejection) => Err(rejection.clone()),
        None => Ok(verdict.seals().first().unwrap().clone()),
    }
}

/// Protects `message` for alice and reads it as alice.
fn there_and_back(message: &str, mode: Mode<'_>, seed: u64) -> (Standing, Vec<u8>, String) {
    let from = Address::parse("bob@example.org").unwrap();
    let request = Protect {
        message: message.as_bytes(),
        author: &BOB,
        from: &from,
        mode,
        outer_to: OuterTo::Hidden,
        outside: &[],
        now: NOW,
    };
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let protected = protect(&request, &mut rng).unwrap();
    // Whatever is protected may be sealed and passes the guard.
    ContentDigest::of(&protected).unwrap();
    Skeleton::check(&protected).unwrap();
    let known = |_: &Address| Some(BOB.certificate().clone());
    let reader = Reader {
        keys: &[&ALICE],
        known: &known,
        now: NOW + 60,
    };
    let reading = unprotect(&protected, &reader).unwrap();
    let subject = reading.field("Subject").map(String::from_utf8_lossy);
    let subject = subject.unwrap_or_default().trim().to_owned();
    (reading.standing, reading.body, subject)
}

#[test]
fn the_sealed_message_is_good() {
    assert_eq!(receive(&SEALED.1), Ok(SEALED.0.clone()));
}

proptest! {
    /// What an Autocrypt field says, it says again when it is written; whatever does not parse
    /// says nothing (spec §12.6.7).
    #[test]
    fn what_an_autocrypt_field_says_comes_back(
        value in "(addr=[a-z@.]{1,12}|prefer-encrypt=mutual|keydata=[A-Za-z0-9+/=\r\n ]{0,40}|_?[a-z]{1,4}=.{0,4}|;| ){0,8}",
        key in proptest::collection::vec(any::<u8>(), 1..400),
        mutual in any::<bool>(),
    ) {
        if let Ok(said) = Autocrypt::parse(value.as_bytes()) {
            let field = said.to_string();
            let written = field.strip_prefix("Autocrypt:").unwrap();
            prop_assert_eq!(Autocrypt::parse(written.as_bytes()), Ok(said));
        }
        let said = Autocrypt { address: Address::parse("bob@example.org").unwrap(), mutual, key };
        let field = said.to_string();
        prop_assert!(field.split("\r\n").all(|line| line.len() <= limits::LINE_OCTETS));
        let written = field.strip_prefix("Autocrypt:").unwrap();
        prop_assert_eq!(Autocrypt::parse(written.as_bytes()), Ok(said));
    }

    #[test]
    fn normal_forms_are_stable(text in "\\PC{1,20}(@|\")\\PC{1,20}") {
        if let Ok(address) = Address::parse(&text) {
            let shown = address.to_string();
            prop_assert!(shown.len() <= limits::ADDRESS_OCTETS);
            prop_assert!(address.domain().as_str().is_ascii());
            prop_assert_eq!(Address::parse(&shown), Ok(address));
        }
    }

    #[test]
    fn addresses_come_back(local in "[a-zA-Z0-9\u{e4}\u{3b1} .\"\\\\@+-]{1,20}", domain in "[a-z]{1,9}(\\.[a-z\u{fc}]{1,9}){1,3}") {
        let domain = Domain::parse(&domain).unwrap();
        let address = Address::from_parts(local, domain).unwrap();
        prop_assert_eq!(Address::parse(&address.to_string()), Ok(address.clone()));
        prop_assert_eq!(Identity::parse(&address.to_string()), Ok(Identity::Address(address.clone())));
        prop_assert_eq!(address.loose().loose(), address.loose());
        let block = BlockPattern::parse(&address.to_string());
        prop_assert!(block.is_err() || block.unwrap().matches(&address.into()));
    }

    #[test]
    fn names_do_not_move_addresses(name in "[ -~\u{e4}]{0,30}", local in "[a-z]{1,8}") {
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        let value = format!(" \"{quoted}\" <{local}@example.org>");
        let from = parse_from(value.as_bytes()).unwrap();
        prop_assert_eq!(from.address.local(), &local);
        prop_assert_eq!(from.display_name.unwrap(), name);
        prop_assert_eq!(parse_authors(value.as_bytes()), Some(vec![from.address]));
    }

    /// The strict reader never sees another author than the lenient one.
    #[test]
    fn strict_and_lenient_agree(value in "[ a-c@.,:;<>()\"\\\\]{1,30}") {
        if let Ok(from) = parse_from(value.as_bytes()) {
            prop_assert_eq!(parse_authors(value.as_bytes()), Some(vec![from.address]));
        }
    }

    /// One octet of a sealed message is another: it is refused, or the seal says
    /// the same and the content below it is the same.
    #[test]
    fn no_octet_can_be_changed(at in any::<Index>(), change in 1u8..) {
        let mut message = SEALED.1.clone();
        let at = at.index(message.len());
        message[at] ^= change;
        if let Ok(seal) = receive(&message) {
            prop_assert_eq!(&seal, &SEALED.0);
            prop_assert!(message.ends_with(CONTENT.as_bytes()));
        }
    }

    #[test]
    fn nothing_can_be_added_or_taken(at in any::<Index>(), octets in proptest::collection::vec(any::<u8>(), 1..4), take in 0usize..4) {
        let mut message = SEALED.1.clone();
        let at = at.index(message.len() - 4);
        message.splice(at..at + take, octets);
        if let Ok(seal) = receive(&message) {
            prop_assert_eq!(&seal, &SEALED.0);
            prop_assert!(message.ends_with(CONTENT.as_bytes()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_protected_comes_back(
        lines in proptest::collection::vec("[ -~]{0,100}", 0..8),
        subject in "[!-~]([ -~]{0,20}[!-~])?",
        seed in any::<u64>(),
        form in 0..3,
    ) {
        let body: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let message = format!(
            "From: bob@example.org\r\nTo: alice@example.com\r\nSubject: {subject}\r\n\
             Date: Mon, 24 Nov 2025 16:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\n{body}"
        );
        let to = [ALICE.certificate().clone()];
        let encrypt = |container| Mode::Encrypt { to: &to, also_self: false, container };
        let mode = match form {
            0 => Mode::SignOnly,
            1 => encrypt(Container::V1),
            _ => encrypt(Container::V2),
        };
        let (standing, read, shown) = there_and_back(&message, mode, seed);
        prop_assert!(matches!(standing, Standing::Verified { .. }), "{standing:?}");
        prop_assert_eq!(shown, subject);
        let encoded = read.windows(16).any(|window| window == b"quoted-printable");
        prop_assert!(encoded || read.ends_with(body.as_bytes()), "{}", String::from_utf8_lossy(&read));
    }
}

proptest! {
    /// spec §13.1.1: whatever a client says is read whole or refused; what was read is repeated
    /// octet for octet in what is signed.
    #[test]
    fn scram_is_read_whole_or_refused(octets in any::<Vec<u8>>()) {
        let _ = ClientFirst::parse(&octets);
        let _ = ClientFinal::parse(&octets);
    }

    #[test]
    fn what_scram_signs_is_what_was_said(
        user in "([a-z.+]|=2C|=3D){1,20}@[a-z]{1,9}",
        nonce in "[!-+\\--~]{1,40}",
        ours in "[a-f0-9]{1,32}",
        extension in proptest::option::of("[a-ln-z]=[a-z]{1,5}"),
    ) {
        let extension = extension.map(|it| format!(",{it}")).unwrap_or_default();
        let bare = format!("n={user},r={nonce}{extension}");
        let first = ClientFirst::parse(format!("n,,{bare}").as_bytes()).unwrap();
        prop_assert_eq!(&first.user, &user.replace("=2C", ",").replace("=3D", "="));
        let challenge = first.challenge(&ours, b"salt", 4096);
        let without_proof = format!("c=biws,r={nonce}{ours}");
        let proof = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let last = ClientFinal::parse(format!("{without_proof},p={proof}").as_bytes()).unwrap();
        let signed = challenge.signed(&last).unwrap();
        prop_assert_eq!(signed, format!("{bare},{},{without_proof}", challenge.text()));
    }
}
