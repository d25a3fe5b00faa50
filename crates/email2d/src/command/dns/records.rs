//! The DNS records of a domain, for what is served and nothing else (spec §2.1, §2.3, §2.6).

use std::net::{IpAddr, SocketAddr};

use email2::address::Domain;
use email2::capability;
use email2::policy_record::{PolicyRecord, Strictness};
use email2_io::dns::Tlsa;

use super::record::{Data, Record};
use crate::config::{Config, DomainConfig};
use crate::dkim_key::DkimRecord;
use crate::https;

/// RFC 9110 §4.2.2.
const HTTPS_PORT: u16 = 443;

/// The word of the policy record that changes with the policy (spec §2.3).
const FIRST_ID: &str = "1";

/// The records that a domain should have; `pin` is that of the certificate shown.
pub(in crate::command) fn records(
    config: &Config,
    domain: &DomainConfig,
    dkim: Vec<DkimRecord>,
    pin: Option<Tlsa>,
) -> Vec<Record> {
    let name = &domain.name;
    let mut records = vec![Record::needed(
        name.as_str(),
        Data::Mx(config.hostname.to_string()),
        "",
    )];
    records.extend(host(config, name, pin));
    records.push(policy(domain));
    records.extend(services(config, name));
    records.extend(over_https(config, domain));
    records.extend(ordinary(domain));
    records.extend(dkim.into_iter().map(Record::from));
    records
}

/// The host's own, where its name stands in this zone.
fn host(config: &Config, domain: &Domain, pin: Option<Tlsa>) -> Vec<Record> {
    let host = config.hostname.as_str();
    let within = host.strip_suffix(domain.as_str());
    if !within.is_some_and(|label| label.is_empty() || label.ends_with('.')) {
        return Vec::new();
    }
    let mut places: Vec<Option<IpAddr>> = config.listen.mx.iter().map(outside).collect();
    places.sort_unstable();
    places.dedup();
    let record = |place: Option<IpAddr>| {
        let comment = match place {
            None => "and AAAA, if it has one",
            Some(_) => "",
        };
        Record::needed(host, Data::Address(place), comment)
    };
    let mut records: Vec<Record> = places.into_iter().map(record).collect();
    records.extend(pin.map(|pin| {
        let comment = "only where DNSSEC signs the zone; another key needs another one first";
        Record::suggested(format!("_25._tcp.{host}"), Data::Pin(pin), comment)
    }));
    records
}

/// The address that is listened at, where it is said.
fn outside(listen: &SocketAddr) -> Option<IpAddr> {
    Some(listen.ip()).filter(|address| !address.is_unspecified())
}

/// What the domain says of itself (spec §2.3.1: at the domain itself).
fn policy(domain: &DomainConfig) -> Record {
    let record = PolicyRecord {
        p: domain.policy,
        sp: Some(domain.subdomains),
        id: FIRST_ID.to_owned(),
        ma: None,
    };
    let name = format!("{}.{}", capability::TXT_LABEL, domain.name);
    Record::needed(name, Data::Text(record.to_string()), "")
}

/// What is served at which port, and the name that a certificate is had for.
fn services(config: &Config, domain: &Domain) -> Vec<Record> {
    let host = config.hostname.as_str();
    let (listen, sni) = (&config.listen, capability::HOST_LABEL);
    let service = |label: &str, at: &[SocketAddr]| {
        let port = at.first()?.port();
        Some((
            format!("{label}.{domain}"),
            Data::Service(port, host.to_owned()),
        ))
    };
    let alias = Record::suggested(
        format!("{sni}.{domain}"),
        Data::Alias(host.to_owned()),
        "so that a TLS certificate can be had for it",
    );
    let direct = service(capability::SRV_LABEL, &listen.direct)
        .map(|(name, data)| Record::needed(name, data, "for networks that block port 25"));
    let programs = [
        service("_submissions._tcp", &listen.submissions),
        service("_imaps._tcp", &listen.imaps),
    ];
    let programs = programs.into_iter().flatten();
    let programs = programs.map(|(name, data)| Record::suggested(name, data, ""));
    [alias].into_iter().chain(direct).chain(programs).collect()
}

/// Names of what is served over HTTPS, which is found at its own port only.
fn over_https(config: &Config, domain: &DomainConfig) -> Vec<Record> {
    let mut places = config.listen.direct.iter().chain(&config.listen.https);
    if !places.any(|place| place.port() == HTTPS_PORT) {
        return Vec::new();
    }
    let (host, name) = (&config.hostname, &domain.name);
    let alias = || Data::Alias(host.to_string());
    let keys = Record::suggested(
        email2::wkd::Method::Advanced.host(name),
        alias(),
        "where other OpenPGP programs find keys",
    );
    let mut records = vec![keys];
    if let Some(mode) = domain.mta_sts {
        let (label, id) = (https::MTA_STS_LABEL, https::policy_id(host, mode));
        let comment = "where others find that TLS is a must";
        records.push(Record::needed(format!("{label}.{name}"), alias(), comment));
        let text = Data::Text(format!("v=STSv1; id={id}"));
        records.push(Record::needed(format!("_{label}.{name}"), text, ""));
    }
    records
}

/// What ordinary domains ask before they take mail (RFC 7208, RFC 9989).
fn ordinary(domain: &DomainConfig) -> [Record; 2] {
    let name = &domain.name;
    let wish = match domain.policy {
        Strictness::Open => "none",
        // Every address seals, so all its mail leaves signed from here.
        Strictness::Strict => "reject",
    };
    let spf = Data::Text("v=spf1 mx -all".to_owned());
    let comment = "when nobody else sends for the domain";
    let dmarc = Data::Text(format!("v=DMARC1; p={wish}"));
    [
        Record::suggested(name.as_str(), spf, comment),
        Record::suggested(format!("_dmarc.{name}"), dmarc, ""),
    ]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const CONFIG: &str = "hostname = \"mail.example.org\"\ndata_directory = \"data\"\n\
        [[domain]]\nname = \"example.org\"\nmta_sts = \"enforce\"\n\
        [[domain]]\nname = \"example.net\"\npolicy = \"strict\"\n\
        [listen]\nmx = [\"0.0.0.0:25\", \"[::]:25\"]\ndirect = [\"0.0.0.0:443\"]\n\
        imaps = [\"0.0.0.0:993\"]\n[[tls]]\ncertificate = \"c.pem\"\nkey = \"c.key\"\n";

    fn lines(text: &str, domain: usize) -> Vec<String> {
        let config = Config::parse(text, Path::new("/etc/email2d/config.toml")).unwrap();
        let records = records(&config, &config.domains[domain], Vec::new(), None);
        records.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_records_say_what_is_served() {
        let id = https::policy_id(
            &Domain::parse("mail.example.org").unwrap(),
            crate::config::MtaSts::Enforce,
        );
        assert_eq!(
            lines(CONFIG, 0),
            [
                "example.org. MX 10 mail.example.org.",
                "; mail.example.org. A (the address of this host)  ; and AAAA, if it has one",
                "_email2.example.org. TXT \"v=EMAIL2; p=open; sp=open; id=1\"",
                "email2.example.org. CNAME mail.example.org.  \
                 ; so that a TLS certificate can be had for it",
                "_email2._tcp.example.org. SRV 0 0 443 mail.example.org.  \
                 ; for networks that block port 25",
                "_imaps._tcp.example.org. SRV 0 0 993 mail.example.org.",
                "openpgpkey.example.org. CNAME mail.example.org.  \
                 ; where other OpenPGP programs find keys",
                "mta-sts.example.org. CNAME mail.example.org.  \
                 ; where others find that TLS is a must",
                &format!("_mta-sts.example.org. TXT \"v=STSv1; id={id}\""),
                "example.org. TXT \"v=spf1 mx -all\"  ; when nobody else sends for the domain",
                "_dmarc.example.org. TXT \"v=DMARC1; p=none\"",
            ]
        );
    }

    #[test]
    fn a_host_elsewhere_is_not_in_the_zone_and_a_strict_domain_says_so() {
        let lines = lines(CONFIG, 1);
        assert_eq!(
            lines[1],
            "_email2.example.net. TXT \"v=EMAIL2; p=strict; sp=open; id=1\""
        );
        let has = |line: &str| lines.iter().any(|one| one == line);
        assert!(has("_dmarc.example.net. TXT \"v=DMARC1; p=reject\""));
        assert!(!lines.iter().any(|line| line.contains("mta-sts")));
    }

    #[test]
    fn what_is_served_over_https_is_found_at_its_own_port_only() {
        let lines = lines(&CONFIG.replace(":443", ":10443"), 0);
        assert!(lines[4].starts_with("_email2._tcp.example.org. SRV 0 0 10443 "));
        let named = |label: &str| lines.iter().any(|line| line.contains(label));
        assert!(!named("openpgpkey") && !named("mta-sts"), "{lines:?}");
    }

    #[test]
    fn the_address_is_the_one_that_is_listened_at() {
        let text = CONFIG.replace("0.0.0.0:25\"", "127.0.0.2:25\"");
        let lines = lines(&text.replace("[::]:25", "[2001:db8::25]:25"), 0);
        assert_eq!(lines[1], "mail.example.org. A 127.0.0.2");
        assert_eq!(lines[2], "mail.example.org. AAAA 2001:db8::25");
    }
}
