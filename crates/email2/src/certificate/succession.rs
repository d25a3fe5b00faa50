//! May this certificate take the place of that one (spec §6.5)?

use pgp::types::Tag;

use super::assemble::{self, Component, Draft, read_signature};
use super::parts::{Parts, SelfSignature, User};
use super::policy::Statement;
use super::{Certificate, CertificateError};

/// How a certificate that is served follows the one that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Succession {
    /// Nothing new.
    Same,
    /// The same primary key; this is both together, no revocation lost.
    Merged(Certificate),
    /// Another primary key, and the old one signed that it follows.
    Transition(Certificate),
    /// Another primary key and no signed link: hold, and let the person decide
    /// (spec §6.5.2).
    New,
}

/// Judges how `served` follows `known`.
///
/// # Errors
/// The merged certificate would be too large.
pub fn succeed(known: &Certificate, served: &Certificate) -> Result<Succession, CertificateError> {
    if known.primary() == served.primary() {
        let merged = merge(known, served)?;
        let same = merged == *known;
        return Ok(if same {
            Succession::Same
        } else {
            Succession::Merged(merged)
        });
    }
    let linked = served
        .parts()
        .bound_users()
        .any(|user| is_linked(known, served, user));
    Ok(if linked {
        Succession::Transition(served.clone())
    } else {
        Succession::New
    })
}

/// Both together: the newest binding of each part and every revocation
/// (spec §6.5.1).
fn merge(known: &Certificate, served: &Certificate) -> Result<Certificate, CertificateError> {
    let (mut draft, other) = (draft(known.parts()), draft(served.parts()));
    add(&mut draft.primary, &other.primary);
    add_all(&mut draft.users, &other.users);
    add_all(&mut draft.subkeys, &other.subkeys);
    Ok(Certificate::from_parts(assemble::assemble(&draft)?))
}

fn draft(parts: &Parts) -> Draft<'_> {
    let users = parts.users.iter().map(|user| {
        let mut component = component(user.text.as_bytes(), &user.signatures);
        component
            .signatures
            .extend(user.transitions.iter().map(Vec::as_slice));
        component
    });
    let subkeys = parts
        .subkeys
        .iter()
        .map(|subkey| component(&subkey.body, &subkey.signatures));
    Draft {
        primary: component(&parts.primary.body, &parts.primary.signatures),
        users: users.collect(),
        subkeys: subkeys.collect(),
    }
}

fn component<'a>(body: &'a [u8], signatures: &'a [SelfSignature]) -> Component<'a> {
    let signatures = signatures.iter().map(|signature| signature.body.as_slice());
    Component {
        body,
        signatures: signatures.collect(),
    }
}

fn add_all<'a>(components: &mut Vec<Component<'a>>, others: &[Component<'a>]) {
    for other in others {
        match components
            .iter_mut()
            .find(|component| component.body == other.body)
        {
            Some(component) => add(component, other),
            None => components.push(other.clone()),
        }
    }
}

fn add<'a>(component: &mut Component<'a>, other: &Component<'a>) {
    for signature in &other.signatures {
        if !component.signatures.contains(signature) {
            component.signatures.push(signature);
        }
    }
}

/// Whether the known key, while it counted, named `served` as its successor for
/// a User ID that it binds itself.
fn is_linked(known: &Certificate, served: &Certificate, user: &User) -> bool {
    let binds = user.identity.as_ref().is_some_and(|who| known.binds(who));
    binds
        && user
            .transitions
            .iter()
            .any(|body| is_transition(known, served, user, body))
}

fn is_transition(known: &Certificate, served: &Certificate, user: &User, body: &[u8]) -> bool {
    let Some(signature) = read_signature(body) else {
        return false;
    };
    let Ok(statement) = Statement::read(&signature) else {
        return false;
    };
    let Ok(id) = assemble::user_id(&user.text) else {
        return false;
    };
    let (old, new) = (&known.parts().primary.key, &served.parts().primary.key);
    statement.notations.transition
        && statement.revokes.is_none()
        && counted(known, statement.created)
        && signature
            .verify_third_party_certification(new, old, Tag::UserId, &id)
            .is_ok()
}

/// Whether the old key could still speak at that time (spec §6.5.3). It may revoke
/// itself as superseded in the same second.
fn counted(known: &Certificate, at: u64) -> bool {
    let revoked = known
        .revocation()
        .is_some_and(|revocation| revocation.hard || revocation.at < at);
    let expired = known.expires().is_some_and(|end| end <= at);
    !revoked && !expired
}
