//! The outbox: what leaves is on the disk first, and stays there until it is
//! settled (ARCHITECTURE.md: keep, then deliver).

use email2::address::{Domain, Identity, ReversePath};
use email2::limits;
use email2::seal::Role;
use email2_store::queue::{NewEntry, QueueEntry, QueueId, QueueRecipient, RecipientState};
use email2_store::{SpooledBody, Store, StoreError};
use rand_core::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};

use super::compose::Composed;
use super::keys::Keyed;
use super::protect::{self, ProtectError, Protection};
use super::report::Manner;
use super::route::Routed;
use super::seal::Sealed;
use super::{Author, Encryption};
use crate::Client;

/// What an entry is, kept with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Kind {
    /// A sealed copy: these octets leave, unchanged, until the seal ends.
    Sealed {
        /// How it leaves.
        #[serde(flatten)]
        manner: Manner,
    },
    /// The author's own copy, for the mailbox Sent; kept as long as other entries of its group
    /// may need the text again.
    Copy {
        /// It is in Sent.
        filed: bool,
    },
    /// Recipients whose key could not be asked for yet; the text is the author's own copy.
    Unprepared {
        /// When to encrypt.
        encryption: Encryption,
        /// Nobody else may learn of these recipients.
        blind: bool,
        /// Only as Email 2.0.
        #[serde(default)]
        email2_only: bool,
        /// Held until its author decides how it may leave (spec §5.5.2).
        #[serde(default)]
        undecided: bool,
    },
}

impl Kind {
    /// Reads what an entry says of itself; `None` for what a newer version wrote.
    #[must_use]
    pub fn of(entry: &QueueEntry) -> Option<Kind> {
        serde_json::from_str(&entry.details).ok()
    }

    /// As it is kept.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Whether the entry is held until its author decides how it may leave (spec §5.5.2).
#[must_use]
pub fn is_undecided(entry: &QueueEntry) -> bool {
    matches!(
        Kind::of(entry),
        Some(Kind::Unprepared {
            undecided: true,
            ..
        })
    )
}

/// The author's own copy: encrypted to the author when anything was encrypted.
///
/// # Errors
/// As [`protect::own_copy`].
pub fn copy_of(
    composed: &Composed,
    sealed: &[Sealed],
    author: &Author<'_>,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Vec<u8>, ProtectError> {
    // Signed only when everything was: a copy that is still to be made may be encrypted.
    let encrypted = sealed.is_empty() || !all_signed(sealed);
    protect::own_copy(composed, encrypted, author, now, rng)
}

fn all_signed(sealed: &[Sealed]) -> bool {
    sealed
        .iter()
        .all(|copy| copy.manner.protection == Protection::Signed)
}

/// Everything of one message that is to be kept.
#[derive(Debug)]
pub struct Leaving {
    /// The sealed copies.
    pub sealed: Vec<Sealed>,
    /// The author's own copy.
    pub copy: Vec<u8>,
    /// Recipients whose key could not be asked for, and why.
    pub later: Vec<(Routed, String)>,
    /// When to encrypt to those.
    pub encryption: Encryption,
    /// Whether they get it only as Email 2.0.
    pub email2_only: bool,
}

impl Leaving {
    /// How those are written to whose key could not be asked for yet. They were one set with the
    /// others: unless those got it in the clear, cleartext is nothing to be decided for each
    /// alone (spec §5.5.2).
    fn encryption_later(&self) -> Encryption {
        let alone = self.sealed.is_empty() && self.later.len() == 1;
        let clear = !self.sealed.is_empty() && all_signed(&self.sealed);
        match self.encryption {
            Encryption::Default if !alone && !clear => Encryption::Demand,
            other => other,
        }
    }
}

/// Keeps everything of one message in one transaction; after `Ok` it is on stable storage.
///
/// # Errors
/// As the store says.
pub async fn keep(
    client: &Client,
    author: &Author<'_>,
    leaving: Leaving,
) -> Result<Vec<QueueId>, StoreError> {
    if leaving.sealed.is_empty() && leaving.later.is_empty() {
        return Ok(Vec::new());
    }
    let shelf = Shelf {
        group: group(client),
        author,
        now: client.world.now(),
        email2_only: leaving.email2_only,
    };
    let copy = spool(&client.store, &leaving.copy).await?;
    let encryption = leaving.encryption_later();
    let mut entries = Vec::new();
    for one in leaving.sealed {
        let body = spool(&client.store, &one.octets).await?;
        entries.push(shelf.sealed(one, body));
    }
    for (recipient, why) in leaving.later {
        entries.push(shelf.unprepared(recipient, why, encryption, copy.clone()));
    }
    entries.push(shelf.copy(copy));
    client.store.enqueue(entries).await
}

/// Writes octets as a body of the store.
///
/// # Errors
/// As the store says.
pub(crate) async fn spool(store: &Store, octets: &[u8]) -> Result<SpooledBody, StoreError> {
    let mut writer = store.write_body().await?;
    for piece in octets.chunks(SPOOL_PIECE) {
        writer.push(piece).await?;
    }
    writer.finish().await
}

/// Octets written at once.
const SPOOL_PIECE: usize = 64 * 1024;

/// The octets of an entry.
///
/// # Errors
/// As the store says.
pub(crate) async fn octets(store: &Store, id: QueueId) -> Result<Vec<u8>, StoreError> {
    let reader = store.entry_body(id).await?;
    let size = usize::try_from(reader.size()).unwrap_or(usize::MAX);
    reader.read(0, size).await
}

/// 16 hex digits.
fn group(client: &Client) -> String {
    format!("{:016x}", client.world.rng().next_u64())
}

/// What the entries of one message have in common.
struct Shelf<'a> {
    group: String,
    author: &'a Author<'a>,
    now: u64,
    email2_only: bool,
}

impl Shelf<'_> {
    fn entry(&self, domain: Domain, kind: &Kind, body: SpooledBody) -> NewEntry {
        NewEntry {
            group: self.group.clone(),
            domain,
            mail_from: ReversePath::Address(self.author.address.clone()),
            announced: Some((Role::Author, Identity::Address(self.author.address.clone()))),
            recipients: Vec::new(),
            body,
            front: Vec::new(),
            details: kind.text(),
            created: self.now,
            expires: self.now + limits::SEAL_LIFETIME,
            next_attempt: self.now,
        }
    }

    fn sealed(&self, sealed: Sealed, body: SpooledBody) -> NewEntry {
        let kind = Kind::Sealed {
            manner: sealed.manner,
        };
        NewEntry {
            recipients: sealed.recipients.iter().map(waiting).collect(),
            expires: sealed.expires,
            ..self.entry(sealed.domain, &kind, body)
        }
    }

    fn unprepared(
        &self,
        recipient: Routed,
        why: String,
        encryption: Encryption,
        copy: SpooledBody,
    ) -> NewEntry {
        let kind = Kind::Unprepared {
            encryption,
            blind: recipient.blind,
            email2_only: self.email2_only,
            undecided: false,
        };
        let domain = recipient.address.domain().clone();
        NewEntry {
            recipients: vec![QueueRecipient {
                address: recipient.address,
                etag: None,
                state: RecipientState::Waiting,
                reply: Some(why),
            }],
            ..self.entry(domain, &kind, copy)
        }
    }

    fn copy(&self, copy: SpooledBody) -> NewEntry {
        self.entry(
            self.author.address.domain().clone(),
            &Kind::Copy { filed: false },
            copy,
        )
    }
}

fn waiting(to: &Keyed) -> QueueRecipient {
    QueueRecipient {
        address: to.address.clone(),
        etag: to.key.as_ref().and_then(|key| key.etag.clone()),
        state: RecipientState::Waiting,
        reply: None,
    }
}

#[cfg(test)]
mod tests {
    use email2::address::Address;
    use email2::certificate::generate::generate;
    use email2::secret::SecretKey;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::super::report::Mail;
    use super::*;

    const NOW: u64 = 1_795_705_199;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    fn sealed(protection: Protection) -> Sealed {
        Sealed {
            domain: address("alice@example.com").domain().clone(),
            recipients: Vec::new(),
            octets: Vec::new(),
            manner: Manner {
                protection,
                mail: Mail::Sealed,
                by_server: false,
                key: None,
                email2_only: false,
                doubt: None,
            },
            expires: NOW,
        }
    }

    /// How those are written to later who could not be asked for, beside copies made now.
    fn later(now: &[Protection], waiting: usize, encryption: Encryption) -> Encryption {
        let recipient = Routed {
            address: address("carol@example.net"),
            blind: false,
        };
        let leaving = Leaving {
            sealed: now.iter().copied().map(sealed).collect(),
            copy: Vec::new(),
            later: vec![(recipient, "no answer".to_owned()); waiting],
            encryption,
            email2_only: false,
        };
        leaving.encryption_later()
    }

    /// What an earlier version kept is read: it knew of no ordinary mail.
    #[test]
    fn an_entry_of_an_earlier_version_is_read() {
        let old = r#"{"kind":"sealed","protection":"encrypted"}"#;
        let kind: Kind = serde_json::from_str(old).unwrap();
        let Kind::Sealed { manner } = &kind else {
            panic!("{kind:?}");
        };
        assert_eq!((manner.mail, manner.by_server), (Mail::Sealed, false));
        assert_eq!(serde_json::from_str::<Kind>(&kind.text()).unwrap(), kind);
        let old = r#"{"kind":"unprepared","encryption":"default","blind":true}"#;
        let kind: Kind = serde_json::from_str(old).unwrap();
        assert!(matches!(
            kind,
            Kind::Unprepared {
                email2_only: false,
                ..
            }
        ));
    }

    /// spec §5.5.2: whoever of a set is asked for later gets no cleartext by that alone.
    #[test]
    fn a_mixed_set_that_goes_through_the_outbox_never_leaves_in_the_clear() {
        let default = Encryption::Default;
        assert_eq!(later(&[], 2, default), Encryption::Demand);
        assert_eq!(
            later(&[Protection::Encrypted], 1, default),
            Encryption::Demand
        );
        let both = [Protection::Signed, Protection::EncryptedPostQuantum];
        assert_eq!(later(&both, 1, default), Encryption::Demand);
        // Alone, or beside copies that went in the clear, it is as if sent now.
        assert_eq!(later(&[], 1, default), default);
        assert_eq!(later(&[Protection::Signed], 2, default), default);
        for said in [Encryption::Demand, Encryption::Refuse] {
            assert_eq!(later(&[Protection::Encrypted], 2, said), said);
        }
    }

    fn bob() -> SecretKey {
        let who = Identity::Address(address("bob@example.org"));
        generate(&who, NOW - 60, &mut ChaCha20Rng::seed_from_u64(1)).unwrap()
    }

    /// The copy for Sent goes to one's server before it is known how others will be written to.
    #[test]
    fn ones_own_copy_is_in_the_clear_only_when_every_copy_is() {
        let (key, from) = (bob(), address("bob@example.org"));
        let author = Author {
            key: &key,
            address: &from,
        };
        let composed = Composed {
            message: b"From: bob@example.org\r\nTo: alice@example.com\r\nSubject: lunch\r\n\
                Date: Thu, 26 Nov 2026 10:00:00 +0000\r\nMessage-ID: <a@example.org>\r\n\
                MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nAt noon.\r\n"
                .to_vec(),
            visible: vec![address("alice@example.com")],
            bcc: Vec::new(),
        };
        let copy = |sealed: &[Sealed]| {
            let mut rng = ChaCha20Rng::seed_from_u64(2);
            let copy = copy_of(&composed, sealed, &author, NOW, &mut rng).unwrap();
            String::from_utf8(copy).unwrap()
        };
        for hidden in [
            vec![],
            vec![sealed(Protection::Signed), sealed(Protection::Encrypted)],
        ] {
            let copy = copy(&hidden);
            assert!(copy.contains("multipart/encrypted"), "{copy}");
            assert!(!copy.contains("noon") && !copy.contains("lunch"), "{copy}");
        }
        let clear = copy(&[sealed(Protection::Signed)]);
        assert!(clear.contains("multipart/signed") && clear.contains("At noon."));
    }
}
