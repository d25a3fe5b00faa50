//! HTTPS: the Web Key Directory and the MTA-STS policy, and nothing else.

use email2::certificate::Certificate;
use email2::limits;
use email2::wkd::Method;

use crate::house::House;
use crate::wire::Wire;

/// What a request got.
struct Got {
    status: String,
    fields: String,
    body: Vec<u8>,
}

impl Got {
    fn of(octets: &[u8]) -> Got {
        let end = octets.windows(4).position(|part| part == b"\r\n\r\n");
        let (head, body) = octets.split_at(end.unwrap() + 4);
        let head = String::from_utf8(head.to_vec()).unwrap();
        let (status, fields) = head.split_once("\r\n").unwrap();
        Got {
            status: status.strip_prefix("HTTP/1.1 ").unwrap().to_owned(),
            fields: fields.to_ascii_lowercase(),
            body: body.to_vec(),
        }
    }
}

async fn open(house: &House) -> Wire {
    let direct = house.running.listening().direct[0];
    Wire::secured(house, direct, Some("http/1.1")).await
}

async fn ask(house: &House, method: &str, host: &str, target: &str) -> Got {
    let mut wire = open(house).await;
    let request =
        format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    wire.send(&request).await;
    Got::of(&wire.rest().await)
}

/// Where the key of an address stands.
fn place(method: Method, address: &str) -> (String, String) {
    let address: email2::Address = address.parse().unwrap();
    (
        method.host(address.domain()),
        method.target(&address).unwrap(),
    )
}

async fn key(house: &House, method: Method, address: &str) -> Got {
    let (host, target) = place(method, address);
    ask(house, "GET", &host, &target).await
}

#[tokio::test]
async fn both_methods_give_the_key_without_its_post_quantum_part() {
    let house = House::open().await;
    let alice = house.person("alice@example.com").await;
    for method in [Method::Advanced, Method::Direct] {
        let got = key(&house, method, "alice@example.com").await;
        assert_eq!(got.status, "200 OK");
        assert!(
            got.fields
                .contains("content-type: application/octet-stream\r\n")
        );
        assert!(got.fields.contains("access-control-allow-origin: *\r\n"));
        let given = Certificate::parse(&got.body).unwrap();
        assert_eq!(given.primary(), alice.secret.certificate().primary());
        assert!(alice.secret.certificate().has_post_quantum());
        assert!(!given.has_post_quantum());
        assert_eq!(given.user_ids(), ["alice@example.com"]);
    }
    // At the door that is for HTTPS alone too.
    let https = house.running.listening().https[0];
    let mut wire = Wire::secured(&house, https, None).await;
    let (host, target) = place(Method::Direct, "alice@example.com");
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    wire.send(&request).await;
    assert_eq!(Got::of(&wire.rest().await).status, "200 OK");
}

#[tokio::test]
async fn who_is_not_there_and_who_is_unlisted_are_the_same() {
    let house = House::open().await;
    house.person("hidden@example.com").await;
    house.person("Bob@example.com").await;
    house.account("keyless@example.com", None).await;
    let nobody = key(&house, Method::Advanced, "nobody@example.com").await;
    assert_eq!(nobody.status, "404 Not Found");
    for address in [
        "hidden@example.com",
        "keyless@example.com",
        "bob@example.com",
    ] {
        let got = key(&house, Method::Advanced, address).await;
        assert_eq!((&got.status, &got.body), (&nobody.status, &nobody.body));
        assert_eq!(got.fields.len(), nobody.fields.len(), "{address}");
    }
    // Two addresses have this hash: the local part says which is meant.
    let bob = key(&house, Method::Advanced, "Bob@example.com").await;
    assert_eq!(bob.status, "200 OK");
    let (host, target) = place(Method::Advanced, "Bob@example.com");
    let without = target.split('?').next().unwrap();
    assert_eq!(
        ask(&house, "GET", &host, without).await.status,
        "404 Not Found"
    );
    let another = target.replace("l=Bob", "l=hidden");
    assert_eq!(
        ask(&house, "GET", &host, &another).await.status,
        "404 Not Found"
    );
}

#[tokio::test]
async fn policies_stand_at_their_hosts_and_nothing_else_does() {
    let house = House::open().await;
    let directory = "/.well-known/openpgpkey/example.com/policy";
    let got = ask(&house, "GET", "openpgpkey.example.com", directory).await;
    assert_eq!((got.status.as_str(), got.body.len()), ("200 OK", 0));
    let sts = "/.well-known/mta-sts.txt";
    let got = ask(&house, "GET", "mta-sts.example.com", sts).await;
    assert_eq!(got.status, "200 OK");
    assert!(got.fields.contains("content-type: text/plain"));
    let policy = "version: STSv1\r\nmode: enforce\r\nmx: mx.example.com\r\nmax_age: 604800\r\n";
    assert_eq!(String::from_utf8(got.body).unwrap(), policy);
    for (host, target) in [
        ("mta-sts.example.org", sts),
        ("mta-sts.example.net", sts),
        ("example.com", sts),
        ("example.com", "/"),
        ("openpgpkey.example.net", directory),
    ] {
        let got = ask(&house, "GET", host, target).await;
        assert_eq!(got.status, "404 Not Found", "{host}{target}");
    }
}

#[tokio::test]
async fn a_head_has_no_body_and_nothing_can_be_written() {
    let house = House::open().await;
    house.person("alice@example.com").await;
    let (host, target) = place(Method::Advanced, "alice@example.com");
    let got = ask(&house, "HEAD", &host, &target).await;
    assert_eq!((got.status.as_str(), got.body.len()), ("200 OK", 0));
    assert!(got.fields.contains("content-length: "));
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let got = ask(&house, method, &host, &target).await;
        assert_eq!(got.status, "405 Method Not Allowed", "{method}");
    }
}

#[tokio::test]
async fn a_network_that_guesses_waits() {
    let house = House::open().await;
    house.person("alice@example.com").await;
    let mut statuses = Vec::new();
    for number in 0..limits::UNKNOWN_MINUTE {
        let guessed = format!("guess{number}@example.com");
        statuses.push(key(&house, Method::Advanced, &guessed).await.status);
    }
    assert!(statuses.iter().all(|status| status == "404 Not Found"));
    let got = key(&house, Method::Advanced, "alice@example.com").await;
    assert_eq!(got.status, "429 Too Many Requests");
    // One budget for all ways to ask.
    let mut wire = Wire::mx(&house).await;
    assert_eq!(wire.code("KEY <alice@example.com>").await, "450");
}

#[tokio::test]
async fn a_connection_is_bounded_in_octets_and_requests() {
    let house = House::open().await;
    let mut wire = open(&house).await;
    let long = "x".repeat(9_000);
    wire.send(&format!("GET / HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n"))
        .await;
    let said = String::from_utf8(wire.rest().await).unwrap();
    assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
    let mut wire = open(&house).await;
    wire.send(&"GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(20))
        .await;
    let said = String::from_utf8(wire.rest().await).unwrap();
    assert_eq!(said.matches("HTTP/1.1 404").count(), 8);
    assert_eq!(said.matches("connection: close\r\n").count(), 1);
}
