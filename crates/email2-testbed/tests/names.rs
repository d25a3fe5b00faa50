//! The testbed's DNS as the resolver of email2-io sees it: secure where it is signed,
//! bogus where it is spoiled, and never absent because it failed.

use std::net::{IpAddr, Ipv4Addr};

use email2_io::dns::{Alias, DnsError, Mx, Tlsa};
use email2_io::world::{NetworkConfig, World};
use email2_testbed::authority::{Authority, Fault};
use email2_testbed::failure::Outcome;
use email2_testbed::zone::Zone;
use hickory_proto::rr::rdata::MX;
use hickory_proto::rr::{Name, RData, RecordType};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 1, 0, 1));

fn zone(origin: &str) -> Outcome<Zone> {
    let host = format!("mx.{origin}");
    let zone = Zone::new(origin).mx(origin, 10, &host)?;
    let zone = zone.text(&format!("_email2.{origin}"), "v=EMAIL2; p=strict");
    Ok(zone.address(&host, HOST))
}

/// A DNS server with a signed and an unsigned zone, and a world that asks it.
fn world() -> Outcome<(Authority, World, tempfile::TempDir)> {
    use email2_testbed::failure::Step;
    let mut authority = Authority::start(IpAddr::V4(Ipv4Addr::new(127, 1, 0, 53)))?;
    authority.publish(zone("example.com")?.signed())?;
    authority.publish(zone("example.org")?)?;
    let folder = tempfile::tempdir().step("folder")?;
    let anchor = folder.path().join("anchor");
    std::fs::write(&anchor, authority.anchor()).step("anchor")?;
    let config = NetworkConfig {
        dns: vec![authority.address()],
        dnssec_anchor: Some(anchor),
        ..NetworkConfig::default()
    };
    Ok((authority, World::real(&config).step("world")?, folder))
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_zones_are_secure_and_unsigned_ones_are_not() {
    let (authority, world, _folder) = world().unwrap();
    let mx = world.dns.mx("example.com").await.unwrap();
    let expected = Mx {
        preference: 10,
        exchange: "mx.example.com".to_owned(),
    };
    assert_eq!((mx.records, mx.secure), (vec![expected], true));
    assert!(world.dns.addresses("mx.example.com").await.unwrap().secure);
    let text = world.dns.txt("_email2.example.com").await.unwrap();
    assert_eq!(text.records, ["v=EMAIL2; p=strict"]);
    assert!(!world.dns.mx("example.org").await.unwrap().secure);
    assert!(!world.dns.addresses("mx.example.org").await.unwrap().secure);
    authority.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn absence_is_proved_where_the_zone_is_signed() {
    let (authority, world, _folder) = world().unwrap();
    let absent = |secure| Err(DnsError::NxDomain { secure });
    for name in ["_no", "_no.mx"] {
        let found = |origin| format!("{name}.{origin}");
        assert_eq!(world.dns.txt(&found("example.com")).await, absent(true));
        assert_eq!(world.dns.txt(&found("example.org")).await, absent(false));
    }
    let nothing = |secure| Err(DnsError::NoData { secure });
    assert_eq!(world.dns.txt("example.com").await, nothing(true));
    assert_eq!(world.dns.txt("example.org").await, nothing(false));
    assert_eq!(world.dns.mx("nowhere.example").await, absent_mx());
    authority.stop().await;
}

fn absent_mx() -> Result<email2_io::dns::Answer<Mx>, DnsError> {
    Err(DnsError::NxDomain { secure: true })
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_and_lies_are_no_absence() {
    let (authority, world, _folder) = world().unwrap();
    let forged = RData::MX(MX::new(1, Name::from_ascii("mx.evil.example.").unwrap()));
    let mx = Some(RecordType::MX);
    let lie = |origin| authority.fault(origin, mx, Fault::Forged(vec![forged.clone()]));
    lie("example.com").unwrap();
    lie("example.org").unwrap();
    assert_eq!(world.dns.mx("example.com").await, Err(DnsError::Bogus));
    let fooled = world.dns.mx("example.org").await.unwrap();
    assert_eq!(fooled.records[0].exchange, "mx.evil.example");
    let record = "_email2.example.com";
    authority.fault(record, None, Fault::ServFail).unwrap();
    assert_eq!(world.dns.txt(record).await, Err(DnsError::ServFail));
    authority.heal();
    authority.stop().await;
}

/// R02: aliases are followed for hosts and for domains; a circle of them is a failure, and no
/// absence (spec §2.3.3).
#[tokio::test(flavor = "multi_thread")]
async fn r02_aliases_are_followed_and_a_circle_of_them_is_no_absence() {
    let (mut authority, world, _folder) = world().unwrap();
    let example = zone("example.net").unwrap();
    let example = example.alias("mail.example.net", "mx.example.net").unwrap();
    let example = example.alias("shop.example.net", "example.net").unwrap();
    let example = example.alias("a.example.net", "b.example.net").unwrap();
    let example = example.alias("b.example.net", "a.example.net").unwrap();
    let example = example
        .alias("_email2.round.example.net", "a.example.net")
        .unwrap();
    authority.publish(example).unwrap();
    let found = world.dns.addresses("mail.example.net").await.unwrap();
    assert_eq!(found.records, [HOST]);
    let alias = Alias {
        target: "mx.example.net".to_owned(),
        secure: false,
    };
    assert_eq!(found.alias, Some(alias));
    let mx = world.dns.mx("shop.example.net").await.unwrap();
    assert_eq!(mx.records[0].exchange, "mx.example.net");
    for name in ["a.example.net", "b.example.net"] {
        assert_eq!(world.dns.mx(name).await, Err(DnsError::ServFail), "{name}");
        let none = world.dns.addresses(name).await;
        assert_eq!(none, Err(DnsError::ServFail), "{name}");
    }
    let record = world.dns.txt("_email2.round.example.net").await;
    assert_eq!(record, Err(DnsError::ServFail));
    authority.stop().await;
}

/// spec §12.2.2, §12.3.3: certificates of hosts and people in DNS, and whether they count.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_in_dns_are_secure_where_the_zone_is_signed() {
    let (mut authority, world, _folder) = world().unwrap();
    let pin = Tlsa {
        usage: 3,
        selector: 1,
        matching: 1,
        data: vec![7; 32],
    };
    let octets = vec![0x98; 3000];
    for origin in ["example.com", "example.org"] {
        let (host, person) = (
            format!("_25._tcp.mx.{origin}"),
            format!("ab._openpgpkey.{origin}"),
        );
        let zone = zone(origin).unwrap().pin(&host, &pin).key(&person, &octets);
        let secure = origin == "example.com";
        let zone = if secure { zone.signed() } else { zone };
        authority.publish(zone).unwrap();
        let found = world.dns.tlsa(&host).await.unwrap();
        assert_eq!((found.records, found.secure), (vec![pin.clone()], secure));
        let found = world.dns.openpgpkey(&person).await.unwrap();
        assert_eq!(
            (found.records, found.secure),
            (vec![octets.clone()], secure)
        );
    }
    authority.stop().await;
}
