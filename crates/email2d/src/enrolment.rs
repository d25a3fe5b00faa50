//! Who signs in, and the keys that people publish (spec §3.6, §3.7).

use std::net::IpAddr;

use email2::Etag;
use email2::address::{Address, Identity, ReversePath};
use email2::certificate::Certificate;
use email2::certificate::succession::{Succession, succeed};
use email2::key_query::{KeyPutAnswer, Token};
use email2::rejection::Rejection;
use email2_smtp::Credentials;
use email2_store::credential::{CodeId, Purpose};
use email2_store::{
    Account, AliasTarget, Enrolment, EnrolmentOutcome, Published, Replaces, Secret, StoreError,
    Version,
};
use sha2::{Digest, Sha256};

use crate::held_key;
use crate::site::Site;

/// How often a certificate is merged again because another one came first.
const MERGES: usize = 16;

/// A user who is signed in on a connection.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    /// Whose account it is.
    pub(crate) account: Account,
    /// Set after a one-time code, which permits KEYPUT only (spec §3.7.1).
    code: Option<(CodeId, Purpose)>,
}

impl Login {
    /// Was a token given, and not a one-time code?
    pub(crate) fn may_do_all(&self) -> bool {
        self.code.is_none()
    }

    /// May this user send with that reverse-path?
    ///
    /// # Errors
    /// After a one-time code nothing but KEYPUT; an address that is not the user's.
    pub(crate) fn may_send_from(&self, path: &ReversePath) -> Result<(), Rejection> {
        if !self.may_do_all() {
            return Err(Rejection::EnrolmentOnly);
        }
        match path {
            ReversePath::Address(address) if *address == self.account.address => Ok(()),
            _ => Err(Rejection::FromNotYours),
        }
    }
}

/// Checks AUTH PLAIN, within the budget for failures (spec §8.1).
///
/// # Errors
/// Wrong name or password (one answer for both), too many failures, or the check itself failed.
pub(crate) async fn log_in(
    site: &Site,
    source: IpAddr,
    credentials: &Credentials,
) -> Result<Login, Rejection> {
    let name = &credentials.authentication;
    let address = Address::parse(name).map_err(|_| Rejection::AuthFailed)?;
    // PLAIN's "act as somebody else" (RFC 4616 §2) is nobody's right here.
    if !credentials.authorization.is_empty() && credentials.authorization != *name {
        return Err(Rejection::AuthFailed);
    }
    let login = check(site, source, &address, credentials.password.as_bytes()).await?;
    signed_in(site, &address, &login).await
}

/// The user whose address and secret were checked.
///
/// # Errors
/// The account is gone meanwhile, or the store failed.
pub(crate) async fn signed_in(
    site: &Site,
    address: &Address,
    login: &email2_store::Login,
) -> Result<Login, Rejection> {
    let account = site
        .store
        .account(address)
        .await
        .map_err(auth_unavailable)?;
    let account = account.ok_or(Rejection::AuthFailed)?;
    let code = match login {
        email2_store::Login::Token { .. } => None,
        email2_store::Login::Code { code, purpose, .. } => Some((*code, *purpose)),
    };
    Ok(Login { account, code })
}

/// Checks an address and its password within the budget; for IMAP as well.
///
/// # Errors
/// As [`log_in`].
pub(crate) async fn check(
    site: &Site,
    source: IpAddr,
    address: &Address,
    password: &[u8],
) -> Result<email2_store::Login, Rejection> {
    let account = address.to_string();
    if !site.auth.may_try(source, &account) {
        return Err(Rejection::AuthThrottled);
    }
    let found = site.store.check(address, password, site.world.now()).await;
    let Some(login) = found.map_err(auth_unavailable)? else {
        site.auth.failed(source, &account);
        tracing::info!(%source, account, "sign-in failed");
        return Err(Rejection::AuthFailed);
    };
    site.auth.succeeded(source, &account);
    Ok(login)
}

/// Publishes a certificate that came by KEYPUT.
///
/// # Errors
/// Not signed in, another's address, a certificate that the policy refuses, or a primary key that
/// nothing links to the one served.
pub(crate) async fn publish(
    site: &Site,
    login: Option<&Login>,
    who: &Identity,
    octets: &[u8],
) -> Result<KeyPutAnswer, Rejection> {
    let login = login.ok_or(Rejection::AuthRequired)?;
    if !is_own(site, login, who).await? {
        return Err(Rejection::KeyPutNotYours);
    }
    let put = usable(who, octets)?;
    for _ in 0..MERGES {
        if let Some(answer) = merge(site, login, who, &put, octets).await? {
            return Ok(answer);
        }
    }
    Err(Rejection::LocalError {
        why: format!("the certificate of {who} changed again and again while it was merged"),
    })
}

/// One's own address, or an alias of it that has a certificate of its own (spec §14.1.2); a code
/// is for the address alone.
async fn is_own(site: &Site, login: &Login, who: &Identity) -> Result<bool, Rejection> {
    let own = &login.account.address;
    let Identity::Address(address) = who else {
        return Ok(false);
    };
    if address == own || login.code.is_some() {
        return Ok(address == own);
    }
    let alias = site.store.alias(address).await.map_err(local)?;
    let target = alias.map(|alias| alias.target);
    Ok(matches!(target, Some(AliasTarget::Account { address, linked: false }) if address == *own))
}

/// Merges with what is served and keeps it. `None`: something else is served by now.
async fn merge(
    site: &Site,
    login: &Login,
    who: &Identity,
    put: &Certificate,
    octets: &[u8],
) -> Result<Option<KeyPutAnswer>, Rejection> {
    let Next {
        certificate,
        replaces,
        over,
    } = replacing(site, login, who, put.clone()).await?;
    let version = version(who, &certificate);
    let Some((code, _)) = login.code else {
        return keep(site, version, replaces, over).await;
    };
    let enrolment = Enrolment {
        code,
        version,
        replaces,
        over,
        put: Sha256::digest(octets).into(),
        token: Secret::token(&mut site.world.rng()),
    };
    enrol(site, login, enrolment).await
}

/// The certificate to keep.
struct Next {
    certificate: Certificate,
    /// What becomes of the others.
    replaces: Replaces,
    /// The one it was made over.
    over: Option<Etag>,
}

/// A certificate that others can use for this address; what was left out of it is said.
fn usable(who: &Identity, octets: &[u8]) -> Result<Certificate, Rejection> {
    let refused = |why: String| Rejection::CertificateRefused { why };
    let certificate = Certificate::parse(octets).map_err(|error| refused(error.to_string()))?;
    if certificate.binds(who) {
        return Ok(certificate);
    }
    let left_out: Vec<String> = certificate
        .left_out()
        .iter()
        .map(|part| format!("{}: {}", part.part, part.why))
        .collect();
    Err(refused(format!(
        "no User ID of it is bound to {who}; {}",
        left_out.join("; ")
    )))
}

/// How the certificate follows the one served (spec §3.6.2, §6.5).
async fn replacing(
    site: &Site,
    login: &Login,
    who: &Identity,
    put: Certificate,
) -> Result<Next, Rejection> {
    let purpose = login.code.map(|(_, purpose)| purpose);
    let served = site.store.served(who).await.map_err(local)?;
    let reset = purpose == Some(Purpose::Reset);
    let Some(served) = served else {
        return Ok(Next {
            certificate: put,
            replaces: if reset {
                Replaces::Reset
            } else {
                Replaces::Keep
            },
            over: None,
        });
    };
    let known = Certificate::parse(&served.octets).map_err(|error| Rejection::LocalError {
        why: format!("the certificate served for {who} cannot be read: {error}"),
    })?;
    let succession = succeed(&known, &put).map_err(|error| Rejection::CertificateRefused {
        why: error.to_string(),
    })?;
    let (certificate, replaces) = match succession {
        // What was put adds nothing, or leaves out: a revocation must not get lost (spec §6.5.1).
        Succession::Same => (known, Replaces::Keep),
        Succession::Merged(both) => (both, Replaces::Keep),
        _ if reset => (put, Replaces::Reset),
        Succession::New if purpose.is_some() => {
            let linked = linked_by_held(site, login, &put).await?;
            let next = linked.ok_or(Rejection::CodeKeepsPrimary)?;
            (next, Replaces::Transition)
        }
        _ if purpose.is_some() => return Err(Rejection::CodeKeepsPrimary),
        Succession::Transition(next) => (next, Replaces::Transition),
        Succession::New => return Err(Rejection::PrimaryUnlinked),
    };
    Ok(Next {
        certificate,
        replaces,
        over: Some(served.etag),
    })
}

/// The first key of somebody's own, when this server held one for them until now: that one signs
/// that the other follows (spec §13.2.5). `None`: none is held.
async fn linked_by_held(
    site: &Site,
    login: &Login,
    put: &Certificate,
) -> Result<Option<Certificate>, Rejection> {
    let (data, now) = (&site.config.data_directory, site.world.now());
    let mut rng = site.world.rng();
    let account = &login.account;
    let linked = held_key::succeeded_by(data, &site.store, account, put, (now, &mut rng)).await;
    linked.map_err(|error| Rejection::LocalError {
        why: error.to_string(),
    })
}

/// A certificate as the store keeps it.
pub(crate) fn version(who: &Identity, certificate: &Certificate) -> Version {
    Version {
        identity: who.clone(),
        primary: certificate.primary().clone(),
        keys: certificate.signing_keys(),
        etag: certificate.etag(),
        octets: certificate.octets().to_vec(),
    }
}

async fn keep(
    site: &Site,
    version: Version,
    replaces: Replaces,
    over: Option<Etag>,
) -> Result<Option<KeyPutAnswer>, Rejection> {
    let now = site.world.now();
    let published = site
        .store
        .publish_over(version, replaces, over.as_ref(), now);
    match published.await.map_err(local)? {
        Published::Kept => Ok(Some(KeyPutAnswer { token: None })),
        Published::OtherPrimary => Err(Rejection::PrimaryUnlinked),
        Published::Moved => Ok(None),
    }
}

async fn enrol(
    site: &Site,
    login: &Login,
    enrolment: Enrolment,
) -> Result<Option<KeyPutAnswer>, Rejection> {
    let token = enrolment.token.reveal().parse::<Token>();
    let outcome = site
        .store
        .enrol(login.account.id, enrolment, site.world.now())
        .await;
    match outcome.map_err(local)? {
        EnrolmentOutcome::Enrolled | EnrolmentOutcome::TokenReplaced => {
            let forgotten = held_key::forget_replaced(&site.store, &login.account).await;
            forgotten.map_err(local)?;
            tracing::info!(account = %login.account.address, "device enrolled");
            Ok(Some(KeyPutAnswer {
                token: Some(token.map_err(|error| Rejection::LocalError {
                    why: error.to_string(),
                })?),
            }))
        }
        EnrolmentOutcome::Moved => Ok(None),
        EnrolmentOutcome::CodeEnded => Err(Rejection::EnrolmentOnly),
        EnrolmentOutcome::OtherPrimary => Err(Rejection::CodeKeepsPrimary),
    }
}

/// What a failing store means to who signs in.
pub(crate) fn auth_unavailable(error: StoreError) -> Rejection {
    Rejection::AuthUnavailable {
        why: error.to_string(),
    }
}

fn local(error: StoreError) -> Rejection {
    crate::inbound::accept::store_failed(error)
}
