//! Answers a session's requests from the store.

use std::net::IpAddr;
use std::sync::Arc;

use email2::address::Address;
use email2::scram::{ClientFinal, ClientFirst};
use email2_imap::{
    Answer, Changes, FlagAction, Flags, MailboxInfo, MailboxKey, MessageInfo, MessageKey, Password,
    Refusal, Request,
};
use email2_store::message::Append;
use email2_store::{
    Account, Appended, BodyReader, BodyWriter, FlagChange, Mailbox, MailboxId, Outcome, StoreError,
};
use tokio::sync::watch;

use super::words::{self, refusal};
use crate::enrolment;
use crate::settings;
use crate::sign_in::Exchange;
use crate::site::Site;

/// What a request comes to.
type Answered = Result<Answer, Refusal>;

/// A message that is coming by APPEND.
struct Coming {
    mailbox: MailboxId,
    body: Box<dyn BodyWriter>,
}

/// Who answers one session.
pub(super) struct Answerer {
    site: Arc<Site>,
    source: IpAddr,
    exchange: Option<Exchange>,
    account: Option<Account>,
    changes: Option<watch::Receiver<u64>>,
    /// The message that was read last.
    reader: Option<(MessageKey, Box<dyn BodyReader>)>,
    coming: Option<Coming>,
}

impl Answerer {
    /// For a client at `source`.
    pub(super) fn new(site: Arc<Site>, source: IpAddr) -> Self {
        Answerer {
            site,
            source,
            exchange: None,
            account: None,
            changes: None,
            reader: None,
            coming: None,
        }
    }

    /// Resolves when something changed in the account's mailboxes.
    pub(super) async fn changed(&mut self) {
        let moved = match &mut self.changes {
            Some(changes) => changes.changed().await.is_ok(),
            None => false,
        };
        if !moved {
            // Nothing will ever change: the store is gone, or nobody logged in.
            std::future::pending::<()>().await;
        }
    }

    /// Answers.
    pub(super) async fn answer(&mut self, request: Request) -> Answer {
        let answered = match request {
            Request::Login { user, password } => self.log_in(&user, &password).await,
            Request::ScramFirst(first) => self.scram_first(first).await,
            Request::ScramFinal(last) => self.scram_final(&last).await,
            request => self.serve(request).await,
        };
        answered.unwrap_or_else(Answer::Refused)
    }

    /// Checks a login (spec §8.1). A one-time code publishes a key and does
    /// nothing else (spec §3.7.1).
    async fn log_in(&mut self, user: &str, password: &Password) -> Answered {
        let address = Address::parse(user).map_err(|_| Refusal::LoginFailed)?;
        let checked = enrolment::check(&self.site, self.source, &address, &password.0).await;
        if let email2_store::Login::Code { .. } = checked.map_err(words::not_in)? {
            let why = "a one-time code is for `email2 setup`, which gets a token by it";
            return Err(Refusal::Cannot(why.to_owned()));
        }
        self.enter(&address).await
    }

    async fn scram_first(&mut self, first: ClientFirst) -> Answered {
        let exchange = Exchange::begin(&self.site, first).await;
        let exchange = exchange.map_err(words::not_in)?;
        let text = exchange.challenge();
        self.exchange = Some(exchange);
        Ok(Answer::Challenge(text))
    }

    async fn scram_final(&mut self, last: &ClientFinal) -> Answered {
        let exchange = self.exchange.take().ok_or(Refusal::LoginFailed)?;
        let proved = exchange.prove(&self.site, self.source, last).await;
        let (_, address, text) = proved.map_err(words::not_in)?;
        self.enter(&address).await?;
        Ok(Answer::Challenge(text))
    }

    async fn enter(&mut self, address: &Address) -> Answered {
        let account = self.site.store.account(address).await.map_err(refusal)?;
        let account = account.ok_or(Refusal::LoginFailed)?;
        self.changes = Some(self.site.store.watch(account.id));
        self.account = Some(account);
        Ok(Answer::Done)
    }

    /// A request of somebody who is logged in: one line each.
    async fn serve(&mut self, request: Request) -> Answered {
        match request {
            Request::Mailboxes => self.mailboxes().await,
            Request::Mailbox(name) => self.named(&name).await.map(answer_mailbox),
            Request::Select(name) => self.select(&name).await,
            Request::Create { name, special_use } => self.create(&name, special_use).await,
            Request::Delete(name) => self.delete(&name).await,
            Request::Rename { from, to } => self.rename(&from, &to).await,
            Request::Subscribe { name, subscribed } => self.subscribe(&name, subscribed).await,
            Request::Messages { mailbox, uids } => self.messages(mailbox, &uids).await,
            Request::Read {
                message,
                offset,
                length,
            } => self.read(message, offset, length).await,
            Request::ChangeFlags {
                mailbox,
                uids,
                action,
                flags,
            } => self.change_flags(mailbox, uids, action, flags).await,
            Request::Copy { mailbox, uids, to } => self.copy(mailbox, &uids, &to).await,
            Request::Move { mailbox, uids, to } => self.relocate(mailbox, &uids, &to).await,
            Request::Expunge { mailbox, uids } => self.expunge(mailbox, uids).await,
            Request::AppendBegin { name, size } => self.append_begin(&name, size).await,
            Request::AppendOctets(octets) => self.append_octets(&octets).await,
            Request::AppendEnd { flags, received } => self.append_end(flags, received).await,
            Request::AppendAbort => {
                self.coming = None;
                Ok(Answer::Done)
            }
            Request::Changes { mailbox, since } => self.changes_since(mailbox, since).await,
            Request::Settings(wanted) => self.settings(&wanted).await,
            Request::SetSettings(values) => self.set_settings(values).await,
            Request::Login { .. } | Request::ScramFirst(_) | Request::ScramFinal(_) => {
                Err(Refusal::LoginFailed)
            }
        }
    }

    fn account(&self) -> Result<&Account, Refusal> {
        self.account.as_ref().ok_or(Refusal::LoginFailed)
    }

    async fn mailboxes(&mut self) -> Answered {
        let all = self.site.store.mailboxes(self.account()?.id).await;
        let all = all.map_err(refusal)?.into_iter().map(words::mailbox);
        Ok(Answer::Mailboxes(all.collect()))
    }

    async fn named(&mut self, name: &str) -> Result<Mailbox, Refusal> {
        let found = self.site.store.mailbox(self.account()?.id, name).await;
        found.map_err(refusal)?.ok_or(Refusal::NoSuchMailbox)
    }

    async fn select(&mut self, name: &str) -> Answered {
        let mut mailbox = words::mailbox(self.named(name).await?);
        let messages = self.all_messages(mailbox.key).await?;
        // The counters were read before; what came in between is news later on.
        let last = messages.last().map_or(0, |message| message.uid);
        mailbox.uid_next = mailbox.uid_next.max(last.saturating_add(1));
        Ok(Answer::Selected { mailbox, messages })
    }

    async fn all_messages(&mut self, mailbox: MailboxKey) -> Result<Vec<MessageInfo>, Refusal> {
        let all = self.site.store.messages(MailboxId(mailbox.0)).await;
        Ok(all
            .map_err(refusal)?
            .into_iter()
            .map(words::message)
            .collect())
    }

    async fn create(&mut self, name: &str, special: Option<email2_imap::SpecialUse>) -> Answered {
        let special = special.map(words::special_use_of_store);
        let (account, now) = (self.account()?.id, self.site.world.now());
        let made = self
            .site
            .store
            .create_mailbox(account, name, special, now)
            .await;
        made.map_err(refusal).map(|_| Answer::Done)
    }

    async fn delete(&mut self, name: &str) -> Answered {
        let deleted = self.site.store.delete_mailbox(self.account()?.id, name);
        deleted.await.map_err(refusal).map(|()| Answer::Done)
    }

    async fn rename(&mut self, from: &str, to: &str) -> Answered {
        let (account, now) = (self.account()?.id, self.site.world.now());
        let renamed = self.site.store.rename_mailbox(account, from, to, now);
        renamed.await.map_err(refusal).map(|()| Answer::Done)
    }

    /// A mailbox that is gone has no subscription: a program that deletes one and then
    /// unsubscribes from it is not told of a failure.
    async fn subscribe(&mut self, name: &str, subscribed: bool) -> Answered {
        let account = self.account()?.id;
        match self.site.store.subscribe(account, name, subscribed).await {
            Err(StoreError::NotFound(_)) if !subscribed => Ok(Answer::Done),
            done => done.map_err(refusal).map(|()| Answer::Done),
        }
    }

    async fn messages(&mut self, mailbox: MailboxKey, uids: &[u32]) -> Answered {
        let mailbox = MailboxId(mailbox.0);
        let named = self.site.store.messages_with(mailbox, uids).await;
        let messages = named.map_err(refusal)?.into_iter();
        let messages = messages.map(words::message).collect();
        Ok(Answer::Messages(messages))
    }

    async fn read(&mut self, message: MessageKey, offset: u64, length: usize) -> Answered {
        let is_open = self.reader.as_ref().is_some_and(|(key, _)| *key == message);
        if !is_open {
            self.reader = None;
            let id = email2_store::message::MessageId(message.0);
            let body = self.site.store.message_body(id).await;
            let body = body.map_err(|_| Refusal::NoSuchMessage)?;
            self.reader = Some((message, body));
        }
        let Some((_, body)) = &self.reader else {
            return Err(Refusal::NoSuchMessage);
        };
        body.read(offset, length)
            .await
            .map(Answer::Octets)
            .map_err(refusal)
    }

    async fn change_flags(
        &mut self,
        mailbox: MailboxKey,
        uids: Vec<u32>,
        action: FlagAction,
        flags: Flags,
    ) -> Answered {
        let change = FlagChange {
            uids,
            action: words::action_of_store(action),
            flags: words::flags_of_store(flags),
            unchanged_since: None,
        };
        let changed = self
            .site
            .store
            .change_flags(MailboxId(mailbox.0), change)
            .await;
        let changed = changed.map_err(refusal)?.into_iter().map(words::message);
        Ok(Answer::Messages(changed.collect()))
    }

    async fn copy(&mut self, from: MailboxKey, uids: &[u32], to: &str) -> Answered {
        let to = self.named(to).await?;
        let copied = self
            .site
            .store
            .copy_messages(MailboxId(from.0), uids, to.id);
        copied
            .await
            .map_err(refusal)
            .map(|pairs| answer_copied(to.uid_validity, pairs))
    }

    async fn relocate(&mut self, from: MailboxKey, uids: &[u32], to: &str) -> Answered {
        let to = self.named(to).await?;
        let moved = self
            .site
            .store
            .move_messages(MailboxId(from.0), uids, to.id);
        moved
            .await
            .map_err(refusal)
            .map(|pairs| answer_copied(to.uid_validity, pairs))
    }

    async fn expunge(&mut self, mailbox: MailboxKey, uids: Option<Vec<u32>>) -> Answered {
        let mailbox = MailboxId(mailbox.0);
        let gone = self.site.store.expunge(mailbox, uids.as_deref()).await;
        gone.map_err(refusal).map(|_| Answer::Done)
    }

    async fn append_begin(&mut self, name: &str, size: u64) -> Answered {
        let mailbox = self.named(name).await?.id;
        let address = self.account()?.address.clone();
        let account = self.site.store.account(&address).await.map_err(refusal)?;
        let account = account.ok_or(Refusal::LoginFailed)?;
        let full = account.used.saturating_add(size);
        if account.quota.is_some_and(|quota| full > quota) {
            return Err(Refusal::OverQuota);
        }
        let body = self.site.store.write_body().await.map_err(refusal)?;
        self.coming = Some(Coming { mailbox, body });
        Ok(Answer::Done)
    }

    async fn append_octets(&mut self, octets: &[u8]) -> Answered {
        let Some(coming) = &mut self.coming else {
            return Err(nothing_is_coming());
        };
        let pushed = coming.body.push(octets).await;
        pushed.map_err(refusal).map(|()| Answer::Done)
    }

    /// The second door: what a person puts there is never shown as verified.
    async fn append_end(&mut self, flags: Flags, received: Option<u64>) -> Answered {
        let coming = self.coming.take().ok_or_else(nothing_is_coming)?;
        let body = coming.body.finish().await.map_err(refusal)?;
        let append = Append {
            door: Appended::by(self.account()?.id),
            mailbox: coming.mailbox,
            flags: words::flags_of_store(flags),
            body,
            received: received.unwrap_or_else(|| self.site.world.now()),
        };
        let outcomes = self.site.store.append(vec![append]).await;
        match outcomes.map_err(refusal)?.into_iter().next() {
            Some(Outcome::Stored {
                uid_validity, uid, ..
            }) => Ok(Answer::Appended { uid_validity, uid }),
            Some(Outcome::OverQuota) => Err(Refusal::OverQuota),
            _ => Err(Refusal::NoSuchMailbox),
        }
    }

    async fn changes_since(&mut self, mailbox: MailboxKey, since: u64) -> Answered {
        let mailbox = MailboxId(mailbox.0);
        let changed = self.site.store.changes_since(mailbox, since).await;
        let changed = changed.map_err(refusal)?;
        Ok(Answer::Changes(Changes {
            highest_modseq: changed.highest_modseq,
            changed: changed.changed.into_iter().map(words::message).collect(),
            vanished: changed.vanished,
        }))
    }

    async fn settings(&mut self, wanted: &[email2_imap::Setting]) -> Answered {
        let account = self.account()?.id;
        let mut values = Vec::with_capacity(wanted.len());
        for &setting in wanted {
            let name = words::setting(setting);
            let value = settings::get(&self.site.store, account, name).await;
            values.push(value.map_err(refusal)?);
        }
        Ok(Answer::Settings(values))
    }

    async fn set_settings(
        &mut self,
        values: Vec<(email2_imap::Setting, Option<Vec<u8>>)>,
    ) -> Answered {
        let values = values
            .into_iter()
            .map(|(setting, value)| (words::setting(setting), value))
            .collect();
        let (account, now) = (self.account()?, self.site.world.now());
        match settings::set(&self.site.store, account, values, now).await {
            Ok(()) => Ok(Answer::Done),
            Err(settings::SettingError::TooLarge) => Err(Refusal::TooLarge),
            Err(settings::SettingError::Store(error)) => Err(refusal(error)),
            Err(error) => Err(Refusal::Cannot(error.to_string())),
        }
    }
}

fn nothing_is_coming() -> Refusal {
    Refusal::Unavailable("no message is coming".to_owned())
}

fn answer_mailbox(mailbox: Mailbox) -> Answer {
    let info: MailboxInfo = words::mailbox(mailbox);
    Answer::Mailbox(info)
}

fn answer_copied(uid_validity: u32, pairs: Vec<email2_store::message::Copied>) -> Answer {
    let uids = pairs.iter().map(|pair| (pair.from, pair.to)).collect();
    Answer::Copied { uid_validity, uids }
}
