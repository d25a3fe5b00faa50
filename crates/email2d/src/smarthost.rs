//! Names by which mail systems behind sign in at their door (spec §15.2.3), where they come from no
//! network that is vouched for. Of a password nothing is kept but the verifier of SCRAM.

use std::net::IpAddr;

use email2::rejection::Rejection;
use email2::scram::{Challenge, ClientFinal, ClientFirst, server_final};
use email2_io::aside::aside;
use email2_smtp::Credentials;
use email2_smtp::server::{Answer, SignIn};
use email2_store::credential::{ITERATIONS, SALT_LENGTH, Salted, Verifier};
use email2_store::{Scope, Secret, Store, StoreError};
use rand_core::{CryptoRng, RngCore};

use crate::config::SmarthostConfig;
use crate::enrolment::auth_unavailable;
use crate::listen::Door;
use crate::sign_in::{made_up_salt, nonce};
use crate::site::Site;

/// Settings of the server with this prefix and a name hold the verifier of its password.
const KEPT: &str = "smarthost/";

/// Characters of the longest name.
const NAME_LIMIT: usize = 64;

/// Can that be a name: letters, digits, `.`, `-` and `_`?
#[must_use]
pub fn is_name(name: &str) -> bool {
    let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_');
    (1..=NAME_LIMIT).contains(&name.len()) && name.bytes().all(fits)
}

/// Makes a password for a name, in place of one that it had.
///
/// # Errors
/// The store failed.
pub async fn add(
    store: &Store,
    name: &str,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Secret, StoreError> {
    let password = Secret::token(rng);
    let mut salt = [0; SALT_LENGTH];
    rng.fill_bytes(&mut salt);
    let verifier = Verifier::new(password.reveal().as_bytes(), &salt);
    let value = (kept(name), Some(verifier.to_string().into_bytes()));
    store.set(Scope::Server, vec![value]).await?;
    Ok(password)
}

/// Forgets a name and its password; `false`: there is none.
///
/// # Errors
/// The store failed.
pub async fn remove(store: &Store, name: &str) -> Result<bool, StoreError> {
    let known = store.setting(Scope::Server, &kept(name)).await?.is_some();
    store.set(Scope::Server, vec![(kept(name), None)]).await?;
    Ok(known)
}

/// The names that have a password.
///
/// # Errors
/// The store failed.
pub async fn names(store: &Store) -> Result<Vec<String>, StoreError> {
    let found = store.settings(Scope::Server, KEPT).await?.into_iter();
    let names = found.filter_map(|(name, _)| Some(name.strip_prefix(KEPT)?.to_owned()));
    Ok(names.collect())
}

fn kept(name: &str) -> String {
    format!("{KEPT}{name}")
}

/// Whoever is at the door of a mail system behind, and how far they have signed in.
#[derive(Debug)]
pub(crate) struct Behind {
    /// The number of the door's table.
    table: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Unknown,
    Challenged(Box<Exchange>),
    /// The proof was right; the client has not answered yet (spec §13.1.1).
    Proved(String),
    SignedIn(String),
}

impl Behind {
    /// At this door, when it is one.
    pub(crate) fn at(door: Door) -> Option<Behind> {
        match door {
            Door::Smarthost(table) => Some(Behind {
                table,
                state: State::Unknown,
            }),
            _ => None,
        }
    }

    /// After the handshake of TLS nothing is known any more (spec §3.11.2).
    pub(crate) fn anew(self) -> Behind {
        Behind {
            state: State::Unknown,
            ..self
        }
    }

    /// The door's table, for whoever is vouched for by a network or a name of it (spec §15.2.1).
    ///
    /// # Errors
    /// Nobody vouches: AUTH comes first.
    pub(crate) fn admitted<'a>(
        &self,
        site: &'a Site,
        peer: IpAddr,
    ) -> Result<&'a SmarthostConfig, Rejection> {
        let table = self.config(site)?;
        let signed_in = match &self.state {
            State::SignedIn(name) => table.names.contains(name),
            _ => false,
        };
        match signed_in || table.vouches_for(peer) {
            true => Ok(table),
            false => Err(Rejection::AuthRequired),
        }
    }

    /// One step of signing in.
    ///
    /// # Errors
    /// Wrong name or password (one answer for both), too many failures, a step out of turn, or the
    /// store failed.
    pub(crate) async fn sign_in(
        &mut self,
        site: &Site,
        source: IpAddr,
        step: SignIn,
    ) -> Result<Answer, Rejection> {
        let table = self.config(site)?;
        let begun = std::mem::replace(&mut self.state, State::Unknown);
        let (state, answer) = match (step, begun) {
            (SignIn::Plain(credentials), _) => {
                let name = log_in(site, table, source, &credentials).await?;
                (State::SignedIn(name), Answer::Accepted)
            }
            (SignIn::Scram(first), _) => {
                let exchange = Exchange::begin(site, table, first).await?;
                let text = exchange.challenge.text().to_owned();
                (
                    State::Challenged(Box::new(exchange)),
                    Answer::Challenge(text),
                )
            }
            (SignIn::Proof(last), State::Challenged(exchange)) => {
                let (name, text) = exchange.prove(site, source, &last)?;
                (State::Proved(name), Answer::Challenge(text))
            }
            (SignIn::Proved, State::Proved(name)) => (State::SignedIn(name), Answer::Accepted),
            _ => return Err(Rejection::AuthMalformed),
        };
        self.state = state;
        Ok(answer)
    }

    fn config<'a>(&self, site: &'a Site) -> Result<&'a SmarthostConfig, Rejection> {
        let table = site.config.smarthosts.get(self.table);
        table.ok_or(Rejection::AuthRequired)
    }
}

/// The verifier of a name that may sign in at this door.
async fn verifier(
    site: &Site,
    table: &SmarthostConfig,
    name: &str,
) -> Result<Option<Verifier>, Rejection> {
    if !table.names.iter().any(|known| known == name) {
        return Ok(None);
    }
    let found = site.store.setting(Scope::Server, &kept(name)).await;
    let found = found.map_err(auth_unavailable)?;
    let text = found.and_then(|octets| String::from_utf8(octets).ok());
    Ok(text.and_then(|text| Verifier::parse(&text)))
}

/// The salt of a verifier; of an unknown name one that looks like any other (spec §13.1.2).
async fn salt_of(
    site: &Site,
    verifier: Option<&Verifier>,
    name: &str,
) -> Result<Vec<u8>, Rejection> {
    match verifier {
        Some(verifier) => Ok(verifier.salt().to_vec()),
        None => made_up_salt(site, name).await.map_err(auth_unavailable),
    }
}

/// AUTH PLAIN.
async fn log_in(
    site: &Site,
    table: &SmarthostConfig,
    source: IpAddr,
    credentials: &Credentials,
) -> Result<String, Rejection> {
    let name = credentials.authentication.clone();
    // PLAIN's "act as somebody else" (RFC 4616 §2) is nobody's right here.
    if !credentials.authorization.is_empty() && credentials.authorization != name {
        return Err(Rejection::AuthFailed);
    }
    may_try(site, source, &name)?;
    let verifier = verifier(site, table, &name).await?;
    let salt = salt_of(site, verifier.as_ref(), &name).await?;
    let password = credentials.password.clone();
    let matches = aside(move || {
        let salted = Salted::new(password.as_bytes(), &salt, ITERATIONS);
        verifier.is_some_and(|verifier| verifier.matches(&salted))
    });
    let matches = matches.await.map_err(|error| Rejection::LocalError {
        why: error.to_string(),
    })?;
    settle(site, source, &name, matches)?;
    Ok(name)
}

/// An exchange of SCRAM that waits for the client's proof.
#[derive(Debug)]
struct Exchange {
    challenge: Challenge,
    name: String,
    verifier: Option<Verifier>,
}

impl Exchange {
    async fn begin(
        site: &Site,
        table: &SmarthostConfig,
        first: ClientFirst,
    ) -> Result<Exchange, Rejection> {
        let name = first.user.clone();
        if first.acting.as_ref().is_some_and(|acting| *acting != name) {
            return Err(Rejection::AuthFailed);
        }
        let verifier = verifier(site, table, &name).await?;
        let salt = salt_of(site, verifier.as_ref(), &name).await?;
        Ok(Exchange {
            challenge: first.challenge(&nonce(site), &salt, ITERATIONS),
            name,
            verifier,
        })
    }

    /// Who that is, and the server's last message.
    fn prove(
        self,
        site: &Site,
        source: IpAddr,
        last: &ClientFinal,
    ) -> Result<(String, String), Rejection> {
        may_try(site, source, &self.name)?;
        let signed = self.challenge.signed(last);
        let signed = signed.map_err(|_| Rejection::AuthMalformed)?;
        let verifier = self.verifier.as_ref();
        let signature = verifier.and_then(|verifier| verifier.proves(&signed, &last.proof));
        settle(site, source, &self.name, signature.is_some())?;
        let signature = signature.ok_or(Rejection::AuthFailed)?;
        Ok((self.name, server_final(&signature)))
    }
}

/// Within the budget for failures (spec §8.1).
fn may_try(site: &Site, source: IpAddr, name: &str) -> Result<(), Rejection> {
    match site.auth.may_try(source, &kept(name)) {
        true => Ok(()),
        false => Err(Rejection::AuthThrottled),
    }
}

fn settle(site: &Site, source: IpAddr, name: &str, right: bool) -> Result<(), Rejection> {
    if right {
        site.auth.succeeded(source, &kept(name));
        return Ok(());
    }
    site.auth.failed(source, &kept(name));
    tracing::info!(%source, ?name, "sign-in at the smarthost failed");
    Err(Rejection::AuthFailed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word() {
        for good in ["postfix", "mail-1.example_org", &"a".repeat(NAME_LIMIT)] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "",
            "a b",
            "a/b",
            "bob@example.org",
            &"a".repeat(NAME_LIMIT + 1),
        ] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
