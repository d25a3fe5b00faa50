//! Messages: through the scan, the guard, a reader, and intake as a whole.

use email2::address::{Address, Identity};
use email2::scan::Scan;
use email2::skeleton::Skeleton;
use email2::verdict::{Legacy, Provenance, RecipientPolicy, UnregisteredStack, Verdict};

use super::CAST;
use crate::gauntlet::Cast;

/// However the octets are cut, the scan finds the same; what it refuses as sealed mail it never
/// finds without fault as ordinary mail.
pub(super) fn header_scan(octets: &[u8]) {
    let (cut, message) = octets.split_first().unwrap_or((&0, octets));
    let whole = Scan::whole(true, message);
    let mut scan = Scan::new(true);
    let pushed = message
        .chunks(usize::from(*cut).max(1))
        .try_for_each(|piece| scan.push(piece));
    let pieces = pushed.and_then(|()| scan.finish());
    match (&whole, &pieces) {
        (Ok(whole), Ok(pieces)) => assert_eq!(whole.digests, pieces.digests),
        (Err(whole), Err(pieces)) => assert_eq!(whole.id(), pieces.id()),
        _ => assert_eq!(
            whole.is_ok(),
            pieces.is_ok(),
            "the scan depends on where octets were cut"
        ),
    }
    if let Ok(ordinary) = Scan::whole(false, message) {
        let faulty = ordinary.fault.is_some() || ordinary.header.from.is_err();
        assert!(whole.is_ok() || faulty, "{whole:?}");
    }
}

/// What the guard lets through, a parser takes without counting more than the guard allows.
pub(super) fn skeleton(octets: &[u8]) {
    if Skeleton::check(octets).is_ok() {
        let shown =
            crate::gauntlet::mailbox::converse(octets, "none", b"a FETCH 1 BODYSTRUCTURE\r\n");
        assert!(shown.ends_with(b"a OK done\r\n"));
    }
}

/// Reading never names as verified anybody but the one in From.
pub(super) fn content_read(octets: &[u8]) {
    let Some(cast) = CAST.as_ref() else { return };
    let Ok(shown) = cast.read(octets) else { return };
    if let Some(proved) = &shown.verdict.author {
        let from = shown.from.as_ref().map(|person| &person.address);
        assert_eq!(from, Some(proved), "verified is somebody else");
    }
}

/// The oracle of all: nothing whose From is not the sealed signer is ever verified, and a
/// message is verified only as somebody who really sealed these octets.
pub(super) fn intake(octets: &[u8]) {
    let Some(cast) = CAST.as_ref() else { return };
    for announced in [true, false] {
        for from in [&cast.bob.address, &cast.eve.address] {
            if let Ok(verdict) = cast.intake(from, announced, octets) {
                check(cast, &verdict, octets);
            }
        }
    }
}

fn check(cast: &Cast, verdict: &Verdict, octets: &[u8]) {
    let Some(author) = proved(cast, verdict) else {
        return;
    };
    let scanned = Scan::whole(false, octets);
    let from = scanned.ok().and_then(|scanned| scanned.header.from.ok());
    assert_eq!(
        from.map(|from| from.address),
        Some(author.clone()),
        "From is another"
    );
    let innermost = verdict.seals().last();
    let signer = innermost.map(|seal| seal.signer.clone());
    assert_eq!(
        signer,
        Some(Identity::Address(author)),
        "the signer is another"
    );
    let honest = innermost.is_some_and(|seal| really_sealed(&seal.digest));
    assert!(honest, "verified what nobody sealed");
}

/// Who is verified as the author, for Alice.
fn proved(cast: &Cast, verdict: &Verdict) -> Option<Address> {
    let policy = RecipientPolicy {
        mailbox: cast.alice.address.clone(),
        aliases: &[],
        legacy: Legacy::Accept,
        blocks: &[],
        forwarders: &[],
        unregistered_stack: UnregisteredStack::Reject,
    };
    match verdict.accept(&policy).ok()?.provenance() {
        Provenance::Verified { author, .. } => Some(author.clone()),
        _ => None,
    }
}

/// Whether anybody is verified, announced as whoever it may be.
pub(super) fn verified(octets: &[u8]) -> bool {
    let Some(cast) = CAST.as_ref() else {
        return false;
    };
    let verdicts = [&cast.bob, &cast.eve].map(|who| cast.intake(&who.address, true, octets));
    let mut proved_by = verdicts
        .iter()
        .flatten()
        .filter_map(|verdict| proved(cast, verdict));
    proved_by.next().is_some()
}

/// Whether these are the digests of the messages that the seeds seal: no other was ever sealed.
fn really_sealed(digest: &[u8; 32]) -> bool {
    let mut written = WRITTEN
        .iter()
        .map(|text| email2::seal::ContentDigest::of(text.as_bytes()));
    written.any(|known| known.ok().as_ref() == Some(digest))
}

/// What bob and eve ever sealed.
const WRITTEN: [&str; 4] = [
    "From: bob@example.org\r\nTo: alice@example.com\r\nSubject: hi\r\nDate: Mon, 24 Nov 2025 13:13:20 +0000\r\n\
     Message-ID: <1@example.org>\r\n\r\nAt noon?\r\n",
    "From: Bob <bob@example.org>\r\nTo: alice@example.com\r\nMIME-Version: 1.0\r\n\
     Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
     From: ceo@example.org\r\n\r\ntwo\r\n--b--\r\n",
    "From: eve@example.net\r\nTo: alice@example.com\r\nSubject: From: bob@example.org\r\n\r\nbuy\r\n",
    "From: bob@example.org\r\n\r\neve wrote this\r\n",
];

/// Messages below their authors' seals; the last is eve's over a From that is not hers.
pub(super) fn sealed() -> Vec<Vec<u8>> {
    let Some(cast) = CAST.as_ref() else {
        return Vec::new();
    };
    let by = [&cast.bob, &cast.bob, &cast.eve, &cast.eve];
    let pairs = by.iter().zip(WRITTEN);
    pairs
        .filter_map(|(who, text)| cast.sealed(who, text.as_bytes()))
        .collect()
}

/// Messages with all that their structure may have.
pub(super) fn messages() -> Vec<Vec<u8>> {
    let mut all = sealed();
    all.extend(WRITTEN.iter().map(|text| text.as_bytes().to_vec()));
    all.push(
        b"Received: from a by b; x\r\nFrom: =?utf-8?q?B=C3=B6b?= <bob@example.org>\r\nTo: g: a@b, c@d;\r\n\
          Content-Type: multipart/alternative;\r\n boundary=\"a b\"\r\n\r\n--a b\r\nContent-Type: text/html;\r\n \
          name*0*=utf-8''%41;\r\n name*1=b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>=\r\n=20\r\n--a b--\r\n"
            .to_vec(),
    );
    all
}

/// What a reader gets: with the server's field, signed, and encrypted in structure.
pub(super) fn contents() -> Vec<Vec<u8>> {
    let field =
        b"Email2-Verdict: verified; author=bob@example.org; assurance=dnssec; at=1764000000\r\n";
    let mut all = messages();
    all.extend(
        sealed()
            .iter()
            .map(|message| [field.as_slice(), message].concat()),
    );
    all.push(
        b"From: bob@example.org\r\nContent-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=b\r\n\r\n\
          --b\r\nContent-Type: text/plain; hp=clear\r\nFrom: bob@example.org\r\n\r\nx\r\n--b\r\n\
          Content-Type: application/pgp-signature\r\n\r\n-----BEGIN PGP SIGNATURE-----\r\n\r\nwgYEABYIAAA=\r\n\
          -----END PGP SIGNATURE-----\r\n\r\n--b--\r\n"
            .to_vec(),
    );
    all
}
