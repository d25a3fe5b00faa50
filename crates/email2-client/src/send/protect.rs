//! Who gets which copy: signed, or signed and encrypted, blind recipients each
//! apart (spec §5.4.1, §5.5.2, §5.8.1).

use std::fmt;

use email2::address::Address;
use email2::autocrypt::Autocrypt;
use email2::capability;
use email2::certificate::Certificate;
use email2::content::{self, Container, ContentError, Mode, OuterTo, Protect};
use rand_core::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};

use super::compose::Composed;
use super::keys::Keyed;
use super::report::{Doubt, Mail, Manner};
use super::{Author, Encryption, Options};

/// How the content of a copy is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// Signed; everybody on the way can read it.
    Signed,
    /// Signed and encrypted.
    Encrypted,
    /// Signed and encrypted, to post-quantum keys only.
    EncryptedPostQuantum,
}

/// A copy that is ready to be sealed.
#[derive(Debug)]
pub struct Protected {
    /// To whom, all of one domain.
    pub recipients: Vec<Keyed>,
    /// The octets.
    pub octets: Vec<u8>,
    /// How they leave.
    pub manner: Manner,
}

/// Why a message cannot be protected as asked.
#[derive(Debug, thiserror::Error)]
pub enum ProtectError {
    /// Encryption was demanded and somebody has no key. Sysexits 77.
    #[error("not sent: {0}; --no-encrypt sends it signed only")]
    NoKey(Undecided),
    /// Some have a key and some have none, or somebody who was encrypted to before has none now, or
    /// it is not certain what somebody's domain takes: the person decides (spec §5.5.2, §5.5.4).
    /// Sysexits 77.
    #[error(
        "not sent: {0}; --split encrypts it to whoever has a key and sends it to the others signed only, --no-encrypt sends it to all signed only"
    )]
    Mixed(Undecided),
    /// The message, or a key, does not allow it. Sysexits 65.
    #[error(transparent)]
    Content(#[from] ContentError),
}

/// Recipients whom their author has to decide about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undecided {
    /// Who has no key.
    pub keyless: Vec<Address>,
    /// Whose server nothing authenticates for their domain.
    pub unauthenticated: Vec<Address>,
    /// Of whose domain it could not be looked up for an hour which mail it takes.
    pub unanswered: Vec<Address>,
}

impl Undecided {
    fn of(recipients: &[Keyed]) -> Undecided {
        let mut undecided = Undecided::default();
        for to in recipients {
            let group = match to.doubt {
                Some(Doubt::Unauthenticated) => &mut undecided.unauthenticated,
                Some(Doubt::Unanswered) => &mut undecided.unanswered,
                None if to.key.is_none() => &mut undecided.keyless,
                None => continue,
            };
            group.push(to.address.clone());
        }
        undecided
    }

    /// One sentence for each reason, without a full stop.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let groups = [
            (&self.keyless, "there is no key for {}"),
            (
                &self.unauthenticated,
                "nothing proves that the server that answers for {} is their domain's: somebody else may read what is sent to it",
            ),
            (
                &self.unanswered,
                "DNS has not told for an hour whether the domain of {} speaks Email 2.0",
            ),
        ];
        let named = groups.into_iter().filter(|(who, _)| !who.is_empty());
        named
            .map(|(who, sentence)| sentence.replace("{}", &list(who)))
            .collect()
    }
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentences().join("; "))
    }
}

/// Makes the copies.
///
/// # Errors
/// See [`ProtectError`].
pub fn protect(
    composed: &Composed,
    recipients: Vec<Keyed>,
    options: &Options,
    author: &Author<'_>,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Vec<Protected>, ProtectError> {
    let clear = decide(&recipients, options.encryption)?;
    let maker = Maker {
        composed,
        author,
        email2_only: options.email2_only,
        now,
    };
    let (blind, visible): (Vec<_>, Vec<_>) = recipients.into_iter().partition(|to| to.blind);
    let mut copies = Vec::new();
    for together in std::iter::once(visible).chain(blind.into_iter().map(|to| vec![to])) {
        for alike in by_mail(together) {
            let (open, closed) = alike.into_iter().partition(|to| clear.holds_for(to));
            copies.extend(maker.signed(open, rng)?);
            copies.extend(maker.encrypted(closed, rng)?);
        }
    }
    Ok(copies)
}

/// Those who get ordinary mail, and those who do not, apart: the copies differ.
fn by_mail(together: Vec<Keyed>) -> [Vec<Keyed>; 2] {
    let is_sealed = |to: &Keyed| to.mail == Mail::Sealed;
    let (sealed, ordinary) = together.into_iter().partition(is_sealed);
    [sealed, ordinary]
}

/// For whom the message leaves in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clear {
    Nobody,
    Everybody,
    /// Those who have no key: the author chose so.
    Keyless,
}

impl Clear {
    fn holds_for(self, to: &Keyed) -> bool {
        match self {
            Clear::Nobody => false,
            Clear::Everybody => true,
            Clear::Keyless => to.key.is_none(),
        }
    }
}

/// The author's own copy, which lists the blind recipients; encrypted when anything was.
///
/// # Errors
/// [`ContentError`].
pub fn own_copy(
    composed: &Composed,
    encrypted: bool,
    author: &Author<'_>,
    now: u64,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Vec<u8>, ProtectError> {
    let mut message = Vec::new();
    if !composed.bcc.is_empty() {
        message.extend_from_slice(format!("{OWN_BCC}: {}\r\n", list(&composed.bcc)).as_bytes());
    }
    message.extend_from_slice(&composed.message);
    let mode = if encrypted {
        Mode::Encrypt {
            to: &[],
            also_self: true,
            container: Container::V1,
        }
    } else {
        Mode::SignOnly
    };
    let request = Protect {
        message: &message,
        author: author.key,
        from: author.address,
        mode,
        outer_to: outer_to(composed),
        outside: &[],
        now,
    };
    Ok(content::protect(&request, rng)?)
}

/// The field that lists blind recipients in the author's own copy. A Bcc field never leaves a
/// device, so it has a name of its own.
pub const OWN_BCC: &str = "X-Own-Bcc";

/// Encrypt or not (spec §5.5).
fn decide(recipients: &[Keyed], encryption: Encryption) -> Result<Clear, ProtectError> {
    let undecided = Undecided::of(recipients);
    let keyless = || recipients.iter().filter(|to| to.key.is_none());
    match encryption {
        Encryption::Refuse => Ok(Clear::Everybody),
        Encryption::Split => Ok(Clear::Keyless),
        _ if undecided == Undecided::default() => Ok(Clear::Nobody),
        Encryption::Demand if keyless().next().is_some() => Err(ProtectError::NoKey(undecided)),
        // Nobody has a key, nobody had one, and it is certain of each.
        Encryption::Default
            if undecided.keyless.len() == recipients.len()
                && !keyless().any(|to| to.encrypted_before) =>
        {
            Ok(Clear::Everybody)
        }
        _ => Err(ProtectError::Mixed(undecided)),
    }
}

struct Maker<'a> {
    composed: &'a Composed,
    author: &'a Author<'a>,
    email2_only: bool,
    now: u64,
}

impl Maker<'_> {
    fn signed(
        &self,
        recipients: Vec<Keyed>,
        rng: &mut (impl CryptoRng + RngCore),
    ) -> Result<Vec<Protected>, ProtectError> {
        let Some(first) = recipients.first() else {
            return Ok(Vec::new());
        };
        let octets = self.make(Mode::SignOnly, "", first.mail, rng)?;
        Ok(self.by_domain(recipients, &octets, Protection::Signed))
    }

    /// One ciphertext for each audience: who lacks a post-quantum key never weakens the copy of
    /// the others, and who is outside of Email 2.0 gets the container that everybody reads
    /// (spec §5.2.2).
    fn encrypted(
        &self,
        recipients: Vec<Keyed>,
        rng: &mut (impl CryptoRng + RngCore),
    ) -> Result<Vec<Protected>, ProtectError> {
        let certificates: Vec<Certificate> = recipients
            .iter()
            .filter_map(|to| to.key.as_ref())
            .map(|key| key.certificate.clone())
            .collect();
        let mut copies = Vec::new();
        for audience in content::audiences(&certificates, self.now) {
            let of = |index: &usize| certificates.get(*index).cloned();
            let to: Vec<_> = audience.members.iter().filter_map(of).collect();
            let of = |index: &usize| recipients.get(*index).cloned();
            let members: Vec<Keyed> = audience.members.iter().filter_map(of).collect();
            let mail = members.first().map_or(Mail::Sealed, |to| to.mail);
            let mode = Mode::Encrypt {
                to: &to,
                also_self: false,
                container: match mail {
                    Mail::Sealed => audience.container,
                    Mail::Ordinary => Container::V1,
                },
            };
            let octets = self.make(mode, &known_keys(&members), mail, rng)?;
            let protection = if audience.post_quantum {
                Protection::EncryptedPostQuantum
            } else {
                Protection::Encrypted
            };
            copies.extend(self.by_domain(members, &octets, protection));
        }
        Ok(copies)
    }

    fn make(
        &self,
        mode: Mode<'_>,
        known: &str,
        mail: Mail,
        rng: &mut (impl CryptoRng + RngCore),
    ) -> Result<Vec<u8>, ContentError> {
        let told = match mail {
            Mail::Sealed if self.email2_only => capability::required_field(),
            Mail::Sealed => String::new(),
            Mail::Ordinary => self.autocrypt(),
        };
        let request = Protect {
            message: &[known.as_bytes(), &self.composed.message].concat(),
            author: self.author.key,
            from: self.author.address,
            mode,
            outer_to: outer_to(self.composed),
            outside: told.as_bytes(),
            now: self.now,
        };
        content::protect(&request, rng)
    }

    /// The author's key, for programs of today (spec §12.6.8).
    fn autocrypt(&self) -> String {
        let said = Autocrypt::of(self.author.address, self.author.key.certificate());
        said.map(|said| said.to_string()).unwrap_or_default()
    }

    /// A seal is for recipients of one domain (spec §4.4.2).
    fn by_domain(
        &self,
        recipients: Vec<Keyed>,
        octets: &[u8],
        protection: Protection,
    ) -> Vec<Protected> {
        let mut copies: Vec<Protected> = Vec::new();
        for to in recipients {
            let same = |copy: &&mut Protected| {
                let first = copy.recipients.first();
                first.is_some_and(|first| {
                    first.address.domain() == to.address.domain()
                        && first.by_server == to.by_server
                        && first.doubt == to.doubt
                }) && copy.recipients.len() < email2::limits::SEAL_RECIPIENTS
            };
            let manner = self.manner(&to, protection);
            match copies.iter_mut().find(same) {
                Some(copy) => {
                    copy.manner.key = copy.manner.key.max(manner.key);
                    copy.recipients.push(to);
                }
                None => copies.push(Protected {
                    manner,
                    recipients: vec![to],
                    octets: octets.to_vec(),
                }),
            }
        }
        copies
    }

    fn manner(&self, to: &Keyed, protection: Protection) -> Manner {
        let key = to.key.as_ref().map(|key| key.source);
        Manner {
            protection,
            mail: to.mail,
            by_server: to.by_server,
            key: key.filter(|_| protection != Protection::Signed),
            email2_only: self.email2_only,
            doubt: to.doubt,
        }
    }
}

/// By which keys the author knows those who read this copy (spec §5.3.4).
fn known_keys(members: &[Keyed]) -> String {
    let named = members.iter().filter_map(|to| {
        let primary = to.key.as_ref()?.certificate.primary();
        let field = capability::KNOWN_KEY_FIELD;
        let line = format!("{field}: {}; {primary}\r\n", to.address);
        line.is_ascii().then_some(line)
    });
    named.collect()
}

/// What the outer To says: those whom every recipient may see.
fn outer_to(composed: &Composed) -> OuterTo {
    if composed.visible.is_empty() {
        OuterTo::Hidden
    } else {
        OuterTo::Visible(composed.visible.clone())
    }
}

fn list(addresses: &[Address]) -> String {
    let all: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    all.join(", ")
}
