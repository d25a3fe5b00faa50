//! What programs write: sealed by the author's key, marked as automatic (RFC 3834 §3.1.7), with an
//! empty reverse-path. A list writes by a key of the address that takes its commands
//! (spec §14.4.5).

use std::fmt::Write as _;
use std::path::PathBuf;

use email2::address::{Address, Identity, ReversePath};
use email2::certificate::generate::generate_held;
use email2::limits;
use email2::rejection::Rejection;
use email2::seal::{ContentDigest, Nonce, Role, Seal, SealError, SealRequest, sign};
use email2::secret::SecretKey;
use email2_store::queue::NewEntry;
use email2_store::{List, Member, Replaces, Standing};

use super::list::request_address;
use super::onward::waiting;
use super::original::Original;
use super::store_failed;
use crate::enrolment::version;
use crate::outbound::words::Words;
use crate::service_key;
use crate::site::Site;
use crate::trace;

/// Characters of a subject that are repeated.
const SUBJECT: usize = 200;

/// Tells an author what came of their wish.
///
/// # Errors
/// The store failed, or no letter can be sealed.
pub(super) async fn answer(
    site: &Site,
    list: &List,
    author: &Address,
    said: &str,
) -> Result<(), Rejection> {
    let office = office(list)?;
    let text = format!(
        "{list}: {said}.\r\n\r\n\
         Letters of this list reach your Inbox when you expect mail by {list}:\r\n\r\n  \
         email2 contact via {list}\r\n\r\n\
         What {office} does, by the subject of a letter: subscribe, unsubscribe, confirm;\r\n\
         for moderators: approve NUMBER, reject NUMBER.\r\n",
        list = list.address,
    );
    send(
        site,
        list,
        std::slice::from_ref(author),
        "Re: your request",
        &text,
    )
    .await
}

/// Asks the moderators about a letter that waits.
///
/// # Errors
/// The store failed, or no letter can be sealed.
pub(super) async fn ask_moderators(
    site: &Site,
    list: &List,
    members: &[Member],
    id: &str,
    (author, original): (&Address, &Original),
) -> Result<(), Rejection> {
    let office = office(list)?;
    let text = format!(
        "A letter to {list} waits.\r\n\r\n  From: {author}\r\n  Subject: {subject}\r\n\r\n\
         Write to {office} with the subject\r\n\r\n  approve {id}\r\n  reject {id}\r\n",
        list = list.address,
        subject = plain(&original.subject),
    );
    let moderators = members.iter().filter(|m| m.standing == Standing::Moderator);
    let moderators: Vec<Address> = moderators.map(|m| m.address.clone()).collect();
    send(site, list, &moderators, "A letter waits", &text).await
}

fn office(list: &List) -> Result<Address, Rejection> {
    request_address(&list.address).ok_or_else(|| Rejection::LocalError {
        why: format!("{} has no address for requests", list.address),
    })
}

/// A stranger's words as one line of printable ASCII.
pub(super) fn plain(words: &str) -> String {
    let plain = |c: char| match c {
        ' '..='~' => c,
        _ => '?',
    };
    words.chars().take(SUBJECT).map(plain).collect()
}

/// One letter each, for they are nobody else's business.
async fn send(
    site: &Site,
    list: &List,
    to: &[Address],
    subject: &str,
    text: &str,
) -> Result<(), Rejection> {
    let office = office(list)?;
    let key = key(site, Kind::Office, &office).await?;
    let mut entries = Vec::new();
    for to in to {
        let letter = Letter {
            from: &office,
            to,
            subject,
            about: None,
            text,
        };
        entries.push(letter.entry(site, &key).await?);
    }
    site.store.enqueue(entries).await.map_err(store_failed)?;
    site.departures.announce();
    Ok(())
}

/// What a program writes for somebody.
pub(super) struct Letter<'a> {
    /// Whose key seals it.
    pub(super) from: &'a Address,
    /// To whom.
    pub(super) to: &'a Address,
    /// One line of printable ASCII.
    pub(super) subject: &'a str,
    /// The Message-ID that it answers, with its brackets.
    pub(super) about: Option<&'a str>,
    /// Lines that end in CRLF.
    pub(super) text: &'a str,
}

impl Letter<'_> {
    fn compose(&self, site: &Site) -> String {
        let Letter {
            from,
            to,
            subject,
            text,
            ..
        } = self;
        let mut letter = String::new();
        let _ = write!(
            letter,
            "From: {from}\r\nTo: {to}\r\nDate: {date}\r\nMessage-ID: <{id}@{domain}>\r\n\
             Subject: {subject}\r\nAuto-Submitted: auto-replied\r\n",
            date = trace::date(site.world.now()),
            id = site.new_id(),
            domain = from.domain(),
        );
        if let Some(about) = self.about {
            let _ = write!(letter, "In-Reply-To: {about}\r\nReferences: {about}\r\n");
        }
        let _ = write!(
            letter,
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: 8bit\r\n\r\n{text}"
        );
        letter
    }

    /// The letter on its way, sealed by its author, with an empty reverse-path: it causes no
    /// other (RFC 3834 §3.3).
    ///
    /// # Errors
    /// The store failed, or it cannot be sealed.
    pub(super) async fn entry(&self, site: &Site, key: &SecretKey) -> Result<NewEntry, Rejection> {
        let content = self.compose(site);
        let now = site.world.now();
        let seal = self.seal(site, key, &content);
        let seal = seal.map_err(|error| Rejection::LocalError {
            why: format!("an automatic letter cannot be sealed: {error}"),
        })?;
        let mut writer = site.store.write_body().await.map_err(store_failed)?;
        let octets = format!("{}{content}", seal.field());
        let words = Words {
            eight_bit: true,
            ..Words::default()
        };
        writer.push(octets.as_bytes()).await.map_err(store_failed)?;
        Ok(NewEntry {
            group: site.new_id(),
            domain: self.to.domain().clone(),
            mail_from: ReversePath::Null,
            announced: Some((Role::Author, seal.signer.clone())),
            recipients: vec![waiting(self.to.clone())],
            body: writer.finish().await.map_err(store_failed)?,
            front: Vec::new(),
            details: words.to_string(),
            created: now,
            expires: now + limits::QUEUE_LIFETIME,
            next_attempt: now,
        })
    }

    fn seal(&self, site: &Site, key: &SecretKey, content: &str) -> Result<Seal, SealError> {
        let (now, mut rng) = (site.world.now(), site.world.rng());
        let request = SealRequest {
            role: Role::Author,
            signer: Identity::Address(self.from.clone()),
            reverse_path: ReversePath::Null,
            recipients: vec![self.to.clone()],
            created: now,
            expires: now + limits::SEAL_LIFETIME,
            nonce: Nonce::random(&mut rng),
            digest: ContentDigest::of(content.as_bytes())?,
        };
        sign(&request, key, &mut rng)
    }
}

/// Whose keys this server has beside its people's.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A list's office.
    Office,
    /// Who answers for somebody who is away.
    Away,
}

impl Kind {
    /// How the names of its files begin.
    fn prefix(self) -> &'static str {
        match self {
            Kind::Office => "list-",
            Kind::Away => "away-",
        }
    }
}

/// The key of an address that only writes: made when it first does, kept as the service keys are.
/// It signs and has no encryption subkey, and is answered to verifiers only (spec §14.3.1,
/// §14.4.5).
///
/// # Errors
/// It cannot be read or made, or the store failed.
pub(super) async fn key(site: &Site, kind: Kind, office: &Address) -> Result<SecretKey, Rejection> {
    let local = |why: String| Rejection::LocalError { why };
    let path = path(site, kind, office);
    let key = match std::fs::read(&path) {
        Ok(octets) => SecretKey::unlock(&octets, None).map_err(|error| local(error.to_string()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let made = generate_held(office, site.world.now(), &mut site.world.rng());
            let made = made.map_err(|error| local(error.to_string()))?;
            let written = service_key::write(&path, &made.to_octets());
            written.map_err(|error| local(error.to_string()))?;
            made
        }
        Err(error) => return Err(local(error.to_string())),
    };
    let version = version(&Identity::Address(office.clone()), key.certificate());
    let published = site
        .store
        .publish(version, Replaces::Reset, site.world.now());
    published.await.map_err(store_failed)?;
    Ok(key)
}

/// In hex: a local part may hold what a file name may not.
fn path(site: &Site, kind: Kind, office: &Address) -> PathBuf {
    let mut name = String::from(kind.prefix());
    for octet in office.to_string().bytes() {
        let _ = write!(name, "{octet:02x}");
    }
    site.config
        .data_directory
        .join("keys")
        .join(format!("{name}.key"))
}
