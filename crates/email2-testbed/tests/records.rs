//! `email2d dns`: what it prints makes a zone, and it sees what a zone lacks.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking, in its helping functions too"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Command, Output};

use email2_io::dns::Tlsa;
use email2_testbed::authority::{Authority, Fault};
use email2_testbed::zone::Zone;
use serde_json::Value;

const DNS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 1, 1, 53));

fn email2d(folder: &Path, arguments: &[&str]) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_email2-bench")).with_file_name("email2d");
    let mut command = Command::new(program);
    command.env_remove("EMAIL2_CONFIG").current_dir(folder);
    command.args(["--config", "config.toml"]).args(arguments);
    command.output().unwrap()
}

/// A server of two domains, the first with the keys of DKIM, in a world of this DNS.
fn set_up(folder: &Path, authority: &Authority) {
    let made = email2d(
        folder,
        &[
            "quickstart",
            "example.org",
            "--data",
            "data",
            "--listen",
            "127.1.1.2",
        ],
    );
    assert!(made.status.success(), "{made:?}");
    std::fs::write(folder.join("anchor"), authority.anchor()).unwrap();
    let file = folder.join("config.toml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.push_str(&format!("dns = [\"{}\"]\n", authority.address()));
    text.push_str("dnssec_anchor = \"anchor\"\n[[domain]]\nname = \"example.net\"\n");
    std::fs::write(file, text).unwrap();
}

/// The records as they are printed.
fn records(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn word<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap()
}

/// A zone of the records that were printed for its domain.
fn zone(origin: &str, records: &[Value]) -> Zone {
    let of = records
        .iter()
        .filter(|record| word(record, "domain") == origin);
    of.fold(Zone::new(origin), |zone, record| {
        let owner = word(record, "name").trim_end_matches('.');
        let value = word(record, "value");
        let words: Vec<&str> = value.split(' ').collect();
        let host = words.last().unwrap().trim_end_matches('.');
        match word(record, "type") {
            "MX" => zone.mx(owner, words[0].parse().unwrap(), host).unwrap(),
            "A" => zone.address(owner, value.parse().unwrap()),
            "CNAME" => zone.alias(owner, host).unwrap(),
            "SRV" => zone
                .service(owner, words[2].parse().unwrap(), host)
                .unwrap(),
            "TXT" => zone.text(
                owner,
                &value.split('"').skip(1).step_by(2).collect::<String>(),
            ),
            "TLSA" => zone.pin(owner, &pin(&words)),
            other => panic!("{other} {owner}"),
        }
    })
}

fn pin(words: &[&str]) -> Tlsa {
    let octet = |at: usize| u8::from_str_radix(&words[3][at..at + 2], 16).unwrap();
    Tlsa {
        usage: words[0].parse().unwrap(),
        selector: words[1].parse().unwrap(),
        matching: words[2].parse().unwrap(),
        data: (0..words[3].len()).step_by(2).map(octet).collect(),
    }
}

/// Names and states of what is not present.
fn absent(output: &Output) -> Vec<(String, String)> {
    let records = records(output).into_iter();
    let absent = records.filter(|record| word(record, "state") != "present");
    absent
        .map(|record| {
            (
                word(&record, "name").to_owned(),
                word(&record, "state").to_owned(),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_printed_makes_a_zone_that_is_found_good() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut authority = Authority::start(DNS).unwrap();
    set_up(folder, &authority);
    let printed = records(&email2d(folder, &["--json", "dns"]));
    for domain in ["example.org", "example.net"] {
        let zone = zone(domain, &printed).signed();
        authority.publish(zone).unwrap();
    }
    let check = email2d(folder, &["--json", "dns", "--check"]);
    assert!(check.status.success(), "{check:?}");
    assert_eq!(absent(&check), []);
    let of = |kind: &str| {
        printed
            .iter()
            .filter(|one| word(one, "type") == kind)
            .count()
    };
    // MX, policy, SPF, DMARC of both; MTA-STS and two DKIM keys of the first.
    assert_eq!((of("MX"), of("TXT"), of("TLSA")), (2, 9, 1), "{printed:?}");
    authority.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_differs_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut authority = Authority::start(DNS).unwrap();
    set_up(folder, &authority);
    let printed = records(&email2d(folder, &["--json", "dns", "example.org"]));
    let other = Tlsa {
        usage: 3,
        selector: 1,
        matching: 1,
        data: vec![7; 32],
    };
    let (pinned, selector) = ("_25._tcp.mail.example.org", "e2ed._domainkey.example.org");
    let good = zone("example.org", &printed);
    let bad = good.clone().without(pinned).pin(pinned, &other);
    let bad = bad.without(selector).text(selector, "v=DKIM1; p=QUFBQQ==");
    let bad = bad
        .without("_dmarc.example.org")
        .without("_email2.example.org");
    authority.publish(bad.signed()).unwrap();
    let dns = ["--json", "dns", "example.org", "--check"];
    let check = email2d(folder, &dns);
    assert_eq!(check.status.code(), Some(78), "{check:?}");
    let said = String::from_utf8_lossy(&check.stderr);
    assert!(said.contains("3 of the records that mail needs"), "{said}");
    let named = |name: &str, state: &str| (format!("{name}."), state.to_owned());
    let expected = [
        named(pinned, "differs"),
        named("_email2.example.org", "missing"),
        named("_dmarc.example.org", "missing"),
        named(selector, "differs"),
    ];
    assert_eq!(absent(&check), expected);
    // Without DNSSEC a pin counts for nothing; what is only suggested is no fault.
    let bare = good.without("_dmarc.example.org").without(pinned);
    authority.publish(bare).unwrap();
    let check = email2d(folder, &["dns", "example.org", "--check"]);
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success(), "{check:?}");
    assert!(
        said.contains("suggested _dmarc.example.org. TXT \"v=DMARC1; p=none\""),
        "{said}"
    );
    assert!(
        said.contains("present   example.org. MX 10 mail.example.org."),
        "{said}"
    );
    assert!(!said.contains("TLSA"), "{said}");
    authority
        .fault("_email2.example.org", None, Fault::ServFail)
        .unwrap();
    let check = email2d(folder, &dns);
    assert_eq!(check.status.code(), Some(75), "{check:?}");
    assert_eq!(absent(&check)[0], named("_email2.example.org", "unknown"));
    assert_eq!(
        email2d(folder, &["dns", "example.com"]).status.code(),
        Some(68)
    );
    authority.stop().await;
}
