//! The stage: a world with a DNS of its own, an authority, hosts on loopback, and a `Remote`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use email2::certificate::generate::generate;
use email2::secret::SecretKey;
use email2::{Domain, Identity, KeyAnswer, KeyFlags};
use email2_io::clock::{ShiftedClock, SystemClock};
use email2_io::entropy::OsEntropy;
use email2_io::net::SystemNet;
use email2_io::tls::{CertificateFiles, ServerTls};
use email2_io::{Clock, Net, NetworkConfig, World};
use email2_remote::memory::Forgetful;
use email2_remote::{HomeTrust, Memory, Remote};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::neighbour::{Manners, serve};
use crate::old::{self, Habit, Heard};
use crate::roads::Roads;
use crate::web::{self, Web};
use crate::zone::Zone;

/// Each stage has a network of its own, so that tests may run side by side.
static NETWORK: AtomicU8 = AtomicU8::new(1);

pub(crate) struct Stage {
    pub(crate) zone: Arc<Zone>,
    pub(crate) clock: Arc<ShiftedClock>,
    pub(crate) world: World,
    pub(crate) memory: Arc<Forgetful>,
    pub(crate) remote: Remote,
    network: u8,
    hosts: u8,
    port: u16,
    https_port: u16,
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Stage {
    pub(crate) async fn set() -> Stage {
        Stage::with(|network| network.allow_addresses = vec!["127.0.0.0/8".parse().unwrap()]).await
    }

    /// On a network with these roads besides the usual ones.
    pub(crate) async fn on(roads: Roads) -> Stage {
        let allowed = ["127.0.0.0/8", "2001:db8::/32"].map(|network| network.parse().unwrap());
        let change = |network: &mut NetworkConfig| network.allow_addresses = allowed.to_vec();
        Stage::made(Arc::new(roads), change).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut NetworkConfig)) -> Stage {
        Stage::made(Arc::new(SystemNet), change).await
    }

    async fn made(net: Arc<dyn Net>, change: impl FnOnce(&mut NetworkConfig)) -> Stage {
        let zone = Arc::new(Zone::default());
        let clock = Arc::new(ShiftedClock::new(Arc::new(SystemClock::new())));
        let world = World {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: Arc::new(OsEntropy),
            dns: Arc::<Zone>::clone(&zone),
            net,
        };
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, issuer.pem()).unwrap();
        let (port, https_port) = (free_port(&world).await, free_port(&world).await);
        let mut network = NetworkConfig {
            ca_file: Some(ca_file),
            mx_port: port,
            https_port,
            ..NetworkConfig::default()
        };
        change(&mut network);
        let memory = Arc::new(Forgetful::default());
        let kept = Arc::clone(&memory) as Arc<dyn Memory>;
        let remote = Remote::new(world.clone(), kept, &network, "here.example").unwrap();
        Stage {
            zone,
            clock,
            world,
            memory,
            remote,
            network: NETWORK.fetch_add(1, Ordering::Relaxed),
            hosts: 0,
            port,
            https_port,
            issuer,
            folder,
        }
    }

    /// Another `Remote` with the same memory, as after a restart.
    pub(crate) fn restarted(&self) -> Remote {
        let network = NetworkConfig {
            ca_file: Some(self.folder.path().join("ca.pem")),
            mx_port: self.port,
            https_port: self.https_port,
            allow_addresses: vec!["127.0.0.0/8".parse().unwrap()],
            ..NetworkConfig::default()
        };
        let kept = Arc::clone(&self.memory) as Arc<dyn Memory>;
        Remote::new(self.world.clone(), kept, &network, "here.example").unwrap()
    }

    /// A `Remote` of somebody at `home`, who named this world's authority for that domain, and
    /// trusts another one for all.
    pub(crate) fn at_home(&self, home: &str) -> Remote {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let other = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let ca_file = self.folder.path().join("other.pem");
        std::fs::write(&ca_file, other.pem()).unwrap();
        let network = NetworkConfig {
            ca_file: Some(ca_file),
            mx_port: self.port,
            https_port: self.https_port,
            allow_addresses: vec!["127.0.0.0/8".parse().unwrap()],
            ..NetworkConfig::default()
        };
        let trust = HomeTrust {
            domain: Domain::parse(home).unwrap(),
            ca_file: self.folder.path().join("ca.pem"),
        };
        let kept = Arc::new(Forgetful::default());
        let world = self.world.clone();
        Remote::trusting(world, kept, &network, "here.example", Some(&trust)).unwrap()
    }

    /// A host called `name` with a certificate for `names`.
    pub(crate) async fn host(
        &mut self,
        name: &str,
        names: &[&str],
        manners: Manners,
    ) -> Arc<Manners> {
        self.host_at(name, names, manners, None).await.1
    }

    /// A mail host called `name` that has never heard of Email 2.0.
    pub(crate) async fn old_host(&mut self, name: &str, names: &[&str], habit: Habit) -> Heard {
        let at = self.place(name, self.port);
        let tls = self.tls(names);
        old::serve(self.world.clone(), tls, at, habit).await
    }

    /// An address of nobody's; each `number` has its own.
    pub(crate) fn free_address(number: u8) -> IpAddr {
        [127, 78, NETWORK.fetch_add(1, Ordering::Relaxed), number].into()
    }

    /// The same without a name, at `ip`.
    pub(crate) async fn old_host_at(&self, ip: IpAddr, habit: Habit) -> Heard {
        let tls = self.tls(&["old.example"]);
        let at = SocketAddr::new(ip, self.port);
        old::serve(self.world.clone(), tls, at, habit).await
    }

    /// A web host called `name` with a certificate for `names`.
    pub(crate) async fn web(&mut self, name: &str, names: &[&str]) -> Arc<Web> {
        let at = self.place(name, self.https_port);
        let tls = self.tls(names);
        self.web_with(at, tls).await
    }

    /// The same with a certificate that nobody has issued.
    pub(crate) async fn self_made_web(&mut self, name: &str) -> Arc<Web> {
        let at = self.place(name, self.https_port);
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let tls = self.tls_of(&certificate.pem(), &key);
        self.web_with(at, tls).await
    }

    async fn web_with(&self, at: SocketAddr, tls: ServerTls) -> Arc<Web> {
        let web = Arc::new(Web::default());
        web::serve(self.world.clone(), tls, at, Arc::clone(&web)).await;
        web
    }

    /// A place of its own for a host called `name`.
    fn place(&mut self, name: &str, port: u16) -> SocketAddr {
        self.hosts += 1;
        let ip: IpAddr = [127, 77, self.network, self.hosts].into();
        self.zone.host(name, ip);
        SocketAddr::new(ip, port)
    }

    /// The certificate file of the host that was made last, in DER.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        let file = self.folder.path().join(format!("{}.pem", self.hosts));
        let pem = std::fs::read(file).unwrap();
        CertificateDer::from_pem_slice(&pem).unwrap().to_vec()
    }

    /// The certificate of the authority, DER.
    pub(crate) fn authority(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    /// The address of the host that was made last.
    pub(crate) fn address(&self) -> IpAddr {
        [127, 77, self.network, self.hosts].into()
    }

    /// The same with TLS from the first octet; its port.
    pub(crate) async fn direct_host(
        &mut self,
        name: &str,
        names: &[&str],
        manners: Manners,
    ) -> (u16, Arc<Manners>) {
        let (address, manners) = self.host_at(name, names, manners, Some(0)).await;
        (address.port(), manners)
    }

    async fn host_at(
        &mut self,
        name: &str,
        names: &[&str],
        manners: Manners,
        direct: Option<u16>,
    ) -> (SocketAddr, Arc<Manners>) {
        let address = self.place(name, direct.unwrap_or(self.port));
        let tls = self.tls(names);
        let manners = Arc::new(manners);
        let served = Arc::clone(&manners);
        let bound = serve(self.world.clone(), tls, address, direct.is_some(), served).await;
        (bound, manners)
    }

    fn tls(&self, names: &[&str]) -> ServerTls {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.tls_of(&certificate.pem(), &key)
    }

    fn tls_of(&self, certificate: &str, key: &KeyPair) -> ServerTls {
        let at = |end: &str| self.folder.path().join(format!("{}.{end}", self.hosts));
        let files = CertificateFiles {
            certificate: at("pem"),
            key: at("key"),
        };
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        ServerTls::new(&[files], Arc::clone(&self.world.clock)).unwrap()
    }

    pub(crate) fn key(&self, who: &str) -> SecretKey {
        let who = Identity::parse(who).unwrap();
        generate(&who, self.world.now() - 10, &mut self.world.rng()).unwrap()
    }

    /// The shift of the clock, seconds.
    pub(crate) fn later(&self, seconds: i64) {
        self.clock.shift(seconds);
    }
}

async fn free_port(world: &World) -> u16 {
    let any = "127.0.0.1:0".parse().unwrap();
    world.net.listen(any).await.unwrap().local_addr().port()
}

pub(crate) fn served(key: &SecretKey, flags: KeyFlags) -> KeyAnswer {
    KeyAnswer::Certificate {
        etag: key.certificate().etag_with(&flags),
        ttl: 3600,
        flags,
        octets: key.certificate().octets().to_vec(),
    }
}

/// A host of example.org that answers for bob and for the domain, whose memory is `ma` seconds.
pub(crate) fn answering(stage: &Stage, ma: u32) -> (Manners, SecretKey) {
    let bob = stage.key("bob@example.org");
    let service = stage.key("@example.org");
    let manners = Manners::default();
    manners.answer("bob@example.org", Ok(served(&bob, KeyFlags::default())));
    let flags = KeyFlags {
        ma: Some(ma),
        ..KeyFlags::default()
    };
    manners.answer("@example.org", Ok(served(&service, flags)));
    (manners, bob)
}
