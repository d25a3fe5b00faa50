//! From packets to parts: every self-signature is verified once, third-party
//! certifications are stripped, and what does not hold is left out without
//! costing the rest (spec §6.3, §6.4.1).

use pgp::packet::{PacketHeader, PublicKey, PublicSubkey, Signature, SignatureType, UserId};
use pgp::ser::Serialize;
use pgp::types::{KeyDetails, PacketHeaderVersion, Tag};

use super::framing::{PUBLIC_KEY, PUBLIC_SUBKEY, RawPacket, SIGNATURE, USER_ATTRIBUTE, USER_ID};
use super::parts::{Parts, Primary, SelfSignature, Subkey, User};
use super::policy::{self, Statement};
use super::{CertificateError, Fingerprint, LeftOut};
use crate::address::{Address, Identity};
use crate::limits;

/// One certificate's packets, each key or User ID with its signatures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft<'a> {
    pub(crate) primary: Component<'a>,
    pub(crate) users: Vec<Component<'a>>,
    pub(crate) subkeys: Vec<Component<'a>>,
}

/// A key or User ID and the signatures behind it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Component<'a> {
    pub(crate) body: &'a [u8],
    pub(crate) signatures: Vec<&'a [u8]>,
}

/// Sorts packets into certificates.
///
/// # Errors
/// `Malformed` when the sequence does not begin with a primary key, or holds
/// secret keys.
pub(crate) fn drafts<'a>(packets: &[RawPacket<'a>]) -> Result<Vec<Draft<'a>>, CertificateError> {
    let mut drafts: Vec<Draft<'a>> = Vec::new();
    let mut last = Last::Primary;
    for packet in packets {
        if packet.tag == PUBLIC_KEY {
            drafts.push(Draft {
                primary: Component::new(packet.body),
                ..Draft::default()
            });
            last = Last::Primary;
            continue;
        }
        let draft = drafts.last_mut().ok_or(CertificateError::Malformed(
            "it does not begin with a primary key",
        ))?;
        last = draft.add(packet, last)?;
    }
    if drafts.is_empty() {
        return Err(CertificateError::Malformed("it holds no key"));
    }
    Ok(drafts)
}

/// What the signatures that follow belong to.
#[derive(Clone, Copy)]
enum Last {
    Primary,
    User(usize),
    Subkey(usize),
    Nothing,
}

impl<'a> Component<'a> {
    fn new(body: &'a [u8]) -> Self {
        Self {
            body,
            signatures: Vec::new(),
        }
    }
}

impl<'a> Draft<'a> {
    fn add(&mut self, packet: &RawPacket<'a>, last: Last) -> Result<Last, CertificateError> {
        match packet.tag {
            USER_ID => Ok(Last::User(place(&mut self.users, packet.body))),
            PUBLIC_SUBKEY => Ok(Last::Subkey(place(&mut self.subkeys, packet.body))),
            USER_ATTRIBUTE => Ok(Last::Nothing),
            SIGNATURE => {
                let component = self.component(last);
                if let Some(component) = component.filter(|c| !c.signatures.contains(&packet.body))
                {
                    component.signatures.push(packet.body);
                }
                Ok(last)
            }
            _ => Err(CertificateError::Malformed(
                "a secret key where a certificate was expected",
            )),
        }
    }

    fn component(&mut self, last: Last) -> Option<&mut Component<'a>> {
        match last {
            Last::Primary => Some(&mut self.primary),
            Last::User(index) => self.users.get_mut(index),
            Last::Subkey(index) => self.subkeys.get_mut(index),
            Last::Nothing => None,
        }
    }
}

/// The index of the component with this body: one that stands twice is one.
fn place<'a>(components: &mut Vec<Component<'a>>, body: &'a [u8]) -> usize {
    let known = components
        .iter()
        .position(|component| component.body == body);
    known.unwrap_or_else(|| {
        components.push(Component::new(body));
        components.len() - 1
    })
}

/// Verifies a draft.
///
/// # Errors
/// `Algorithm`, `Malformed` (the primary key, or too many self-signatures),
/// `ServiceUserId`, `TooLarge`.
pub(crate) fn assemble(draft: &Draft<'_>) -> Result<Parts, CertificateError> {
    let mut assembly = Assembly::new(draft.primary.body)?;
    let signatures = assembly.direct(&draft.primary)?;
    let mut parts = Parts {
        primary: Primary {
            signatures,
            ..assembly.primary.clone()
        },
        users: assembly.users(&draft.users)?,
        subkeys: assembly.subkeys(&draft.subkeys)?,
        left_out: Vec::new(),
    };
    parts.left_out = assembly.left_out;
    check_service(&parts)?;
    if parts.to_octets().len() > limits::CERTIFICATE_OCTETS {
        return Err(CertificateError::TooLarge {
            limit: limits::CERTIFICATE_OCTETS,
        });
    }
    Ok(parts)
}

/// No certificate but the service's own has a User ID `@domain` (spec §6.8.1).
fn check_service(parts: &Parts) -> Result<(), CertificateError> {
    let is_service = |user: &User| user.text.starts_with('@');
    if parts.users.len() > 1 && parts.users.iter().any(is_service) {
        return Err(CertificateError::ServiceUserId);
    }
    Ok(())
}

struct Assembly {
    primary: Primary,
    verified: usize,
    left_out: Vec<LeftOut>,
}

impl Assembly {
    fn new(body: &[u8]) -> Result<Self, CertificateError> {
        let header = header(Tag::PublicKey, body)?;
        let key = PublicKey::try_from_reader(header, body)
            .map_err(|_| CertificateError::Malformed("the primary key cannot be read"))?;
        policy::check_signing_key(&key).map_err(CertificateError::Algorithm)?;
        if key.to_bytes().ok().as_deref() != Some(body) {
            return Err(CertificateError::Malformed(
                "the primary key is not in canonical form",
            ));
        }
        let fingerprint = fingerprint_of(&key).ok_or(CertificateError::Malformed(
            "the primary key is of an old version",
        ))?;
        let primary = Primary {
            key,
            fingerprint,
            body: body.to_vec(),
            signatures: Vec::new(),
        };
        Ok(Self {
            primary,
            verified: 0,
            left_out: Vec::new(),
        })
    }

    fn direct(&mut self, draft: &Component<'_>) -> Result<Vec<SelfSignature>, CertificateError> {
        let key = self.primary.key.clone();
        self.signatures(draft, "the primary key", |signature| {
            match signature.typ() {
                Some(SignatureType::Key | SignatureType::KeyRevocation) => {
                    signature.verify_key(&key).map_err(|_| WRONG)
                }
                _ => Err(OUT_OF_PLACE),
            }
        })
    }

    fn users(&mut self, drafts: &[Component<'_>]) -> Result<Vec<User>, CertificateError> {
        let mut users = Vec::new();
        for draft in drafts {
            if let Some(user) = self.user(draft)? {
                users.push(user);
            }
        }
        Ok(users)
    }

    fn user(&mut self, draft: &Component<'_>) -> Result<Option<User>, CertificateError> {
        let Ok(text) = std::str::from_utf8(draft.body) else {
            self.leave_out("a User ID", "it is not UTF-8");
            return Ok(None);
        };
        let id = user_id(text)?;
        let key = self.primary.key.clone();
        let signatures = self.signatures(draft, text, |signature| {
            if !signature.is_certification() {
                return Err(OUT_OF_PLACE);
            }
            signature
                .verify_certification(&key, Tag::UserId, &id)
                .map_err(|_| WRONG)
        })?;
        if super::parts::binding(&signatures).is_none() {
            self.leave_out(text, "no valid certification by its own key");
            return Ok(None);
        }
        Ok(Some(User {
            text: text.to_owned(),
            identity: identity_of(text),
            signatures,
            transitions: self.transitions(draft),
        }))
    }

    /// The certifications by other keys that say they are transitions.
    fn transitions(&self, draft: &Component<'_>) -> Vec<Vec<u8>> {
        draft
            .signatures
            .iter()
            .filter(|body| {
                read_signature(body).is_some_and(|signature| {
                    !self.is_own(&signature)
                        && signature.is_certification()
                        && Statement::read(&signature).is_ok_and(|s| s.notations.transition)
                })
            })
            .take(limits::TRANSITIONS)
            .map(|body| body.to_vec())
            .collect()
    }

    fn subkeys(&mut self, drafts: &[Component<'_>]) -> Result<Vec<Subkey>, CertificateError> {
        let mut subkeys = Vec::new();
        for draft in drafts {
            if let Some(subkey) = self.subkey(draft)? {
                subkeys.push(subkey);
            }
        }
        Ok(subkeys)
    }

    fn subkey(&mut self, draft: &Component<'_>) -> Result<Option<Subkey>, CertificateError> {
        let Some((key, fingerprint)) = read_subkey(draft.body) else {
            self.leave_out("a subkey", "it cannot be read");
            return Ok(None);
        };
        let name = fingerprint.to_string();
        if let (Err(why), Err(_)) = (
            policy::check_signing_key(&key),
            policy::check_encryption_key(&key),
        ) {
            self.leave_out(&name, &format!("its algorithm is not accepted: {why}"));
            return Ok(None);
        }
        let primary = self.primary.key.clone();
        let signatures = self.signatures(draft, &name, |signature| {
            verify_subkey(signature, &primary, &key)
        })?;
        if super::parts::binding(&signatures).is_none() {
            self.leave_out(&name, "no valid binding");
            return Ok(None);
        }
        Ok(Some(Subkey {
            key,
            fingerprint,
            body: draft.body.to_vec(),
            signatures,
        }))
    }

    /// Verifies the signatures of one component that claim to be by the primary
    /// key; keeps the newest that binds and every one that revokes.
    fn signatures(
        &mut self,
        draft: &Component<'_>,
        part: &str,
        verify: impl Fn(&Signature) -> Result<(), &'static str>,
    ) -> Result<Vec<SelfSignature>, CertificateError> {
        let mut held = Vec::new();
        for body in &draft.signatures {
            let Some(signature) = read_signature(body) else {
                continue;
            };
            if !self.is_own(&signature) {
                continue;
            }
            self.count()?;
            match Statement::read(&signature).and_then(|s| verify(&signature).map(|()| s)) {
                Ok(statement) => held.push(SelfSignature {
                    body: body.to_vec(),
                    statement,
                }),
                Err(why) => self.leave_out(part, why),
            }
        }
        Ok(current(held))
    }

    /// Whether the signature names the primary key as its issuer, or nobody.
    fn is_own(&self, signature: &Signature) -> bool {
        let ids = signature.issuer_key_id();
        let fingerprints = signature.issuer_fingerprint();
        let (id, fingerprint) = (
            self.primary.key.legacy_key_id(),
            self.primary.key.fingerprint(),
        );
        ids.is_empty() && fingerprints.is_empty()
            || ids.iter().any(|named| **named == id)
            || fingerprints.iter().any(|named| **named == fingerprint)
    }

    fn count(&mut self) -> Result<(), CertificateError> {
        self.verified += 1;
        if self.verified > limits::SELF_SIGNATURES {
            return Err(CertificateError::Malformed("too many self-signatures"));
        }
        Ok(())
    }

    fn leave_out(&mut self, part: &str, why: &str) {
        self.left_out.push(LeftOut {
            part: part.to_owned(),
            why: why.to_owned(),
        });
    }
}

const WRONG: &str = "a signature is wrong";
const OUT_OF_PLACE: &str = "a signature of another kind";

/// A binding says what the subkey may do, and a subkey that signs agrees by its
/// back-signature (spec §6.3.2); what it may not do by its algorithm is struck.
fn verify_subkey(
    signature: &Signature,
    primary: &PublicKey,
    key: &PublicSubkey,
) -> Result<(), &'static str> {
    match signature.typ() {
        Some(SignatureType::SubkeyBinding | SignatureType::SubkeyRevocation) => {}
        _ => return Err(OUT_OF_PLACE),
    }
    signature
        .verify_subkey_binding(primary, key)
        .map_err(|_| WRONG)?;
    let statement = Statement::read(signature)?;
    if statement.signs {
        policy::check_signing_key(key).map_err(|_| "it may not sign by its algorithm")?;
        let back = signature
            .embedded_signature()
            .ok_or("a signing subkey without back-signature")?;
        Statement::read(back)?;
        back.verify_primary_key_binding(key, primary)
            .map_err(|_| "a wrong back-signature")?;
    }
    if statement.encrypts {
        policy::check_encryption_key(key).map_err(|_| "it may not encrypt by its algorithm")?;
    }
    Ok(())
}

/// Keeps the newest that binds (the last of equals) and all that revoke.
fn current(held: Vec<SelfSignature>) -> Vec<SelfSignature> {
    let newest = held
        .iter()
        .enumerate()
        .filter(|(_, signature)| signature.statement.revokes.is_none())
        .max_by_key(|(_, signature)| signature.statement.created)
        .map(|(index, _)| index);
    held.into_iter()
        .enumerate()
        .filter(|(index, signature)| {
            signature.statement.revokes.is_some() || Some(*index) == newest
        })
        .map(|(_, signature)| signature)
        .collect()
}

/// Whom a User ID names: itself as an addr-spec, or display name and
/// `<addr-spec>`, or `@domain` (spec §6.3.1, §6.8.1).
pub(crate) fn identity_of(text: &str) -> Option<Identity> {
    if text.starts_with('@') {
        return Identity::parse(text).ok();
    }
    let spec = match text.strip_suffix('>') {
        Some(inner) => inner.rsplit_once('<')?.1,
        None => text,
    };
    Address::parse(spec).ok().map(Identity::Address)
}

fn read_subkey(body: &[u8]) -> Option<(PublicSubkey, Fingerprint)> {
    let header = header(Tag::PublicSubkey, body).ok()?;
    let key = PublicSubkey::try_from_reader(header, body).ok()?;
    let is_canonical = key.to_bytes().ok().as_deref() == Some(body);
    let fingerprint = fingerprint_of(&key)?;
    is_canonical.then_some((key, fingerprint))
}

pub(crate) fn read_signature(body: &[u8]) -> Option<Signature> {
    Signature::try_from_reader(header(Tag::Signature, body).ok()?, body).ok()
}

pub(crate) fn user_id(text: &str) -> Result<UserId, CertificateError> {
    UserId::from_str(PacketHeaderVersion::New, text)
        .map_err(|error| CertificateError::OpenPgp(error.to_string()))
}

/// The fingerprint in our form; `None` for versions before 4.
pub(crate) fn fingerprint_of(key: &impl KeyDetails) -> Option<Fingerprint> {
    Fingerprint::from_bytes(key.fingerprint().as_bytes()).ok()
}

fn header(tag: Tag, body: &[u8]) -> Result<PacketHeader, CertificateError> {
    let length = u32::try_from(body.len()).map_err(|_| CertificateError::TooLarge {
        limit: limits::CERTIFICATE_OCTETS_RECEIVED,
    })?;
    Ok(PacketHeader::new_fixed(tag, length))
}
