//! KEY: the certificates of this server's users and domains (spec §3.4, §3.5).

mod read;

use email2::address::{Address, Identity};
use email2::certificate::{Certificate, Fingerprint};
use email2::key_query::{Etag, KeyAnswer, KeyFlags, KeyQuery};
use email2::limits;
use email2::rejection::Rejection;
use email2_store::{Account, AliasTarget, CertificateVersion, StoreError};

use crate::config::DomainConfig;
use crate::session::Caller;
use crate::site::Site;

pub(crate) use read::Read;

/// Answers a question for a key. A domain that is not served here is asked on behalf of a user
/// who is signed in, and of nobody else.
///
/// # Errors
/// One and the same refusal for an unknown address, an address without a key, an unlisted one
/// and a wrong fingerprint (spec §3.4.2, §3.4.3); 450 when one network asks for too many
/// (spec §3.4.6); 451 when the store cannot be read (spec §3.4.5).
pub(crate) async fn answer(caller: &Caller, query: &KeyQuery) -> Result<KeyAnswer, Rejection> {
    let site = &*caller.site;
    match (site.config.domain(query.subject.domain()), &caller.login) {
        (Some(domain), None) if query.fingerprint.is_none() => {
            stranger(caller, domain, query).await
        }
        (Some(domain), _) => own(site, domain, query).await,
        (None, Some(login)) if login.may_do_all() => foreign(site, query).await,
        _ => Err(no_key(query)),
    }
}

/// A writer whom nobody knows: their network's questions are counted (spec §3.4.6).
async fn stranger(
    caller: &Caller,
    domain: &DomainConfig,
    query: &KeyQuery,
) -> Result<KeyAnswer, Rejection> {
    let (site, source) = (&*caller.site, caller.peer.ip());
    site.harvest.ask(source, &domain.name)?;
    let answer = own(site, domain, query).await;
    if let Err(Rejection::NoKey { .. }) = &answer {
        site.harvest.missed(source, &domain.name);
    }
    answer
}

async fn own(site: &Site, domain: &DomainConfig, query: &KeyQuery) -> Result<KeyAnswer, Rejection> {
    let found = match &query.fingerprint {
        Some(key) => holding(site, &query.subject, key).await,
        None => for_writer(site, &query.subject).await,
    };
    let (certificate, mut flags) = found.map_err(unavailable)?.ok_or_else(|| no_key(query))?;
    if let Identity::Service(_) = &query.subject {
        flags.p = Some(domain.policy);
        flags.sp = Some(domain.subdomains);
        flags.ma = Some(domain.memory);
    }
    let ttl = if query.fingerprint.is_some() {
        limits::VERIFY_TTL
    } else {
        limits::ENCRYPT_TTL
    };
    Ok(reply(&certificate, flags, ttl, query.etag.as_ref()))
}

fn reply(certificate: &Certificate, flags: KeyFlags, ttl: u64, held: Option<&Etag>) -> KeyAnswer {
    let etag = certificate.etag_with(&flags);
    if held == Some(&etag) {
        return KeyAnswer::Unchanged;
    }
    KeyAnswer::Certificate {
        etag,
        ttl: u32::try_from(ttl).unwrap_or(u32::MAX),
        flags,
        octets: certificate.octets().to_vec(),
    }
}

/// For a person's own program that cannot reach the other server itself: with the assurance
/// that was found, and nothing without (spec §3.10.5).
async fn foreign(site: &Site, query: &KeyQuery) -> Result<KeyAnswer, Rejection> {
    let Identity::Address(address) = &query.subject else {
        return Err(no_key(query));
    };
    match site.remote.key_for_writing(address).await {
        Ok(found) if found.assurance.is_none() => Err(Rejection::KeyUnavailable {
            why: "nothing authenticates the server that answers for the address".to_owned(),
        }),
        Ok(found) => Ok(KeyAnswer::Certificate {
            etag: found.etag,
            ttl: u32::try_from(limits::VERIFY_TTL).unwrap_or(u32::MAX),
            flags: KeyFlags {
                assurance: found.assurance,
                ..found.flags
            },
            octets: found.certificate.octets().to_vec(),
        }),
        Err(error) if error.is_definite() => Err(no_key(query)),
        Err(error) => Err(Rejection::KeyUnavailable {
            why: error.to_string(),
        }),
    }
}

/// The version that a verifier gets: the newest that holds `key`, with its flags.
///
/// # Errors
/// The store cannot be read, or holds what cannot be read.
pub(crate) async fn holding(
    site: &Site,
    who: &Identity,
    key: &Fingerprint,
) -> Result<Option<(Certificate, KeyFlags)>, StoreError> {
    let Some(version) = site.store.holding(who, key).await? else {
        return Ok(None);
    };
    let flags = flags_of(site, who, &version).await?;
    Ok(reduced(site, &version)?.map(|certificate| (certificate, flags)))
}

/// What a writer gets: the address's own certificate, else that of the account whose mail it
/// is, where its owner or `+` makes them one (spec §3.5.5, §14.1.2, §14.1.3).
async fn for_writer(
    site: &Site,
    who: &Identity,
) -> Result<Option<(Certificate, KeyFlags)>, StoreError> {
    let found = listed(site, who).await?;
    let (None, Identity::Address(address)) = (&found, who) else {
        return Ok(found);
    };
    match read_by(site, address).await? {
        Some(base) if base != *address => listed(site, &Identity::Address(base)).await,
        _ => Ok(None),
    }
}

/// Whose key reads what is encrypted for `address`.
async fn read_by(site: &Site, address: &Address) -> Result<Option<Address>, StoreError> {
    let base = address.local().split_once('+').map(|(base, _)| base);
    let base =
        base.and_then(|base| Address::from_parts(base.to_owned(), address.domain().clone()).ok());
    for name in [Some(address), base.as_ref()].into_iter().flatten() {
        if site.store.account(name).await?.is_some() {
            return Ok(Some(name.clone()));
        }
        if let Some(alias) = site.store.alias(name).await? {
            return Ok(match alias.target {
                AliasTarget::Account {
                    address,
                    linked: true,
                } => Some(address),
                _ => None,
            });
        }
    }
    Ok(None)
}

/// The version that a writer gets, unless the address is unlisted.
///
/// # Errors
/// The store cannot be read, or holds what cannot be read.
pub(crate) async fn listed(
    site: &Site,
    who: &Identity,
) -> Result<Option<(Certificate, KeyFlags)>, StoreError> {
    let Some(version) = site.store.served(who).await? else {
        return Ok(None);
    };
    let flags = flags_of(site, who, &version).await?;
    if flags.unlisted {
        return Ok(None);
    }
    Ok(reduced(site, &version)?.map(|certificate| (certificate, flags)))
}

/// What a writer encrypts to, with the etag that names it (spec §3.3).
///
/// # Errors
/// The store cannot be read, or holds what cannot be read.
pub(crate) async fn for_writing(
    site: &Site,
    who: &Identity,
) -> Result<Option<(Certificate, Etag)>, StoreError> {
    let found = for_writer(site, who).await?;
    Ok(found.map(|(certificate, flags)| {
        let etag = certificate.etag_with(&flags);
        (certificate, etag)
    }))
}

/// May a message for `to`, whose mail is `account`'s, be taken that was encrypted to the
/// certificate of this etag (spec §3.3.1)? Not when its primary key was reset, its encryption
/// subkey revoked hard, or it was never served.
///
/// # Errors
/// `key-changed` with the etag served now; the refusal of an unknown address when none is served.
pub(crate) async fn accepts(
    site: &Site,
    to: &Address,
    account: Option<&Address>,
    etag: &Etag,
) -> Result<(), Rejection> {
    let mut who = Identity::Address(to.clone());
    let mut served = site.store.served(&who).await.map_err(unavailable)?;
    if let (None, Some(account)) = (&served, account) {
        who = Identity::Address(account.clone());
        served = site.store.served(&who).await.map_err(unavailable)?;
    }
    let served = served.ok_or_else(|| Rejection::NoSuchMailbox {
        recipient: to.clone(),
    })?;
    let still_read = named_is_still_read(site, &who, etag, &served).await;
    if still_read.map_err(unavailable)? {
        return Ok(());
    }
    let now_served = etag_of(site, &who, &served).await.map_err(unavailable)?;
    Err(match now_served {
        Some(etag) => Rejection::KeyChanged { etag },
        None => Rejection::NoSuchMailbox {
            recipient: to.clone(),
        },
    })
}

/// Does the owner still read what was encrypted to the version of this etag?
async fn named_is_still_read(
    site: &Site,
    who: &Identity,
    etag: &Etag,
    served: &CertificateVersion,
) -> Result<bool, StoreError> {
    for version in site.store.versions(who).await? {
        if !version.hard && etag_of(site, who, &version).await?.as_ref() == Some(etag) {
            let named = certificate_of(&version)?;
            let newest = certificate_of(served)?;
            let mut keys = named.encryption_keys(version.stored).into_iter();
            return Ok(!keys.any(|key| newest.is_revoked_hard(&key)));
        }
    }
    Ok(false)
}

async fn etag_of(
    site: &Site,
    who: &Identity,
    version: &CertificateVersion,
) -> Result<Option<Etag>, StoreError> {
    let flags = flags_of(site, who, version).await?;
    Ok(reduced(site, version)?.map(|certificate| certificate.etag_with(&flags)))
}

/// What stands beside a version: how long it was the address's, and what its owner wants.
async fn flags_of(
    site: &Site,
    who: &Identity,
    version: &CertificateVersion,
) -> Result<KeyFlags, StoreError> {
    let account = match who {
        Identity::Address(address) => owner(site, address).await?,
        Identity::Service(_) => None,
    };
    // A list signs its answers and reads nothing: who would write to it encrypts for nobody.
    let nobodys = account.is_none() && matches!(who, Identity::Address(_));
    Ok(KeyFlags {
        strict: account.as_ref().is_some_and(|account| account.strict),
        unlisted: nobodys || account.as_ref().is_some_and(|account| account.unlisted),
        hard: version.hard,
        since: Some(version.since),
        until: version.until,
        ..KeyFlags::default()
    })
}

/// The account of an address or of an alias.
async fn owner(site: &Site, address: &Address) -> Result<Option<Account>, StoreError> {
    if let Some(account) = site.store.account(address).await? {
        return Ok(Some(account));
    }
    match site.store.alias(address).await?.map(|alias| alias.target) {
        Some(AliasTarget::Account { address, .. }) => site.store.account(&address).await,
        _ => Ok(None),
    }
}

/// The certificate with the one User ID asked for (spec §3.5.5).
fn reduced(site: &Site, version: &CertificateVersion) -> Result<Option<Certificate>, StoreError> {
    let read = || Ok(certificate_of(version)?.reduced_to(&version.identity));
    site.certificates.of(version, read)
}

fn certificate_of(version: &CertificateVersion) -> Result<Certificate, StoreError> {
    Certificate::parse(&version.octets).map_err(|error| {
        StoreError::Unreadable(format!("the certificate of {}: {error}", version.identity))
    })
}

fn no_key(query: &KeyQuery) -> Rejection {
    Rejection::NoKey {
        subject: query.subject.clone(),
    }
}

/// What it means to who asks that the store cannot be read.
pub(crate) fn unavailable(error: StoreError) -> Rejection {
    tracing::error!(%error, "keys cannot be read");
    Rejection::KeyUnavailable {
        why: error.to_string(),
    }
}
