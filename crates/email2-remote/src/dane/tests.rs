use proptest::prelude::*;

use super::*;

/// A self-signed certificate of `name` and its public key.
fn certificate(name: &str) -> (Vec<u8>, Vec<u8>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let public = rcgen::PublicKeyData::subject_public_key_info(&key);
    (certificate.der().to_vec(), public)
}

fn record(usage: u8, selector: u8, matching: u8, data: &[u8]) -> Tlsa {
    let data = match matching {
        0 => data.to_vec(),
        1 => Sha256::digest(data).to_vec(),
        _ => Sha512::digest(data).to_vec(),
    };
    Tlsa {
        usage,
        selector,
        matching,
        data,
    }
}

#[test]
fn the_public_key_is_found_in_a_certificate() {
    let (der, public) = certificate("mail.example.org");
    assert_eq!(der::public_key(&der), Some(public.as_slice()));
    for length in 0..der.len() {
        let _ = der::public_key(&der[..length]);
    }
    assert_eq!(der::public_key(&[0x30, 0x84, 1, 1, 1, 1]), None);
}

#[test]
fn the_servers_own_certificate_is_named_by_key_or_whole() {
    let (der, public) = certificate("mail.example.org");
    let chain: [&[u8]; 1] = [&der];
    for matching in 0..=2 {
        assert_eq!(
            judge(&[record(3, 1, matching, &public)], &chain),
            Pinned::Leaf
        );
        assert_eq!(judge(&[record(3, 0, matching, &der)], &chain), Pinned::Leaf);
    }
    let (other, _) = certificate("other.example.org");
    let Pinned::Mismatch(why) = judge(&[record(3, 0, 1, &other)], &chain) else {
        panic!("another certificate is none of ours");
    };
    let hash = |octets: &[u8]| hex(&Sha256::digest(octets));
    let both = (hash(&other), hash(&der));
    let both = format!("DNS has 3 0 1 {}; it presented 3 0 1 {}", both.0, both.1);
    assert_eq!(why, both);
}

#[test]
fn an_authority_is_looked_for_above_the_servers_own_certificate() {
    let (own, _) = certificate("mail.example.org");
    let (authority, public) = certificate("ca.example.org");
    let named = [record(2, 1, 1, &public)];
    let chain: [&[u8]; 2] = [&own, &authority];
    let anchors = Pinned::Anchors(vec![authority.clone()]);
    assert_eq!(judge(&named, &chain), anchors);
    assert_eq!(judge(&[record(2, 0, 0, &authority)], &chain[..1]), anchors);
    let alone: [&[u8]; 1] = [&authority];
    assert!(matches!(judge(&named, &alone), Pinned::Mismatch(_)));
}

#[test]
fn records_that_cannot_be_used_demand_nothing_but_tls() {
    let (der, public) = certificate("mail.example.org");
    let chain: [&[u8]; 1] = [&der];
    let unusable = [
        record(0, 1, 1, &public),
        record(1, 1, 1, &public),
        record(3, 2, 1, &public),
        Tlsa {
            data: vec![1; 31],
            ..record(3, 1, 1, &public)
        },
        Tlsa {
            matching: 3,
            ..record(3, 1, 1, &public)
        },
    ];
    assert_eq!(judge(&unusable, &chain), Pinned::Unusable);
}

proptest! {
    #[test]
    fn no_octets_break_the_reader(octets in prop::collection::vec(any::<u8>(), 0..64), record in any::<(u8, u8, u8)>()) {
        der::public_key(&octets);
        let (usage, selector, matching) = record;
        let record = Tlsa { usage, selector, matching, data: octets.clone() };
        let _ = judge(&[record], &[&octets, &octets]);
    }
}
