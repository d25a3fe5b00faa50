//! The recipients' keys, asked of their own servers and compared with what is
//! known of them (spec §5.5, §6.5). Where a domain does not speak Email 2.0 its people get
//! ordinary mail, and their keys are looked for elsewhere (spec §12.6.1).

mod ordinary;
mod own_server;

use std::time::Duration;

use email2::Assurance;
use email2::address::Address;
use email2::certificate::Certificate;
use email2::key_query::Etag;
use email2::limits;
use email2_remote::{FoundKey, KeyError, Spoken, WayError};
use email2_store::StoreError;

use super::report::{Doubt, Mail, Report, State, Step, Watch};
use super::route::Routed;
use super::{Options, Way};
use crate::learnt::{self, Teller};
use crate::pin::{self, PinError};
use crate::{Client, autocrypt};

/// A recipient whose key is known, or known to be none.
#[derive(Clone, Debug)]
pub struct Keyed {
    /// Who.
    pub address: Address,
    /// Nobody else may learn of this recipient.
    pub blind: bool,
    /// What mail the recipient's domain takes.
    pub mail: Mail,
    /// The recipient's server cannot be reached from here: one's own carries the mail on.
    pub by_server: bool,
    /// The key; none when it is definite that there is none, or nothing vouches for it.
    pub key: Option<RecipientKey>,
    /// What is not certain about the recipient's domain: the author decides.
    pub doubt: Option<Doubt>,
    /// Mail was encrypted to this recipient before.
    pub encrypted_before: bool,
}

/// What to encrypt to.
#[derive(Clone, Debug)]
pub struct RecipientKey {
    /// The certificate.
    pub certificate: Certificate,
    /// Its version, for EMAIL2KEY (spec §3.3); none of a key that no server of Email 2.0 gave.
    pub etag: Option<Etag>,
    /// Who told it.
    pub source: Teller,
}

/// What asking came to.
#[derive(Debug, Default)]
pub struct Found {
    /// Those to write to.
    pub keyed: Vec<Keyed>,
    /// Those who could not be asked for now.
    pub later: Vec<(Routed, String)>,
    /// Those to whom nothing is sent, and why.
    pub refused: Vec<Report>,
}

/// First pause between attempts, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Asks for every recipient's key; who cannot be asked is asked again for as long as the options
/// say.
///
/// # Errors
/// The store failed.
pub async fn fetch(
    client: &Client,
    routed: Vec<Routed>,
    options: &Options,
    watch: &dyn Watch,
) -> Result<Found, StoreError> {
    let clock = &*client.world.clock;
    let deadline = clock.monotonic() + options.wait;
    let (mut found, mut asked, mut pause) = (Found::default(), routed, FIRST_PAUSE);
    let asking = Asking {
        client,
        options,
        watch,
    };
    loop {
        for recipient in std::mem::take(&mut asked) {
            watch.step(Step::Key(recipient.address.clone()));
            asking.ask(recipient, &mut found).await?;
        }
        if found.later.is_empty() || clock.monotonic() + pause > deadline {
            return Ok(found);
        }
        watch.step(Step::Wait(pause.as_secs()));
        clock.sleep(pause).await;
        pause *= 2;
        asked = found
            .later
            .drain(..)
            .map(|(recipient, _)| recipient)
            .collect();
    }
}

/// The key in the cache, unless it expired or was revoked meanwhile: then its owner may have
/// extended it, and the server is asked first (spec §6.6.1).
async fn current(client: &Client, address: &Address) -> Result<FoundKey, KeyError> {
    let kept = client.remote.key_for_writing(address).await?;
    let now = client.world.now();
    if kept.certificate.can_encrypt(now).is_ok() || kept.fetched >= now {
        return Ok(kept);
    }
    client.remote.fetch_for_writing(address).await
}

/// What all questions of one message have in common.
#[derive(Clone, Copy)]
struct Asking<'a> {
    client: &'a Client,
    options: &'a Options,
    watch: &'a dyn Watch,
}

/// How a recipient is reached.
#[derive(Clone, Copy)]
struct Reach {
    mail: Mail,
    by_server: bool,
    doubt: Option<Doubt>,
}

/// By the recipient's own server, without a go-between.
const DIRECTLY: Reach = Reach {
    mail: Mail::Sealed,
    by_server: false,
    doubt: None,
};

/// A key as it was told.
struct Told {
    certificate: Certificate,
    etag: Option<Etag>,
    assurance: Option<Assurance>,
}

impl Told {
    /// By a server of Email 2.0, which knows its version.
    fn by_server(key: FoundKey) -> Told {
        Told {
            certificate: key.certificate,
            etag: Some(key.etag),
            assurance: key.assurance,
        }
    }
}

impl Asking<'_> {
    async fn ask(self, recipient: Routed, found: &mut Found) -> Result<(), StoreError> {
        let domain = recipient.address.domain();
        match self.client.remote.way_to(domain).await {
            Ok(Spoken::Email2) => self.ask_its_server(recipient, found).await,
            Ok(Spoken::Ordinary) if self.options.email2_only => {
                let error = KeyError::NoEmail2(domain.clone());
                found
                    .refused
                    .push(refused(recipient, State::Unavailable, &error));
                Ok(())
            }
            Ok(Spoken::Ordinary) => ordinary::find(self, recipient, None, found).await,
            Err(WayError::Unanswered(why)) => self.unanswered(recipient, why, found).await,
            Err(error) if error.is_temporary() => {
                self.later(recipient, error.to_string(), found).await
            }
            Err(error) => {
                found
                    .refused
                    .push(refused(recipient, State::Unavailable, &error));
                Ok(())
            }
        }
    }

    /// Nothing can be known now, from here: one's own server may know. A domain that only seems not
    /// to speak Email 2.0 comes here too, and never to ordinary mail (spec §12.6.6).
    async fn later(
        self,
        recipient: Routed,
        why: String,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let later = self.elsewhere(recipient, why, found).await?;
        found.later.extend(later);
        Ok(())
    }

    /// Asks one's own server, unless its user does without; whoever nobody knows more of comes
    /// back, with the reason.
    async fn elsewhere(
        self,
        recipient: Routed,
        why: String,
        found: &mut Found,
    ) -> Result<Option<(Routed, String)>, StoreError> {
        if self.options.way == Way::Direct {
            return Ok(Some((recipient, why)));
        }
        own_server::ask(self, recipient, why, found).await
    }

    /// The domain's records cannot be looked up. For an hour it waits; then its author is asked
    /// whether it may leave as ordinary mail (spec §12.1.4).
    async fn unanswered(
        self,
        recipient: Routed,
        why: String,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let Some((recipient, why)) = self.elsewhere(recipient, why, found).await? else {
            return Ok(());
        };
        if self.options.email2_only || !self.has_waited() {
            found.later.push((recipient, why));
            return Ok(());
        }
        ordinary::find(self, recipient, Some(Doubt::Unanswered), found).await
    }

    fn has_waited(self) -> bool {
        let now = self.client.world.now();
        let since = self.options.since.unwrap_or(now);
        now.saturating_sub(since) >= limits::DNS_PATIENCE
    }

    async fn ask_its_server(self, recipient: Routed, found: &mut Found) -> Result<(), StoreError> {
        match current(self.client, &recipient.address).await {
            Ok(key) if key.assurance.is_none() => self.unauthenticated(recipient, found).await,
            Err(KeyError::Unauthenticated(_)) => self.unauthenticated(recipient, found).await,
            Ok(key) => {
                let told = Told::by_server(key);
                self.settle(recipient, told, (Teller::Domain, DIRECTLY), found)
                    .await
            }
            // spec §5.5.1: only a definite "no key" lets cleartext be thought of.
            Err(KeyError::NoKey(_)) => self.keyed(recipient, DIRECTLY, None, found).await,
            Err(error) if !error.is_temporary() => {
                let report = refused(recipient, State::Unavailable, &error);
                found.refused.push(report);
                Ok(())
            }
            Err(error) => self.later(recipient, error.to_string(), found).await,
        }
    }

    /// Whoever forged the MX records would read the message: nothing is encrypted to what such a
    /// host says (spec §5.5.3). One's own server may have found the true one; else the author decides
    /// (spec §5.5.4).
    async fn unauthenticated(self, recipient: Routed, found: &mut Found) -> Result<(), StoreError> {
        let error = KeyError::Unauthenticated(recipient.address.clone());
        if self.options.email2_only {
            let report = refused(recipient, State::Refused, &error);
            found.refused.push(report);
            return Ok(());
        }
        let asked = self.elsewhere(recipient, error.to_string(), found).await?;
        let Some((recipient, _)) = asked else {
            return Ok(());
        };
        let reach = Reach {
            doubt: Some(Doubt::Unauthenticated),
            ..DIRECTLY
        };
        self.keyed(recipient, reach, None, found).await
    }

    /// Compares a key with the one that is known, and takes the one to use.
    async fn settle(
        self,
        recipient: Routed,
        told: Told,
        (source, reach): (Teller, Reach),
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let (who, store, now) = (
            &recipient.address,
            &self.client.store,
            self.client.world.now(),
        );
        let settled = pin::settle_told(store, who, &told.certificate, told.assurance, now).await;
        let (certificate, before) = match settled {
            Ok(settled) => settled,
            Err(PinError::Store(error)) => return Err(error),
            Err(error) => {
                let report = refused(recipient, State::Refused, &error);
                found.refused.push(report);
                return Ok(());
            }
        };
        if before.is_some() {
            self.watch.step(Step::Replaced {
                address: who.clone(),
                key: certificate.primary().clone(),
            });
        }
        let source = learnt::note(store, who, certificate.primary(), source).await?;
        let key = RecipientKey {
            certificate,
            etag: told.etag,
            source,
        };
        self.keyed(recipient, reach, Some(key), found).await
    }

    async fn keyed(
        self,
        recipient: Routed,
        reach: Reach,
        key: Option<RecipientKey>,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        // spec §13.2.2: a server holds it, and its owner could not read what is encrypted to it.
        let key = key.filter(|key| !key.certificate.is_held_for_signing());
        let (who, store) = (&recipient.address, &self.client.store);
        let encrypted_before = match pin::encrypted_before(store, who).await {
            Ok(before) => before || autocrypt::encrypted_before(store, who).await?,
            Err(PinError::Store(error)) => return Err(error),
            // A pin that cannot be read is no licence for cleartext.
            Err(_) => true,
        };
        found.keyed.push(Keyed {
            address: recipient.address,
            blind: recipient.blind,
            mail: reach.mail,
            by_server: reach.by_server,
            key,
            doubt: reach.doubt,
            encrypted_before,
        });
        Ok(())
    }
}

fn refused(recipient: Routed, state: State, why: &dyn std::fmt::Display) -> Report {
    Report {
        words: why.to_string(),
        ..Report::of(recipient.address, state)
    }
}
