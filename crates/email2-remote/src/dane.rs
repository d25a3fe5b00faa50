//! DANE for SMTP (RFC 7671, RFC 7672): which certificates the TLSA records of a host name. A pure
//! function over the chain that was presented.

mod der;
mod lookup;

use email2_io::dns::Tlsa;
use email2_io::tls::{Pinned, Pins};
use sha2::{Digest, Sha256, Sha512};

/// Usage DANE-TA(2): an authority.
const AUTHORITY: u8 = 2;

/// Usage DANE-EE(3): the server's own certificate.
const OWN: u8 = 3;

/// Records that are shown of a mismatch.
const RECORDS: usize = 4;

/// Certificates of a chain that are looked at.
const CHAIN: usize = 10;

/// Whether a record can be used: PKIX-TA(0) and PKIX-EE(1) are not for SMTP (RFC 7672 §3.1.3).
#[must_use]
pub fn is_usable(record: &Tlsa) -> bool {
    let length = match record.matching {
        0 => !record.data.is_empty(),
        1 => record.data.len() == 32,
        2 => record.data.len() == 64,
        _ => false,
    };
    matches!(record.usage, AUTHORITY | OWN) && record.selector <= 1 && length
}

/// The record that names this certificate by its public key: `3 1 1` (RFC 7671 §5.1).
#[must_use]
pub fn pin(certificate: &[u8]) -> Option<Tlsa> {
    let key = der::public_key(certificate)?;
    Some(Tlsa {
        usage: OWN,
        selector: 1,
        matching: 1,
        data: Sha256::digest(key).to_vec(),
    })
}

/// What `records` say of `chain`, the server's own certificate first.
#[must_use]
pub fn judge(records: &[Tlsa], chain: &[&[u8]]) -> Pinned {
    let usable: Vec<&Tlsa> = records.iter().filter(|one| is_usable(one)).collect();
    let Some((own, above)) = chain.split_first() else {
        return Pinned::Mismatch("no certificate was presented".to_owned());
    };
    if usable.is_empty() {
        return Pinned::Unusable;
    }
    let names = |usage: u8, certificate: &[u8]| {
        let mut of_usage = usable.iter().filter(|record| record.usage == usage);
        of_usage.any(|record| fits(record, certificate))
    };
    if names(OWN, own) {
        return Pinned::Leaf;
    }
    let presented = above.iter().take(CHAIN);
    let mut anchors: Vec<Vec<u8>> = presented
        .filter(|certificate| names(AUTHORITY, certificate))
        .map(|certificate| certificate.to_vec())
        .collect();
    anchors.extend(usable.iter().filter_map(|record| whole(record)));
    if anchors.is_empty() {
        return Pinned::Mismatch(both_sides(&usable, own));
    }
    Pinned::Anchors(anchors)
}

/// An authority's certificate that the record itself holds (`2 0 0`).
fn whole(record: &Tlsa) -> Option<Vec<u8>> {
    let holds = (record.usage, record.selector, record.matching) == (AUTHORITY, 0, 0);
    holds.then(|| record.data.clone())
}

fn fits(record: &Tlsa, certificate: &[u8]) -> bool {
    let association = association(record.selector, record.matching, certificate);
    association.is_some_and(|association| association == record.data)
}

/// What a record with this selector and this matching type has of `certificate` (RFC 6698 §2.1).
fn association(selector: u8, matching: u8, certificate: &[u8]) -> Option<Vec<u8>> {
    let selected = match selector {
        0 => certificate,
        _ => der::public_key(certificate)?,
    };
    Some(match matching {
        0 => selected.to_vec(),
        1 => Sha256::digest(selected).to_vec(),
        _ => Sha512::digest(selected).to_vec(),
    })
}

/// Both sides of the mismatch, for people: the records, and the ones that would name what was
/// presented.
fn both_sides(records: &[&Tlsa], own: &[u8]) -> String {
    let some = || records.iter().take(RECORDS);
    let named: Vec<String> = some().map(|record| shown(record)).collect();
    let mut presented: Vec<String> = some().filter_map(|record| naming(record, own)).collect();
    presented.dedup();
    let presented = match presented.as_slice() {
        [] => "one that cannot be read".to_owned(),
        presented => presented.join(", "),
    };
    format!("DNS has {}; it presented {presented}", named.join(", "))
}

/// The record of the same kind that names the server's `own` certificate.
fn naming(record: &Tlsa, own: &[u8]) -> Option<String> {
    // A whole certificate would fill the page.
    let matching = record.matching.max(1);
    let data = association(record.selector, matching, own)?;
    let (usage, selector) = (OWN, record.selector);
    Some(shown(&Tlsa {
        usage,
        selector,
        matching,
        data,
    }))
}

fn shown(record: &Tlsa) -> String {
    let data = record.data.get(..32).unwrap_or(&record.data);
    format!(
        "{} {} {} {}",
        record.usage,
        record.selector,
        record.matching,
        hex(data)
    )
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The TLSA records that were found for a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name that has them: the host's, or what it stands for (the "TLSA base domain" of
    /// RFC 7672 §2.2.3). It is what the host is asked for, and what an authority's certificate
    /// must carry.
    pub base: String,
    /// The records.
    pub records: Vec<Tlsa>,
}

/// The records of one host, as TLS asks them.
#[derive(Clone, Debug)]
pub(crate) struct Records(pub(crate) Vec<Tlsa>);

impl Pins for Records {
    fn judge(&self, chain: &[&[u8]]) -> Pinned {
        judge(&self.0, chain)
    }
}

#[cfg(test)]
mod tests;
