//! What every connection of this server shares.

use std::sync::Arc;

use email2::address::{Address, Domain, Identity};
use email2_io::limit::{AuthBudget, AuthLimits};
use email2_io::tls::{CertificateFiles, ServerTls};
use email2_io::world::World;
use email2_remote::Remote;
use email2_store::{Recipient, Store, StoreError};
use rand_core::RngCore as _;

use crate::StartError;
use crate::authentication::Authentication;
use crate::config::{Config, Inner};
use crate::harvest::Harvest;
use crate::inner::Acquaintance;
use crate::key_service::Read;
use crate::memory::StoreMemory;
use crate::outbound::Departures;
use crate::ownership::Ownership;
use crate::sender_policy::PolicyFailures;
use crate::settings::OF_RECIPIENTS;
use crate::strangers::Strangers;
use crate::strangers::ordinary::Unproved;
use crate::tls_book::TlsBook;

/// Configuration, world, store and what is asked of others.
#[derive(Debug)]
pub(crate) struct Site {
    /// What the administrator wrote.
    pub(crate) config: Config,
    /// Clock, entropy, DNS and network.
    pub(crate) world: World,
    /// What is kept.
    pub(crate) store: Store,
    /// Other domains' servers.
    pub(crate) remote: Remote,
    /// Our certificates.
    pub(crate) tls: ServerTls,
    /// The certificates of our own people.
    pub(crate) certificates: Read,
    /// Failed logins.
    pub(crate) auth: AuthBudget,
    /// SPF, DKIM and DMARC of ordinary mail.
    pub(crate) authentication: Authentication,
    /// Since when whose policy cannot be looked up.
    pub(crate) policy_failures: PolicyFailures,
    /// Whom the mail systems behind this server know.
    pub(crate) acquaintance: Acquaintance,
    /// Who asks for many addresses.
    pub(crate) harvest: Harvest,
    /// What was taken of authors whom nobody knows.
    pub(crate) strangers: Strangers,
    /// The same of ordinary mail, which takes nothing from what is sealed.
    pub(crate) newcomers: Strangers,
    /// Ordinary mail that nothing vouches for.
    pub(crate) unproved: Unproved,
    /// Which served domains' published hosts name this server.
    pub(crate) ownership: Ownership,
    /// Wakes who carries mail on.
    pub(crate) departures: Departures,
    /// How TLS with other domains' hosts went.
    pub(crate) tls_book: Arc<TlsBook>,
}

impl Site {
    /// Reads the certificates; `store` is open.
    ///
    /// # Errors
    /// See [`StartError`].
    pub(crate) fn open(config: Config, world: World, store: Store) -> Result<Site, StartError> {
        let files: Vec<_> = config
            .tls
            .iter()
            .map(|tls| CertificateFiles {
                certificate: tls.certificate.clone(),
                key: tls.key.clone(),
            })
            .collect();
        let tls = ServerTls::new(&files, Arc::clone(&world.clock))?;
        let tls_book = Arc::new(TlsBook::new(Arc::clone(&world.clock)));
        let memory = Arc::new(StoreMemory::new(store.clone(), Arc::clone(&tls_book)));
        let remote = Remote::new(
            world.clone(),
            memory,
            &config.network,
            config.hostname.as_str(),
        )?;
        let auth = AuthBudget::new(AuthLimits::default(), Arc::clone(&world.clock));
        let harvest = Harvest::new(Arc::clone(&world.clock));
        let first_contacts = config.limits.first_contacts;
        let strangers = Strangers::new(Arc::clone(&world.clock), first_contacts);
        let newcomers = Strangers::new(Arc::clone(&world.clock), first_contacts);
        let unproved = Unproved::new(Arc::clone(&world.clock), first_contacts);
        Ok(Site {
            authentication: Authentication::new(&world),
            policy_failures: PolicyFailures::default(),
            acquaintance: Acquaintance::default(),
            harvest,
            strangers,
            newcomers,
            unproved,
            config,
            world,
            store,
            remote,
            tls,
            auth,
            certificates: Read::default(),
            ownership: Ownership::default(),
            departures: Departures::default(),
            tls_book,
        })
    }

    /// Is `domain` served here?
    pub(crate) fn serves(&self, domain: &Domain) -> bool {
        self.config.domain(domain).is_some()
    }

    /// The mail system behind this server that has the mailboxes of `domain`, if one has.
    pub(crate) fn inner_of(&self, domain: &Domain) -> Option<&Inner> {
        self.config.domain(domain)?.inner.as_ref()
    }

    /// Is this server's word about `domain` taken without asking the network (spec §2.2.5)?
    pub(crate) fn is_local(&self, domain: &Domain) -> bool {
        let configured = self.config.domain(domain);
        configured.is_some_and(|config| config.local || self.ownership.is_named(domain))
    }

    /// Who gets the mail for `address`, with what was decided about it; `postmaster` of a served
    /// domain is whom the configuration names (RFC 5321 §4.5.1).
    ///
    /// # Errors
    /// As the store says.
    pub(crate) async fn recipient_for(
        &self,
        address: &Address,
    ) -> Result<Option<Recipient>, StoreError> {
        let found = self.store.recipient(address, &OF_RECIPIENTS).await?;
        if found.is_some() || !address.local().eq_ignore_ascii_case("postmaster") {
            return Ok(found);
        }
        let domain = self.config.domain(address.domain());
        match domain.and_then(|domain| domain.postmaster.as_ref()) {
            Some(postmaster) => self.store.recipient(postmaster, &OF_RECIPIENTS).await,
            None => Ok(None),
        }
    }

    /// A fresh name for a reception: 16 hex digits.
    pub(crate) fn new_id(&self) -> String {
        format!("{:016x}", self.world.rng().next_u64())
    }

    /// Does one's own server answer for this signer?
    pub(crate) fn answers_for(&self, signer: &Identity) -> bool {
        self.is_local(signer.domain())
    }
}
