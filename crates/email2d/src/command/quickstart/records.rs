//! The DNS records of a domain, for what is served and nothing else (spec §2.1, §2.3, §2.6).

use std::fmt;
use std::net::IpAddr;

use email2::address::Domain;
use email2::capability;
use email2::policy_record::{PolicyRecord, Strictness};

use super::template::Ports;
use crate::config::MtaSts;
use crate::https;

/// One record as in a zone file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    name: String,
    kind: &'static str,
    value: String,
    comment: &'static str,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.kind, self.value)?;
        match self.comment {
            "" => Ok(()),
            comment => write!(f, "  ; {comment}"),
        }
    }
}

/// The records to add, for a host that listens at `listen`.
pub(super) fn records(
    domain: &Domain,
    host: &Domain,
    listen: IpAddr,
    ports: &Ports,
) -> Vec<Record> {
    let record = |name: String, kind, value, comment| Record {
        name,
        kind,
        value,
        comment,
    };
    let policy = PolicyRecord {
        p: Strictness::Open,
        sp: Some(Strictness::Open),
        id: "1".to_owned(),
        ma: None,
    };
    let service = |label: &str, port: u16, comment| {
        let value = format!("0 0 {port} {host}.");
        record(format!("{label}.{domain}."), "SRV", value, comment)
    };
    let alias = |label: &str, comment| {
        let name = format!("{label}.{domain}.");
        record(name, "CNAME", format!("{host}."), comment)
    };
    let mx = format!("10 {host}.");
    let (kind, address, comment) = address(listen);
    let (sni, text) = (capability::HOST_LABEL, capability::TXT_LABEL);
    let quoted = format!("\"{policy}\"");
    let mut records = vec![
        record(format!("{domain}."), "MX", mx, ""),
        record(format!("{host}."), kind, address, comment),
        alias(sni, "so that a TLS certificate can be had for it"),
        // spec §2.3.1: at the domain itself.
        record(format!("{text}.{domain}."), "TXT", quoted, ""),
        service(
            capability::SRV_LABEL,
            ports.direct,
            "for networks that block port 25",
        ),
        service("_submissions._tcp", ports.submissions, ""),
        service("_imaps._tcp", ports.imaps, ""),
    ];
    if ports.serve_https() {
        let id = https::policy_id(host, MtaSts::Enforce);
        let policy = format!("\"v=STSv1; id={id}\"");
        let (keys, label) = (email2::wkd::HOST_LABEL, https::MTA_STS_LABEL);
        records.push(alias(keys, "where other OpenPGP programs find keys"));
        records.push(alias(label, "where others find that TLS is a must"));
        records.push(record(format!("_{label}.{domain}."), "TXT", policy, ""));
    }
    records
}

/// Type, value and comment of the host's address: all that is known is where it listens.
fn address(listen: IpAddr) -> (&'static str, String, &'static str) {
    match listen {
        listen if listen.is_unspecified() => {
            let value = "the address of this host".to_owned();
            ("A", value, "and AAAA, if it has one")
        }
        IpAddr::V4(listen) => ("A", listen.to_string(), ""),
        IpAddr::V6(listen) => ("AAAA", listen.to_string(), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_records_say_what_is_served() {
        let domain = Domain::parse("example.org").unwrap();
        let host = Domain::parse("mail.example.org").unwrap();
        let ports = Ports::from(0).unwrap();
        let everywhere = IpAddr::from([0, 0, 0, 0]);
        let lines: Vec<String> = records(&domain, &host, everywhere, &ports)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(lines[0], "example.org. MX 10 mail.example.org.");
        assert_eq!(
            lines[3],
            "_email2.example.org. TXT \"v=EMAIL2; p=open; sp=open; id=1\""
        );
        assert!(lines[4].starts_with("_email2._tcp.example.org. SRV 0 0 443 mail.example.org."));
        assert_eq!(
            lines[6],
            "_imaps._tcp.example.org. SRV 0 0 993 mail.example.org."
        );
    }

    #[test]
    fn what_is_served_over_https_is_found_at_its_own_port_only() {
        let domain = Domain::parse("example.org").unwrap();
        let host = Domain::parse("mail.example.org").unwrap();
        let lines = |offset| -> Vec<String> {
            let everywhere = IpAddr::from([0, 0, 0, 0]);
            let records = records(&domain, &host, everywhere, &Ports::from(offset).unwrap());
            records.iter().skip(7).map(ToString::to_string).collect()
        };
        let here = lines(0);
        assert!(here[0].starts_with("openpgpkey.example.org. CNAME mail.example.org.  ; "));
        assert!(here[1].starts_with("mta-sts.example.org. CNAME mail.example.org.  ; "));
        let record = here[2].strip_prefix("_mta-sts.example.org. TXT \"v=STSv1; id=");
        assert_eq!(record.unwrap().len(), 21);
        assert_eq!(lines(10_000), Vec::<String>::new());
    }

    #[test]
    fn the_address_is_the_one_that_is_listened_at() {
        let here = address(IpAddr::from([127, 0, 0, 2]));
        assert_eq!(here, ("A", "127.0.0.2".to_owned(), ""));
        let here = address("2001:db8::25".parse().unwrap());
        assert_eq!(here, ("AAAA", "2001:db8::25".to_owned(), ""));
        let unknown = address("::".parse().unwrap());
        assert_eq!(unknown.1, "the address of this host");
    }
}
