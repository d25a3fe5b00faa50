//! SCRAM-SHA-256, the server's side (spec §13.1): for submission and IMAP alike.
//!
//! The exchange is ours and not a library's: an account has several secrets under one salt, and
//! which of them is meant shows only when the proof is there.

use std::net::IpAddr;

use email2::address::Address;
use email2::rejection::Rejection;
use email2::scram::{Challenge, ClientFinal, ClientFirst, server_final};
use email2_store::credential::{ITERATIONS, SALT_LENGTH};
use email2_store::{Login, Scope, StoreError};
use rand_core::RngCore as _;
use sha2::{Digest, Sha256};

use crate::enrolment::auth_unavailable;
use crate::site::Site;

/// The server's setting from which the salts of addresses are made that are not here.
const MASK: &str = "sign-in-mask";

/// Octets of that setting.
const MASK_OCTETS: usize = 32;

/// An exchange that waits for the client's proof.
#[derive(Debug)]
pub(crate) struct Exchange {
    challenge: Challenge,
    /// Who wants to sign in; `None`: what was given is no address.
    address: Option<Address>,
}

impl Exchange {
    /// Begins. An address that is not here gets a challenge like any other, the same each time
    /// (spec §13.1.2).
    ///
    /// # Errors
    /// The store failed, or acting as somebody else was asked for.
    pub(crate) async fn begin(site: &Site, first: ClientFirst) -> Result<Exchange, Rejection> {
        // "Act as somebody else" (RFC 5802 §5.1, `a`) is nobody's right here.
        if first
            .acting
            .as_ref()
            .is_some_and(|acting| *acting != first.user)
        {
            return Err(Rejection::AuthFailed);
        }
        let address = Address::parse(&first.user).ok();
        let salt = salt(site, address.as_ref(), &first.user).await;
        let salt = salt.map_err(auth_unavailable)?;
        Ok(Exchange {
            challenge: first.challenge(&nonce(site), &salt, ITERATIONS),
            address,
        })
    }

    /// The server's first message.
    pub(crate) fn challenge(&self) -> String {
        self.challenge.text().to_owned()
    }

    /// Checks the proof within the budget for failures (spec §8.1): who that is, and the server's
    /// last message.
    ///
    /// # Errors
    /// Wrong name or secret (one answer for both), too many failures, or the check itself failed.
    pub(crate) async fn prove(
        self,
        site: &Site,
        source: IpAddr,
        last: &ClientFinal,
    ) -> Result<(Login, Address, String), Rejection> {
        let address = self.address.ok_or(Rejection::AuthFailed)?;
        let account = address.to_string();
        if !site.auth.may_try(source, &account) {
            return Err(Rejection::AuthThrottled);
        }
        let signed = self.challenge.signed(last);
        let signed = signed.map_err(|_| Rejection::AuthMalformed)?;
        let now = site.world.now();
        let found = site.store.check_proof(&address, &signed, &last.proof, now);
        let Some((login, signature)) = found.await.map_err(auth_unavailable)? else {
            site.auth.failed(source, &account);
            tracing::info!(%source, account, "sign-in failed");
            return Err(Rejection::AuthFailed);
        };
        site.auth.succeeded(source, &account);
        Ok((login, address, server_final(&signature)))
    }
}

/// The server's part of an exchange's nonce.
pub(crate) fn nonce(site: &Site) -> String {
    let mut rng = site.world.rng();
    format!("{:016x}{:016x}", rng.next_u64(), rng.next_u64())
}

/// The salt of the address; else one that only this server can make, always the same.
async fn salt(site: &Site, address: Option<&Address>, user: &str) -> Result<Vec<u8>, StoreError> {
    let made_up = made_up_salt(site, user).await?;
    let known = match address {
        Some(address) => site.store.salt(address).await?,
        None => None,
    };
    Ok(known.unwrap_or(made_up))
}

/// The salt of a name that is not here (spec §13.1.2).
///
/// # Errors
/// The store failed.
pub(crate) async fn made_up_salt(site: &Site, user: &str) -> Result<Vec<u8>, StoreError> {
    Ok(made_up(&mask(site).await?, user))
}

fn made_up(mask: &[u8], user: &str) -> Vec<u8> {
    let digest = Sha256::new()
        .chain_update(mask)
        .chain_update(user)
        .finalize();
    digest.iter().copied().take(SALT_LENGTH).collect()
}

async fn mask(site: &Site) -> Result<Vec<u8>, StoreError> {
    if let Some(mask) = site.store.setting(Scope::Server, MASK).await? {
        return Ok(mask);
    }
    let mut mask = vec![0; MASK_OCTETS];
    site.world.rng().fill_bytes(&mut mask);
    let value = (MASK.to_owned(), Some(mask.clone()));
    site.store.set(Scope::Server, vec![value]).await?;
    Ok(mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_salt_stays_and_looks_like_one() {
        let salt = made_up(b"mask", "x@example.org");
        assert_eq!(salt, made_up(b"mask", "x@example.org"));
        assert_eq!(salt.len(), SALT_LENGTH);
        assert_ne!(salt, made_up(b"mask", "y@example.org"));
        assert_ne!(salt, made_up(b"other", "x@example.org"));
    }
}
