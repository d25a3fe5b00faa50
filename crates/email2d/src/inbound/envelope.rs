//! Before the content: who sends, and which recipients take it (spec §3.2, §3.3, §10.1).

use email2::address::{Address, ReversePath};
use email2::evidence::Announced;
use email2::header::HeaderFacts;
use email2::rejection::Rejection;
use email2::seal::Role;
use email2::verdict::{Accepted, Outline, foresee};
use email2_smtp::envelope::{Mail, Recipient};
use email2_store::Account;

use super::destination::{self, Destination};
use super::policy::Preferences;
use crate::enrolment::Login;
use crate::key_service;
use crate::mediator::Mediated;
use crate::outbound::enqueue::Onward;
use crate::session::Caller;
use crate::site::Site;
use crate::strangers;

/// What comes in a few reads, octets: refused at its end as early as within.
pub(super) const AT_ONCE: u64 = 32 * 1024;

/// What was said and granted before the content.
#[derive(Debug)]
pub(crate) struct Envelope {
    /// What MAIL said.
    pub(crate) mail: Mail,
    /// The recipients accepted.
    pub(crate) recipients: Vec<Admitted>,
    /// The recipients at another domain, for which this server carries a user's message on.
    pub(crate) onward: Option<Onward>,
    /// The one recipient whose mail goes on from here.
    pub(crate) mediated: Option<Mediated>,
    /// It comes from a user of this server, or from the server itself.
    submitted: bool,
}

/// A recipient who was accepted.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// As RCPT named it.
    pub(crate) address: Address,
    /// Whose mailbox it is.
    pub(crate) account: Account,
    /// What its owner decided beforehand.
    pub(crate) preferences: Preferences,
}

impl Envelope {
    /// Begins a transaction. Behind AUTH a one-time code permits no mail (spec §3.7.1), and the
    /// reverse-path must be the user's own.
    pub(crate) fn begin(login: Option<&Login>, mail: Mail) -> Result<Envelope, Rejection> {
        if let Some(login) = login {
            login.may_send_from(&mail.from)?;
        }
        Ok(Envelope {
            mail,
            recipients: Vec::new(),
            onward: None,
            mediated: None,
            submitted: login.is_some(),
        })
    }

    /// Begins one for what this server itself brings to people here (spec §13.4.4).
    pub(crate) fn own(mail: Mail) -> Envelope {
        Envelope {
            mail,
            recipients: Vec::new(),
            onward: None,
            mediated: None,
            submitted: true,
        }
    }

    /// Accepts a recipient, or says why not.
    ///
    /// # Errors
    /// Not served, unknown, blocked, full, another certificate, or another answer at the end.
    pub(crate) async fn admit(&mut self, caller: &Caller, to: Recipient) -> Result<(), Rejection> {
        let site = &*caller.site;
        if self.submitted && !site.serves(to.address.domain()) {
            return self.admit_onward(site, to);
        }
        match self.destination_of(caller, &to.address).await? {
            Destination::Mailbox(admitted) => self.admit_here(caller, *admitted, to).await?,
            Destination::Mediated(mediated) => self.admit_mediated(site, *mediated, to).await?,
        }
        if self.recipients.len() + usize::from(self.mediated.is_some()) == 1 {
            self.expect_signer(caller);
        }
        Ok(())
    }

    /// Takes a recipient who has a mailbox here.
    async fn admit_here(
        &mut self,
        caller: &Caller,
        admitted: Admitted,
        to: Recipient,
    ) -> Result<(), Rejection> {
        self.refuse_blocked(&admitted.preferences)?;
        self.refuse_unreadable(&caller.site, Some(&admitted.account), &to)
            .await?;
        refuse_full(&admitted.account, &to.address, self.mail.size)?;
        self.refuse_claimed_stranger(&caller.site, &admitted)
            .await?;
        self.refuse_apart(&admitted.preferences)?;
        self.refuse_mixed(&caller.site, &to.address)?;
        self.refuse_crowded(&caller.site, &admitted.account)?;
        // Said twice is meant once (spec §3.9.6).
        if self
            .recipients
            .iter()
            .all(|known| known.address != to.address)
        {
            let preferences = self.shared(&admitted.account, admitted.preferences);
            self.recipients.push(Admitted {
                preferences,
                ..admitted
            });
        }
        Ok(())
    }

    /// What recipients decided alike is held once: a thousand names may lead to one mailbox.
    fn shared(&self, account: &Account, preferences: Preferences) -> Preferences {
        let mut known = self.recipients.iter();
        let same = known.find(|known| known.account.id == account.id);
        match same.or_else(|| self.recipients.first()) {
            Some(alike) => preferences.shared_with(&alike.preferences),
            None => preferences,
        }
    }

    /// Takes a recipient whose mail goes on: alone, for its way is its own (spec §14.1.1).
    async fn admit_mediated(
        &mut self,
        site: &Site,
        mediated: Mediated,
        to: Recipient,
    ) -> Result<(), Rejection> {
        self.refuse_blocked(&mediated.preferences)?;
        self.refuse_unreadable(site, mediated.account(), &to)
            .await?;
        if let Some(account) = mediated.account() {
            refuse_full(account, &to.address, self.mail.size)?;
        }
        let known = self.mediated.as_ref().map(|known| &known.address);
        if known == Some(&to.address) {
            return Ok(());
        }
        if self.onward.is_some() || known.is_some() || !self.recipients.is_empty() {
            return Err(Rejection::RecipientApart);
        }
        self.mediated = Some(mediated);
        Ok(())
    }

    fn refuse_blocked(&self, preferences: &Preferences) -> Result<(), Rejection> {
        let announced = self.mail.announced.as_ref();
        announced.map_or(Ok(()), |announced| {
            preferences.refuse_blocked(&announced.signer)
        })
    }

    /// spec §3.3.1
    async fn refuse_unreadable(
        &self,
        site: &Site,
        account: Option<&Account>,
        to: &Recipient,
    ) -> Result<(), Rejection> {
        let Some(etag) = &to.etag else {
            return Ok(());
        };
        let account = account.map(|account| &account.address);
        key_service::accepts(site, &to.address, account, etag).await
    }

    /// May the announced author write to this recipient, as far as it is known who that is? Who
    /// claims to be another fails the seal later (spec §10.6.1).
    async fn refuse_claimed_stranger(&self, site: &Site, to: &Admitted) -> Result<(), Rejection> {
        match self.announced_author() {
            Some(author) => strangers::admit(site, &to.account, &to.preferences, author).await,
            None => Ok(()),
        }
    }

    /// The author whom MAIL announced; of a mediator's message it does not say one.
    fn announced_author(&self) -> Option<&Address> {
        match &self.mail.announced {
            Some(Announced {
                role: Role::Author,
                signer,
            }) => signer.address(),
            _ => None,
        }
    }

    /// Asks again when the seals have been read, for an author whom MAIL did not announce
    /// (spec §10.6.1).
    ///
    /// # Errors
    /// A budget is used up, or the store failed.
    pub(crate) async fn admit_author(
        &self,
        site: &Site,
        accepted: &[Accepted],
    ) -> Result<(), Rejection> {
        let announced = self.announced_author();
        for (to, accepted) in self.recipients.iter().zip(accepted) {
            let author = strangers::author_of(accepted).filter(|author| announced != Some(*author));
            if let Some(author) = author {
                strangers::admit(site, &to.account, &to.preferences, author).await?;
            }
        }
        Ok(())
    }

    /// Takes a recipient elsewhere from one of our users: sealed mail only (spec §3.10.3), and one
    /// domain a transaction, as the seal has it (spec §4.4.2).
    fn admit_onward(&mut self, site: &Site, to: Recipient) -> Result<(), Rejection> {
        if self.mail.announced.is_none() {
            return Err(Rejection::SubmitSealed);
        }
        if !self.recipients.is_empty() || self.mediated.is_some() {
            return Err(Rejection::RecipientApart);
        }
        let onward = self.onward.get_or_insert_with(|| Onward {
            id: site.new_id(),
            domain: to.address.domain().clone(),
            recipients: Vec::new(),
        });
        if onward.domain != *to.address.domain() {
            return Err(Rejection::RecipientApart);
        }
        onward.recipients.push(to);
        Ok(())
    }

    /// Who that is here. Nothing is relayed for strangers (RFC 5321 §3.6.2).
    /// Whose network tries too many addresses that are not here waits (spec §3.4.6).
    async fn destination_of(
        &self,
        caller: &Caller,
        address: &Address,
    ) -> Result<Destination, Rejection> {
        let (site, source) = (&*caller.site, caller.peer.ip());
        let domain = address.domain();
        if !site.serves(domain) {
            let domain = domain.clone();
            return Err(Rejection::RelayDenied { domain });
        }
        if !self.submitted {
            site.harvest.name(source, domain)?;
        }
        let found = destination::of(site, address).await;
        let known = match found.map_err(super::accept::store_failed)? {
            Some(known) => Some(known),
            None => destination::behind(site, address).await?,
        };
        if known.is_none() && !self.submitted {
            site.harvest.missed(source, domain);
        }
        known.ok_or_else(|| Rejection::NoSuchMailbox {
            recipient: address.clone(),
        })
    }

    /// Mailboxes here and mailboxes behind are two ways.
    fn refuse_mixed(&self, site: &Site, to: &Address) -> Result<(), Rejection> {
        let behind = |address: &Address| site.inner_of(address.domain()).is_some();
        match self.recipients.first() {
            Some(first) if behind(&first.address) != behind(to) => Err(Rejection::RecipientApart),
            _ => Ok(()),
        }
    }

    /// Whoever is flooded with ordinary mail of new domains has an answer of their own
    /// (spec §10.6.5).
    fn refuse_crowded(&self, site: &Site, to: &Account) -> Result<(), Rejection> {
        let Some(first) = self.recipients.first() else {
            return Ok(());
        };
        let others = first.account.id != to.id && self.mail.announced.is_none();
        let crowded = |account: &Account| site.newcomers.is_used_up(account.id);
        match others && (crowded(&first.account) || crowded(to)) {
            true => Err(Rejection::RecipientApart),
            false => Ok(()),
        }
    }

    /// Has the mail system behind this server the recipients' mailboxes (spec §15.1)?
    pub(crate) fn is_behind(&self, site: &Site) -> bool {
        let mut recipients = self.recipients.iter();
        recipients.any(|to| site.inner_of(to.address.domain()).is_some())
    }

    /// One answer stands at the end of the content (spec §3.9.4).
    fn refuse_apart(&self, preferences: &Preferences) -> Result<(), Rejection> {
        if self.onward.is_some() || self.mediated.is_some() {
            return Err(Rejection::RecipientApart);
        }
        let Some(first) = self.recipients.first() else {
            return Ok(());
        };
        let by_author = matches!(&self.mail.announced,
            Some(Announced { role, .. }) if *role == Role::Author);
        if preferences.decide_like(&first.preferences, by_author) {
            return Ok(());
        }
        Err(Rejection::RecipientApart)
    }

    /// A valid recipient is known: from now on a stranger may cause a lookup (spec §2.7.1), and
    /// finding the signer's server overlaps the transfer.
    fn expect_signer(&self, caller: &Caller) {
        let site = &caller.site;
        if let Some(announced) = &self.mail.announced
            && !site.answers_for(&announced.signer)
        {
            site.remote.expect(caller.peer.ip(), &announced.signer);
        }
    }

    /// Is there something wrong that shows before the body comes (spec §4.12)?
    ///
    /// # Errors
    /// What the judge will say.
    pub(crate) fn foresee(&self, now: u64, header: &HeaderFacts) -> Result<(), Rejection> {
        let Some(announced) = &self.mail.announced else {
            return Ok(());
        };
        let outline = Outline {
            now,
            mail_from: self.mail_from(),
            recipients: &self.addresses(),
            header,
        };
        foresee(&outline, announced)
    }

    /// Is the message worth judging before all of it came? Not where all of it comes at once.
    pub(crate) fn is_large(&self) -> bool {
        let announced = self.mail.announced.is_some();
        announced && self.mail.size.is_none_or(|size| size > AT_ONCE)
    }

    /// The addresses as they were named.
    pub(crate) fn addresses(&self) -> Vec<Address> {
        let here = self.recipients.iter().map(|to| &to.address);
        let elsewhere = self.onward.iter().flat_map(|onward| &onward.recipients);
        let mediated = self.mediated.iter().map(|mediated| &mediated.address);
        here.chain(elsewhere.map(|to| &to.address))
            .chain(mediated)
            .cloned()
            .collect()
    }

    /// Did every recipient register one of these addresses as a mediator's?
    pub(crate) fn all_registered(&self, addresses: &[&Address]) -> bool {
        let registered = |preferences: &Preferences| {
            let mut addresses = addresses.iter();
            addresses.any(|address| preferences.registered(address))
        };
        let mut all = self.preferences().peekable();
        all.peek().is_some() && all.all(registered)
    }

    /// The accounts that it is for, also those whose owners have it passed on.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = &Account> {
        let here = self.recipients.iter().map(|to| &to.account);
        here.chain(self.mediated.iter().filter_map(Mediated::account))
    }

    /// What was decided beforehand about mail for its recipients.
    pub(crate) fn preferences(&self) -> impl Iterator<Item = &Preferences> {
        let here = self.recipients.iter().map(|to| &to.preferences);
        here.chain(self.mediated.iter().map(|mediated| &mediated.preferences))
    }

    /// Is something done with the message beside keeping it: passed on, or answered?
    pub(crate) fn wants_original(&self) -> bool {
        let mut recipients = self.recipients.iter();
        self.mediated.is_some() || recipients.any(|to| to.preferences.vacation().is_some())
    }

    /// Does it come from a user of this server, or from the server itself?
    pub(crate) fn is_own(&self) -> bool {
        self.submitted
    }

    /// The reverse-path.
    pub(crate) fn mail_from(&self) -> &ReversePath {
        &self.mail.from
    }
}

/// RFC 5321 §4.5.3.1.10: the announced size counts, so that a message is refused before it comes.
pub(super) fn refuse_full(
    account: &Account,
    to: &Address,
    size: Option<u64>,
) -> Result<(), Rejection> {
    let needed = account.used.saturating_add(size.unwrap_or(1));
    match account.quota {
        Some(quota) if needed > quota => Err(Rejection::MailboxFull {
            recipient: to.clone(),
        }),
        _ => Ok(()),
    }
}
