//! Both sides against each other, over an in-memory stream.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;
use crate::clock::{ShiftedClock, SystemClock};
use crate::net::Stream;

struct Authority {
    dir: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), issuer.pem()).unwrap();
        Authority { dir, issuer }
    }

    fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    fn issue(&self, file: &str, names: &[&str]) -> CertificateFiles {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = CertificateFiles {
            certificate: self.dir.path().join(format!("{file}.pem")),
            key: self.dir.path().join(format!("{file}.key")),
        };
        std::fs::write(&files.certificate, certificate.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

fn ask(sni: &str, host: &str) -> TlsAsk {
    TlsAsk {
        sni: sni.to_owned(),
        names: vec![
            AcceptedName::Exact(sni.to_owned()),
            AcceptedName::Host(host.to_owned()),
        ],
        alpn: None,
        pins: None,
    }
}

async fn meet(
    client: &ClientTls,
    server: &ServerTls,
    ask: &TlsAsk,
    alpn: &[&[u8]],
) -> (Result<Secured, TlsFailure>, Result<Arrived, TlsFailure>) {
    let (near, far) = duplex(64 * 1024);
    let near: Stream = Box::new(near);
    futures::join!(
        client.connect(near, ask),
        server.accept(Box::new(far), alpn)
    )
}

#[tokio::test]
async fn the_domain_name_is_matched_before_the_host() {
    let authority = Authority::new();
    let files = [authority.issue("both", &["email2.example.org", "mx.example.org"])];
    let server = ServerTls::new(&files, clock()).unwrap();
    let client = ClientTls::new(Some(&authority.ca_file()), clock()).unwrap();
    let asked = ask("email2.example.org", "mx.example.org");
    let (secured, arrived) = meet(&client, &server, &asked, &[]).await;
    let secured = secured.unwrap();
    assert_eq!(
        secured.matched,
        AcceptedName::Exact("email2.example.org".to_owned())
    );
    assert!(secured.by_given_authority);
    assert_eq!(arrived.unwrap().sni.as_deref(), Some("email2.example.org"));
    let other = ask("email2.example.net", "mx.example.org");
    let secured = meet(&client, &server, &other, &[]).await.0.unwrap();
    assert_eq!(
        secured.matched,
        AcceptedName::Host("mx.example.org".to_owned())
    );
}

#[tokio::test]
async fn a_wildcard_is_no_domain_certificate() {
    let authority = Authority::new();
    let files = [authority.issue("wild", &["*.example.org", "example.org"])];
    let server = ServerTls::new(&files, clock()).unwrap();
    let client = ClientTls::new(Some(&authority.ca_file()), clock()).unwrap();
    let asked = ask("email2.example.org", "mx.example.org");
    let secured = meet(&client, &server, &asked, &[]).await.0.unwrap();
    assert_eq!(
        secured.matched,
        AcceptedName::Host("mx.example.org".to_owned())
    );
    let foreign = ask("email2.example.net", "mx.example.net");
    let failure = meet(&client, &server, &foreign, &[]).await.0.err().unwrap();
    assert!(matches!(failure, TlsFailure::WrongName { .. }), "{failure}");
    assert!(failure.is_definite());
}

#[tokio::test]
async fn an_unknown_authority_and_an_expired_certificate_are_refused() {
    let authority = Authority::new();
    let another = Authority::new();
    let files = [authority.issue("host", &["mx.example.org"])];
    let server = ServerTls::new(&files, clock()).unwrap();
    let asked = ask("mx.example.org", "mx.example.org");
    let stranger = ClientTls::new(Some(&another.ca_file()), clock()).unwrap();
    let failure = meet(&stranger, &server, &asked, &[]).await.0.err().unwrap();
    assert!(matches!(failure, TlsFailure::Untrusted(_)), "{failure}");
    let later = ShiftedClock::new(clock());
    later.shift(4000 * 365 * 24 * 3600);
    let client = ClientTls::new(Some(&authority.ca_file()), Arc::new(later)).unwrap();
    let failure = meet(&client, &server, &asked, &[]).await.0.err().unwrap();
    assert!(failure.to_string().contains("expired"), "{failure}");
}

#[tokio::test]
async fn alpn_must_be_selected_where_it_is_demanded() {
    let authority = Authority::new();
    let files = [authority.issue("host", &["mx.example.org"])];
    let server = ServerTls::new(&files, clock()).unwrap();
    let client = ClientTls::new(Some(&authority.ca_file()), clock()).unwrap();
    let mut asked = ask("mx.example.org", "mx.example.org");
    asked.alpn = Some(b"email2");
    let (secured, arrived) = meet(&client, &server, &asked, &[b"email2"]).await;
    assert!(secured.is_ok());
    assert_eq!(arrived.unwrap().alpn.as_deref(), Some(&b"email2"[..]));
    for spoken in [&[][..], &[&b"imap"[..]][..]] {
        let failure = meet(&client, &server, &asked, spoken)
            .await
            .0
            .err()
            .unwrap();
        assert!(matches!(failure, TlsFailure::NoAlpn(_)), "{failure}");
    }
}

#[tokio::test]
async fn the_certificate_is_chosen_by_name_and_read_again_when_renewed() {
    let authority = Authority::new();
    let files = [
        authority.issue("first", &["mx.example.org"]),
        authority.issue("second", &["email2.example.net"]),
    ];
    let server = ServerTls::new(&files, clock()).unwrap();
    let client = ClientTls::new(Some(&authority.ca_file()), clock()).unwrap();
    let second = ask("email2.example.net", "mx.example.net");
    assert!(meet(&client, &server, &second, &[]).await.0.is_ok());
    authority.issue("first", &["mx.example.org", "email2.example.org"]);
    clock().sleep(Duration::from_millis(1100)).await;
    let renewed = ask("email2.example.org", "none.example.org");
    let secured = meet(&client, &server, &renewed, &[]).await.0;
    assert!(secured.is_ok(), "{:?}", secured.err());
}

/// R09: the old pair is served until the new one is whole; who is connected stays so.
#[tokio::test]
async fn r09_a_half_written_renewal_is_not_taken_and_sessions_live_on() {
    let authority = Authority::new();
    let files = [authority.issue("host", &["mx.example.org"])];
    let server = ServerTls::new(&files, clock()).unwrap();
    let client = ClientTls::new(Some(&authority.ca_file()), clock()).unwrap();
    let old = ask("email2.example.org", "mx.example.org");
    let (near, far) = meet(&client, &server, &old, &[]).await;
    let (mut near, mut far) = (near.unwrap().stream, far.unwrap().stream);
    let renewed = authority.issue("renewed", &["email2.example.org"]);
    let [certificate, key] =
        [&renewed.certificate, &renewed.key].map(|file| std::fs::read(file).unwrap());
    let half = &certificate[..certificate.len() / 2];
    for (written, is_whole) in [(half, false), (certificate.as_slice(), true)] {
        std::fs::write(&files[0].certificate, written).unwrap();
        if is_whole {
            // A new certificate beside the old key is no pair either.
            clock().sleep(Duration::from_millis(1100)).await;
            let shown = meet(&client, &server, &old, &[]).await.0.unwrap();
            assert_eq!(shown.matched.as_str(), "mx.example.org");
            std::fs::write(&files[0].key, &key).unwrap();
        }
        clock().sleep(Duration::from_millis(1100)).await;
        let shown = meet(&client, &server, &old, &[]).await.0.unwrap();
        let wanted = match is_whole {
            true => "email2.example.org",
            false => "mx.example.org",
        };
        assert_eq!(shown.matched.as_str(), wanted);
    }
    near.write_all(b"NOOP\r\n").await.unwrap();
    let mut heard = [0; 6];
    far.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"NOOP\r\n");
}

/// Says of every chain what a test wants.
#[derive(Debug)]
struct Says(Pinned);

impl Pins for Says {
    fn judge(&self, _chain: &[&[u8]]) -> Pinned {
        self.0.clone()
    }
}

async fn meet_ordinary(
    client: &ClientTls,
    server: &ServerTls,
    trust: OrdinaryTrust,
) -> Result<Option<AcceptedName>, TlsFailure> {
    let (near, far) = duplex(64 * 1024);
    let near: Stream = Box::new(near);
    let asked = ask("mx.example.org", "mx.example.org");
    let (shaken, _) = futures::join!(
        client.connect_ordinary(near, &asked, &trust),
        server.accept(Box::new(far), &[])
    );
    shaken.map(|secured| secured.matched)
}

/// spec §12.2.1, §12.2.2
#[tokio::test]
async fn what_dns_says_of_a_chain_is_carried_out() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let files = [authority.issue("host", &["mx.example.org"])];
    let server = ServerTls::new(&files, clock()).unwrap();
    let client = ClientTls::new(Some(&stranger.ca_file()), clock()).unwrap();
    let host = Some(AcceptedName::Host("mx.example.org".to_owned()));
    let pinned = |says| OrdinaryTrust::Pinned(Arc::new(Says(says)));
    let anchor = |of: &Authority| Pinned::Anchors(vec![of.issuer.der().to_vec()]);
    let met = async |trust| meet_ordinary(&client, &server, trust).await;
    assert_eq!(met(OrdinaryTrust::Anybody).await.unwrap(), None);
    assert!(met(OrdinaryTrust::Named).await.is_err());
    assert_eq!(met(pinned(Pinned::Leaf)).await.unwrap(), host);
    assert_eq!(met(pinned(anchor(&authority))).await.unwrap(), host);
    let wrong = met(pinned(anchor(&stranger))).await.unwrap_err();
    assert!(matches!(wrong, TlsFailure::Untrusted(_)), "{wrong}");
    assert_eq!(met(pinned(Pinned::Unusable)).await.unwrap(), None);
    let both = met(pinned(Pinned::Mismatch("both sides".to_owned()))).await;
    let why = both.unwrap_err().to_string();
    assert!(why.contains("TLSA records name: both sides"), "{why}");
}

#[tokio::test]
async fn an_anchor_vouches_for_its_hosts_name_and_for_no_other() {
    let authority = Authority::new();
    let files = [authority.issue("host", &["other.example.org"])];
    let server = ServerTls::new(&files, clock()).unwrap();
    let client = ClientTls::new(Some(&Authority::new().ca_file()), clock()).unwrap();
    let anchors = Pinned::Anchors(vec![authority.issuer.der().to_vec()]);
    let trust = OrdinaryTrust::Pinned(Arc::new(Says(anchors)));
    let failure = meet_ordinary(&client, &server, trust).await.unwrap_err();
    assert!(matches!(failure, TlsFailure::WrongName { .. }), "{failure}");
}

/// A session of Email 2.0 takes DNS's word for the host's own name, beside the authorities.
#[tokio::test]
async fn pins_vouch_for_a_host_and_never_for_the_domains_name() {
    let authority = Authority::new();
    let files = [authority.issue("both", &["email2.example.org", "mx.example.org"])];
    let server = ServerTls::new(&files, clock()).unwrap();
    let client = ClientTls::new(Some(&Authority::new().ca_file()), clock()).unwrap();
    let mut asked = ask("email2.example.org", "mx.example.org");
    assert!(meet(&client, &server, &asked, &[]).await.0.is_err());
    asked.pins = Some(Arc::new(Says(Pinned::Leaf)));
    let secured = meet(&client, &server, &asked, &[]).await.0.unwrap();
    let host = AcceptedName::Host("mx.example.org".to_owned());
    assert_eq!(secured.matched, host);
    asked.pins = Some(Arc::new(Says(Pinned::Unusable)));
    assert!(meet(&client, &server, &asked, &[]).await.0.is_err());
}

#[tokio::test]
async fn shutting_down_sends_close_notify() {
    let authority = Authority::new();
    let files = [authority.issue("host", &["mx.example.org"])];
    let server = ServerTls::new(&files, clock()).unwrap();
    let client = ClientTls::new(Some(&authority.ca_file()), clock()).unwrap();
    let asked = ask("mx.example.org", "mx.example.org");
    let (secured, arrived) = meet(&client, &server, &asked, &[]).await;
    let (mut near, mut far) = (secured.unwrap().stream, arrived.unwrap().stream);
    near.write_all(b"QUIT\r\n").await.unwrap();
    near.shutdown().await.unwrap();
    let mut heard = Vec::new();
    // Without close_notify this would be an error, UnexpectedEof.
    far.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"QUIT\r\n");
}

#[test]
fn files_that_do_not_fit_are_named() {
    let authority = Authority::new();
    let first = authority.issue("first", &["mx.example.org"]);
    let second = authority.issue("second", &["mx.example.org"]);
    let mixed = CertificateFiles {
        certificate: first.certificate,
        key: second.key.clone(),
    };
    let error = ServerTls::new(&[mixed], clock()).unwrap_err().to_string();
    assert!(error.contains("second.key"), "{error}");
    let missing = CertificateFiles {
        certificate: authority.dir.path().join("missing.pem"),
        key: second.key,
    };
    let error = ServerTls::new(&[missing], clock()).unwrap_err().to_string();
    assert!(error.contains("missing.pem"), "{error}");
}
