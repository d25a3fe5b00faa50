//! A server for two domains, example.com and example.org, and the people who live there.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use email2::certificate::Certificate;
use email2::certificate::generate::generate;
use email2::limits;
use email2::seal::{ContentDigest, Nonce, Role, SealRequest, sign};
use email2::secret::SecretKey;
use email2::{Address, Identity, ReversePath};
use email2_io::World;
use email2_io::world::NetworkConfig;
use email2_store::{Account, NewAccount, Opening, Replaces, Secret, Store, Version};
use email2d::config::Config;
use email2d::{Running, Server};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

/// A server that runs, and a second handle on its store.
pub(crate) struct House {
    pub(crate) running: Running,
    pub(crate) store: Store,
    pub(crate) world: World,
    pub(crate) ca: PathBuf,
    pub(crate) folder: TempDir,
}

/// Somebody with an account, a key and a device.
pub(crate) struct Person {
    pub(crate) address: Address,
    pub(crate) account: Account,
    pub(crate) secret: SecretKey,
    /// The device's password.
    pub(crate) token: String,
}

impl House {
    pub(crate) async fn open() -> House {
        House::with("").await
    }

    /// With more lines of configuration in front.
    pub(crate) async fn with(lines: &str) -> House {
        // Nobody answers there: both domains are this server's own.
        House::asking("127.0.0.1:9".parse().unwrap(), lines).await
    }

    /// With another resolver.
    pub(crate) async fn asking(resolver: SocketAddr, lines: &str) -> House {
        let folder = tempfile::tempdir().unwrap();
        let ca = certificates(folder.path());
        let network = NetworkConfig {
            dns: vec![resolver],
            ca_file: Some(ca.clone()),
            ..NetworkConfig::default()
        };
        let world = World::real(&network).unwrap();
        let data = folder.path().join("data");
        let text = configuration(folder.path(), lines);
        write(folder.path(), "config.toml", &text);
        let mut config: Config = toml::from_str(&text).unwrap();
        config.network = network;
        let running = Server::start(config, world.clone()).await.unwrap();
        House {
            store: Store::open(&data, Opening::Visit, world.now()).unwrap(),
            running,
            world,
            ca,
            folder,
        }
    }

    /// Runs the program beside the server, with its configuration; the object that it prints.
    pub(crate) fn program(&self, arguments: &[&str]) -> serde_json::Value {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_email2d"))
            .arg("--config")
            .arg(self.folder.path().join("config.toml"))
            .arg("--json")
            .args(arguments)
            .output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// An account with a published key and a token.
    pub(crate) async fn person(&self, address: &str) -> Person {
        let account = self.account(address, None).await;
        let who = Identity::Address(account.address.clone());
        let secret = generate(&who, self.world.now(), &mut self.world.rng()).unwrap();
        self.publish(&who, &secret, Replaces::Keep).await;
        let token = Secret::token(&mut self.world.rng());
        let now = self.world.now();
        let added = self.store.add_token(account.id, "test", &token, now).await;
        added.unwrap();
        Person {
            address: account.address.clone(),
            account,
            secret,
            token: token.reveal().to_owned(),
        }
    }

    /// An account whose key the server holds, and the password of its ordinary program.
    pub(crate) async fn held(&self, address: &str) -> Person {
        let account = self.account(address, None).await;
        let (now, mut rng) = (self.world.now(), self.world.rng());
        let data = self.folder.path().join("data");
        let held = email2d::held_key::hold(&data, &self.store, &account, now, &mut rng).await;
        let token = Secret::token(&mut rng);
        let added = self
            .store
            .add_token(account.id, "program", &token, now)
            .await;
        added.unwrap();
        let who = Identity::Address(account.address.clone());
        let served = self.store.served(&who).await.unwrap().unwrap();
        assert_eq!(served.primary, held.unwrap());
        Person {
            address: account.address.clone(),
            account,
            // Nobody but the server has the secret key: this one is worth nothing.
            secret: generate(&who, now, &mut rng).unwrap(),
            token: token.reveal().to_owned(),
        }
    }

    /// What lies in somebody's INBOX as soon as there are `count` messages.
    pub(crate) async fn inbox_of(&self, account: &Account, count: usize) -> Vec<(String, bool)> {
        for _ in 0..400 {
            let found = self.inbox(account).await;
            if found.len() >= count {
                return found;
            }
            self.world
                .clock
                .sleep(std::time::Duration::from_millis(25))
                .await;
        }
        panic!("{} got less than {count} messages", account.address);
    }

    /// An account without a key.
    pub(crate) async fn account(&self, address: &str, quota: Option<u64>) -> Account {
        let new = NewAccount {
            address: address.parse().unwrap(),
            quota,
            strict: false,
            unlisted: address.starts_with("hidden@"),
        };
        let added = self.store.add_account(&new, self.world.now()).await;
        added.unwrap()
    }

    pub(crate) async fn publish(&self, who: &Identity, secret: &SecretKey, replaces: Replaces) {
        let version = House::version(who, secret.certificate());
        let now = self.world.now();
        let published = self.store.publish(version, replaces, now).await;
        assert!(published.unwrap());
    }

    pub(crate) fn version(who: &Identity, certificate: &Certificate) -> Version {
        Version {
            identity: who.clone(),
            primary: certificate.primary().clone(),
            keys: certificate.signing_keys(),
            etag: certificate.etag(),
            octets: certificate.octets().to_vec(),
        }
    }

    /// `content` under a fresh seal of `author` for `recipients`.
    pub(crate) fn sealed(&self, author: &Person, recipients: &[&str], content: &str) -> String {
        let mut rng = self.world.rng();
        let now = self.world.now();
        let request = SealRequest {
            role: Role::Author,
            signer: Identity::Address(author.address.clone()),
            reverse_path: ReversePath::Address(author.address.clone()),
            recipients: recipients.iter().map(|to| to.parse().unwrap()).collect(),
            created: now,
            expires: now + limits::SEAL_LIFETIME,
            nonce: Nonce::random(&mut rng),
            digest: ContentDigest::of(content.as_bytes()).unwrap(),
        };
        let seal = sign(&request, &author.secret, &mut rng).unwrap();
        seal.field() + content
    }

    /// What lies in somebody's INBOX: the octets, and whether they are shown as verified.
    pub(crate) async fn inbox(&self, account: &Account) -> Vec<(String, bool)> {
        let mailboxes = self.store.mailboxes(account.id).await.unwrap();
        let inbox = mailboxes.iter().find(|mailbox| mailbox.name == "INBOX");
        let messages = self.store.messages(inbox.unwrap().id).await.unwrap();
        let mut found = Vec::new();
        for message in messages {
            let body = self.store.message_body(message.id).await.unwrap();
            let octets = body.read(0, usize::MAX).await.unwrap();
            let text = String::from_utf8(octets).unwrap();
            found.push((text, message.origin.is_verified()));
        }
        found
    }
}

impl Person {
    /// A message of this author's, ready to be sealed.
    pub(crate) fn letter(&self, to: &str, body: &str) -> String {
        let from = &self.address;
        format!("From: {from}\r\nTo: {to}\r\nSubject: hello\r\nMessage-ID: <1@x>\r\n\r\n{body}")
    }

    /// `MAIL` that announces this author's seal.
    pub(crate) fn announces(&self) -> String {
        let mut mail = email2_smtp::Mail::new(ReversePath::Address(self.address.clone()));
        mail.announced = Some(email2::evidence::Announced {
            role: Role::Author,
            signer: Identity::Address(self.address.clone()),
        });
        mail.to_string()
    }
}

fn configuration(folder: &Path, lines: &str) -> String {
    let folder = folder.display();
    format!(
        "hostname = 'mx.example.com'\ndata_directory = '{folder}/data'\n{lines}\n\
         [[domain]]\nname = 'example.com'\nlocal = true\npostmaster = 'alice@example.com'\n\
         mta_sts = 'enforce'\n\
         [[domain]]\nname = 'example.org'\nlocal = true\n\
         [listen]\nmx = ['127.0.0.1:0']\ndirect = ['127.0.0.1:0']\n\
         submissions = ['127.0.0.1:0']\nsubmission = ['127.0.0.1:0']\n\
         imaps = ['127.0.0.1:0']\nhttps = ['127.0.0.1:0']\n\
         [[tls]]\ncertificate = '{folder}/host.pem'\nkey = '{folder}/host.key'\n"
    )
}

/// The host's certificate and key; gives the file of the authority that signed it.
fn certificates(folder: &Path) -> PathBuf {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let names = vec!["mx.example.com".to_owned(), "email2.example.com".to_owned()];
    let key = KeyPair::generate().unwrap();
    let host = CertificateParams::new(names).unwrap();
    let host = host.signed_by(&key, &authority).unwrap();
    write(folder, "host.pem", &host.pem());
    write(folder, "host.key", &key.serialize_pem());
    write(folder, "ca.pem", &authority.pem());
    folder.join("ca.pem")
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}
