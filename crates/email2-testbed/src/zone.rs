//! One DNS zone as plain data, and the same zone served: signed or not.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use email2_io::dns::Tlsa;
use hickory_proto::dnssec::crypto::EcdsaSigningKey;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS};
use hickory_proto::dnssec::{Algorithm, DigestType, DnssecSigner, PublicKey, SigningKey};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, NS, OPENPGPKEY, SOA, SRV, TLSA, TXT};
use hickory_proto::rr::{LowerName, Name, RData, Record};
use hickory_server::dnssec::NxProofKind;
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, ZoneHandler, ZoneType};

use crate::failure::{Outcome, Step};

/// Time to live of every record unless it is said otherwise, in seconds: short, because the world
/// changes.
const TTL: u32 = 1;
/// How long signatures are valid.
const SIGNED_FOR: Duration = Duration::from_secs(14 * 86_400);

/// A zone: its records, and whether it is signed. Names are written without a last dot.
#[derive(Clone, Debug)]
pub struct Zone {
    origin: String,
    signed: bool,
    ttl: u32,
    records: Vec<(String, RData)>,
}

impl Zone {
    /// An unsigned zone without records.
    #[must_use]
    pub fn new(origin: &str) -> Zone {
        Zone {
            origin: origin.to_owned(),
            signed: false,
            ttl: TTL,
            records: Vec::new(),
        }
    }

    /// The same zone, signed by DNSSEC.
    #[must_use]
    pub fn signed(mut self) -> Zone {
        self.signed = true;
        self
    }

    /// The same zone, whose records live so many seconds.
    #[must_use]
    pub fn kept_for(mut self, seconds: u32) -> Zone {
        self.ttl = seconds;
        self
    }

    /// The zone's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn ttl(&self) -> u32 {
        self.ttl
    }

    /// Owners and data.
    pub(crate) fn records(&self) -> &[(String, RData)] {
        &self.records
    }

    pub(crate) fn is_signed(&self) -> bool {
        self.signed
    }

    /// Adds a mail exchanger.
    ///
    /// # Errors
    /// A name is not one.
    pub fn mx(self, owner: &str, preference: u16, host: &str) -> Outcome<Zone> {
        let data = RData::MX(MX::new(preference, name(host)?));
        Ok(self.record(owner, data))
    }

    /// Adds a service's host and port.
    ///
    /// # Errors
    /// A name is not one.
    pub fn service(self, owner: &str, port: u16, host: &str) -> Outcome<Zone> {
        let data = RData::SRV(SRV::new(0, 0, port, name(host)?));
        Ok(self.record(owner, data))
    }

    /// Adds an alias.
    ///
    /// # Errors
    /// A name is not one.
    pub fn alias(self, owner: &str, target: &str) -> Outcome<Zone> {
        let data = RData::CNAME(CNAME(name(target)?));
        Ok(self.record(owner, data))
    }

    /// Adds a text, in strings of at most 255 octets (RFC 1035 §3.3).
    #[must_use]
    pub fn text(self, owner: &str, text: &str) -> Zone {
        let pieces = text.as_bytes().chunks(usize::from(u8::MAX));
        let strings = pieces.map(|piece| String::from_utf8_lossy(piece).into_owned());
        self.record(owner, RData::TXT(TXT::new(strings.collect())))
    }

    /// Adds a host's address.
    #[must_use]
    pub fn address(self, owner: &str, address: IpAddr) -> Zone {
        let data = match address {
            IpAddr::V4(v4) => RData::A(A(v4)),
            IpAddr::V6(v6) => RData::AAAA(AAAA(v6)),
        };
        self.record(owner, data)
    }

    /// Adds a TLSA record of `_port._tcp.host`.
    #[must_use]
    pub fn pin(self, owner: &str, record: &Tlsa) -> Zone {
        let (usage, selector) = (record.usage.into(), record.selector.into());
        let data = TLSA::new(usage, selector, record.matching.into(), record.data.clone());
        self.record(owner, RData::TLSA(data))
    }

    /// Adds a certificate of a person (RFC 7929).
    #[must_use]
    pub fn key(self, owner: &str, certificate: &[u8]) -> Zone {
        let data = OPENPGPKEY::new(certificate.to_vec());
        self.record(owner, RData::OPENPGPKEY(data))
    }

    /// Takes every record of this owner away.
    #[must_use]
    pub fn without(mut self, owner: &str) -> Zone {
        self.records.retain(|(name, _)| name != owner);
        self
    }

    /// Adds any record.
    #[must_use]
    pub fn record(mut self, owner: &str, data: RData) -> Zone {
        self.records.push((owner.to_owned(), data));
        self
    }
}

/// The key that signs a zone; kept, so that a zone can be published anew under the same DS.
pub(crate) struct ZoneKey {
    pkcs8: Vec<u8>,
}

impl ZoneKey {
    pub(crate) fn generate() -> Outcome<ZoneKey> {
        let key = EcdsaSigningKey::generate_pkcs8(Algorithm::ECDSAP256SHA256).step("zone key")?;
        Ok(ZoneKey {
            pkcs8: key.secret_pkcs8_der().to_vec(),
        })
    }

    fn signing(&self) -> Outcome<EcdsaSigningKey> {
        let key = rustls_pki_types::PrivatePkcs8KeyDer::from(self.pkcs8.as_slice());
        EcdsaSigningKey::from_pkcs8(&key, Algorithm::ECDSAP256SHA256).step("zone key")
    }

    /// The record by which the parent vouches for this key.
    pub(crate) fn ds(&self, origin: &str) -> Outcome<RData> {
        let public = self.signing()?.to_public_key().step("zone key")?;
        let ds = DS::from_key(&public, &name(origin)?, DigestType::SHA256).step("DS")?;
        Ok(RData::DNSSEC(DNSSECRData::DS(ds)))
    }

    /// The line of a trust anchor file for this key as the root's.
    pub(crate) fn anchor(&self) -> Outcome<String> {
        use base64::Engine as _;
        let public = self.signing()?.to_public_key().step("zone key")?;
        let base64 = base64::engine::general_purpose::STANDARD.encode(public.public_bytes());
        Ok(format!(". 86400 IN DNSKEY 257 3 13 {base64}\n"))
    }

    fn signer(&self, origin: &Name) -> Outcome<DnssecSigner> {
        let key = self.signing()?;
        let dnskey = DNSKEY::from_key(&key.to_public_key().step("zone key")?);
        Ok(DnssecSigner::new(
            dnskey,
            Box::new(key),
            origin.clone(),
            SIGNED_FOR,
        ))
    }
}

/// A delegation in a parent zone: the child's name server, and its DS when it is signed.
pub(crate) fn delegation(child: &str, key: Option<&ZoneKey>) -> Outcome<Vec<(String, RData)>> {
    let server = name_server(child);
    let mut records = vec![(child.to_owned(), RData::NS(NS(name(&server)?)))];
    if let Some(key) = key {
        records.push((child.to_owned(), key.ds(child)?));
    }
    Ok(records)
}

fn name_server(origin: &str) -> String {
    match origin {
        "" => "ns".to_owned(),
        origin => format!("ns.{origin}"),
    }
}

/// Makes the zone ready to be asked.
pub(crate) fn serve(
    zone: &Zone,
    delegations: Vec<(String, RData)>,
    key: Option<&ZoneKey>,
    address: IpAddr,
) -> Outcome<(LowerName, Arc<dyn ZoneHandler>)> {
    let origin = name(&zone.origin)?;
    let proof = key.is_some().then_some(NxProofKind::Nsec);
    let mut handler: InMemoryZoneHandler =
        InMemoryZoneHandler::empty(origin.clone(), ZoneType::Primary, AxfrPolicy::Deny, proof);
    let base = apex(zone, address)?;
    for (owner, data) in base
        .into_iter()
        .chain(zone.records.clone())
        .chain(delegations)
    {
        handler.upsert_mut(Record::from_rdata(name(&owner)?, zone.ttl, data), 1);
    }
    if let Some(key) = key {
        let step = format!("signing {}", zone.origin);
        let signer = key.signer(&origin)?;
        handler
            .add_zone_signing_key_mut(signer)
            .step(step.clone())?;
        handler.secure_zone_mut().step(step)?;
    }
    Ok((LowerName::new(&origin), Arc::new(handler)))
}

/// SOA, NS and the name server's address.
pub(crate) fn apex(zone: &Zone, address: IpAddr) -> Outcome<Vec<(String, RData)>> {
    let origin = zone.origin();
    let server = name_server(origin);
    let contact = name(&format!("hostmaster.{origin}"))?;
    let soa = SOA::new(name(&server)?, contact, 1, 3600, 600, 86_400, zone.ttl);
    let IpAddr::V4(v4) = address else {
        return Ok(vec![(origin.to_owned(), RData::SOA(soa))]);
    };
    Ok(vec![
        (origin.to_owned(), RData::SOA(soa)),
        (origin.to_owned(), RData::NS(NS(name(&server)?))),
        (server, glue(v4)),
    ])
}

fn glue(address: Ipv4Addr) -> RData {
    RData::A(A(address))
}

/// A fully qualified name.
pub(crate) fn name(text: &str) -> Outcome<Name> {
    let mut name = Name::from_ascii(text.trim_end_matches('.')).step(format!("name {text:?}"))?;
    name.set_fqdn(true);
    Ok(name)
}
