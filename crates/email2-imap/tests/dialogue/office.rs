//! A post office in memory: answers a session's requests.

use std::time::Duration;

use email2_imap::{
    Answer, Changes, Event, FlagAction, Flags, MailboxInfo, MailboxKey, MessageInfo, MessageKey,
    Refusal, Request, Session, SessionConfig, Setting, SpecialUse,
};

pub(crate) struct Kept {
    pub(crate) info: MessageInfo,
    pub(crate) octets: Vec<u8>,
    mailbox: String,
}

#[derive(Default)]
pub(crate) struct Office {
    pub(crate) mailboxes: Vec<(String, Option<SpecialUse>)>,
    pub(crate) kept: Vec<Kept>,
    pub(crate) settings: Vec<(Setting, Vec<u8>)>,
    vanished: Vec<(String, u32, u64)>,
    modseq: u64,
    coming: Option<(String, Vec<u8>)>,
    /// Octets given by the largest Read.
    pub(crate) largest_read: usize,
}

impl Office {
    pub(crate) fn new() -> Self {
        let mailboxes = [
            ("INBOX", None),
            ("Sent", Some(SpecialUse::Sent)),
            ("Entwürfe", Some(SpecialUse::Drafts)),
        ];
        let own = |(name, special): &(&str, _)| ((*name).to_owned(), *special);
        Self {
            mailboxes: mailboxes.iter().map(own).collect(),
            ..Self::default()
        }
    }

    pub(crate) fn deliver(&mut self, mailbox: &str, octets: &[u8], verified: bool) -> u32 {
        self.modseq += 1;
        let uid = self.uid_next(mailbox);
        let verdict = if verified {
            "verified; bob@example.org"
        } else {
            "none"
        };
        self.kept.push(Kept {
            info: MessageInfo {
                key: MessageKey(i64::try_from(self.modseq).unwrap()),
                uid,
                modseq: self.modseq,
                size: octets.len() as u64,
                received: 1_772_445_600,
                flags: Flags::default(),
                verified,
                verdict: verdict.to_owned(),
            },
            octets: octets.to_vec(),
            mailbox: mailbox.to_owned(),
        });
        uid
    }

    fn uid_next(&self, mailbox: &str) -> u32 {
        let of = self.kept.iter().filter(|kept| kept.mailbox == mailbox);
        let gone = self.vanished.iter().filter(|gone| gone.0 == mailbox);
        let used = of.map(|kept| kept.info.uid).chain(gone.map(|gone| gone.1));
        used.max().unwrap_or(10) + 1
    }

    fn info(&self, name: &str) -> Option<MailboxInfo> {
        let index = self.mailboxes.iter().position(|(known, _)| known == name)?;
        let messages = self.messages(name);
        Some(MailboxInfo {
            key: MailboxKey(i64::try_from(index).unwrap()),
            name: name.to_owned(),
            special_use: self.mailboxes[index].1,
            subscribed: true,
            uid_validity: 7,
            uid_next: self.uid_next(name),
            highest_modseq: self.modseq,
            messages: u32::try_from(messages.len()).unwrap(),
            unseen: 0,
            deleted: 0,
            size: 0,
        })
    }

    fn messages(&self, name: &str) -> Vec<MessageInfo> {
        let of = self.kept.iter().filter(|kept| kept.mailbox == name);
        of.map(|kept| kept.info.clone()).collect()
    }

    fn name(&self, key: MailboxKey) -> String {
        self.mailboxes[usize::try_from(key.0).unwrap()].0.clone()
    }

    pub(crate) fn answer(&mut self, request: Request) -> Answer {
        match request {
            Request::Login { user, password } => {
                let right = user == "alice@example.com" && *password.0 == b"token";
                done_or(right, Refusal::LoginFailed)
            }
            Request::ScramFirst(first) => {
                let challenge = first.challenge("ours", b"salt", 4096);
                Answer::Challenge(challenge.text().to_owned())
            }
            Request::ScramFinal(_) => Answer::Challenge("v=AAAA".to_owned()),
            Request::AppendBegin { .. }
            | Request::AppendOctets(_)
            | Request::AppendEnd { .. }
            | Request::AppendAbort => self.answer_append(request),
            Request::Settings(wanted) => Answer::Settings(self.values(&wanted)),
            Request::SetSettings(values) => {
                self.set(values);
                Answer::Done
            }
            Request::Mailboxes
            | Request::Mailbox(_)
            | Request::Select(_)
            | Request::Create { .. }
            | Request::Delete(_)
            | Request::Rename { .. }
            | Request::Subscribe { .. } => self.answer_mailbox(request),
            request => self.answer_messages(request),
        }
    }

    fn answer_mailbox(&mut self, request: Request) -> Answer {
        let found = |info: Option<MailboxInfo>, answer: &dyn Fn(MailboxInfo) -> Answer| match info {
            Some(info) => answer(info),
            None => Answer::Refused(Refusal::NoSuchMailbox),
        };
        match request {
            Request::Mailboxes => {
                let names: Vec<String> = self.mailboxes.iter().map(|m| m.0.clone()).collect();
                Answer::Mailboxes(names.iter().filter_map(|name| self.info(name)).collect())
            }
            Request::Mailbox(name) => found(self.info(&name), &Answer::Mailbox),
            Request::Select(name) => found(self.info(&name), &|mailbox| Answer::Selected {
                mailbox,
                messages: self.messages(&name),
            }),
            Request::Create { name, special_use } => {
                self.mailboxes.push((name, special_use));
                Answer::Done
            }
            _ => Answer::Done,
        }
    }

    fn answer_messages(&mut self, request: Request) -> Answer {
        match request {
            Request::Messages { mailbox, uids } => {
                let mut found = self.messages(&self.name(mailbox));
                found.retain(|info| uids.contains(&info.uid));
                Answer::Messages(found)
            }
            Request::Read {
                message,
                offset,
                length,
            } => self.read(message, offset, length),
            Request::ChangeFlags {
                mailbox,
                uids,
                action,
                flags,
            } => self.change(&self.name(mailbox), &uids, action, &flags),
            Request::Copy { mailbox, uids, to } => self.copy(&self.name(mailbox), &uids, &to),
            Request::Move { mailbox, uids, to } => {
                let from = self.name(mailbox);
                let answer = self.copy(&from, &uids, &to);
                self.remove(&from, |info| uids.contains(&info.uid));
                answer
            }
            Request::Expunge { mailbox, uids } => {
                let named = |uid| uids.as_ref().is_none_or(|uids| uids.contains(&uid));
                self.remove(&self.name(mailbox), |info| {
                    info.flags.deleted && named(info.uid)
                });
                Answer::Done
            }
            Request::Changes { mailbox, since } => self.changes(&self.name(mailbox), since),
            other => panic!("{other:?}"),
        }
    }

    fn answer_append(&mut self, request: Request) -> Answer {
        match request {
            Request::AppendBegin { name, .. } => {
                let there = self.info(&name).is_some();
                self.coming = there.then_some((name, Vec::new()));
                done_or(there, Refusal::NoSuchMailbox)
            }
            Request::AppendOctets(octets) => {
                self.coming.as_mut().unwrap().1.extend(octets);
                Answer::Done
            }
            Request::AppendEnd { flags, .. } => {
                let (name, octets) = self.coming.take().unwrap();
                let uid = self.deliver(&name, &octets, false);
                self.kept.last_mut().unwrap().info.flags = flags;
                Answer::Appended {
                    uid_validity: 7,
                    uid,
                }
            }
            _ => {
                self.coming = None;
                Answer::Done
            }
        }
    }

    fn values(&self, wanted: &[Setting]) -> Vec<Option<Vec<u8>>> {
        let value = |setting: &Setting| {
            let found = self.settings.iter().find(|(known, _)| known == setting);
            found.map(|(_, value)| value.clone())
        };
        wanted.iter().map(value).collect()
    }

    fn set(&mut self, values: Vec<(Setting, Option<Vec<u8>>)>) {
        for (setting, value) in values {
            self.settings.retain(|(known, _)| *known != setting);
            self.settings.extend(value.map(|value| (setting, value)));
        }
    }

    fn read(&mut self, message: MessageKey, offset: u64, length: usize) -> Answer {
        let kept = self.kept.iter().find(|kept| kept.info.key == message);
        let Some(kept) = kept else {
            return Answer::Refused(Refusal::NoSuchMessage);
        };
        let offset = usize::try_from(offset).unwrap();
        let end = kept.octets.len().min(offset + length);
        self.largest_read = self.largest_read.max(end - offset);
        Answer::Octets(kept.octets[offset..end].to_vec())
    }

    pub(crate) fn change(
        &mut self,
        mailbox: &str,
        uids: &[u32],
        action: FlagAction,
        flags: &Flags,
    ) -> Answer {
        self.modseq += 1;
        let modseq = self.modseq;
        let mut changed = Vec::new();
        for kept in self.kept.iter_mut() {
            if kept.mailbox == mailbox && uids.contains(&kept.info.uid) {
                let own = &mut kept.info.flags;
                match action {
                    FlagAction::Replace => *own = flags.clone(),
                    FlagAction::Add => {
                        own.seen |= flags.seen;
                        own.deleted |= flags.deleted;
                        own.flagged |= flags.flagged;
                    }
                    FlagAction::Remove => {
                        own.seen &= !flags.seen;
                        own.deleted &= !flags.deleted;
                    }
                }
                kept.info.modseq = modseq;
                changed.push(kept.info.clone());
            }
        }
        Answer::Messages(changed)
    }

    fn copy(&mut self, from: &str, uids: &[u32], to: &str) -> Answer {
        if self.info(to).is_none() {
            return Answer::Refused(Refusal::NoSuchMailbox);
        }
        let mut pairs = Vec::new();
        for info in self
            .messages(from)
            .into_iter()
            .filter(|info| uids.contains(&info.uid))
        {
            let kept = self
                .kept
                .iter()
                .find(|kept| kept.info.key == info.key)
                .unwrap();
            let octets = kept.octets.clone();
            pairs.push((info.uid, self.deliver(to, &octets, info.verified)));
        }
        Answer::Copied {
            uid_validity: 7,
            uids: pairs,
        }
    }

    pub(crate) fn remove(&mut self, mailbox: &str, gone: impl Fn(&MessageInfo) -> bool) {
        self.modseq += 1;
        let modseq = self.modseq;
        let vanished = &mut self.vanished;
        self.kept.retain(|kept| {
            let goes = kept.mailbox == mailbox && gone(&kept.info);
            if goes {
                vanished.push((mailbox.to_owned(), kept.info.uid, modseq));
            }
            !goes
        });
    }

    fn changes(&self, mailbox: &str, since: u64) -> Answer {
        let mut changed = self.messages(mailbox);
        changed.retain(|info| info.modseq > since);
        let gone = self
            .vanished
            .iter()
            .filter(|gone| gone.0 == mailbox && gone.2 > since);
        Answer::Changes(Changes {
            highest_modseq: self.modseq,
            changed,
            vanished: gone.map(|gone| gone.1).collect(),
        })
    }
}

fn done_or(done: bool, refusal: Refusal) -> Answer {
    if done {
        Answer::Done
    } else {
        Answer::Refused(refusal)
    }
}

/// A client at its session.
pub(crate) struct Client {
    pub(crate) session: Session,
    pub(crate) closed: bool,
    /// The most octets that waited to be sent at once.
    pub(crate) largest_transmit: usize,
}

pub(crate) const NOW: Duration = Duration::from_secs(1);

impl Client {
    pub(crate) fn new() -> Self {
        let config = SessionConfig {
            hostname: "mx.example.com".to_owned(),
            append_limit: 50 << 20,
        };
        Self {
            session: Session::new(config, NOW),
            closed: false,
            largest_transmit: 0,
        }
    }

    /// Logged in, with INBOX selected.
    pub(crate) fn in_inbox(office: &mut Office) -> Self {
        let mut client = Self::new();
        client.say(
            office,
            b"l LOGIN alice@example.com token\r\ns SELECT INBOX\r\n",
        );
        client
    }

    pub(crate) fn octets(&mut self, office: &mut Office, said: &[u8]) -> Vec<u8> {
        let mut heard = self.settle(office);
        for piece in said.chunks(16 * 1024) {
            if self.closed {
                break;
            }
            self.session.receive(piece, NOW);
            heard.extend(self.settle(office));
        }
        heard
    }

    /// Says something, and hears all that comes of it.
    pub(crate) fn say(&mut self, office: &mut Office, said: &[u8]) -> String {
        String::from_utf8_lossy(&self.octets(office, said)).into_owned()
    }

    pub(crate) fn settle(&mut self, office: &mut Office) -> Vec<u8> {
        let mut heard = Vec::new();
        loop {
            while let Some(octets) = self.session.poll_transmit() {
                self.largest_transmit = self.largest_transmit.max(octets.len());
                heard.extend(octets);
            }
            match self.session.poll_event() {
                Some(Event::Request(request)) => {
                    let answer = office.answer(request);
                    self.session.answer(answer, NOW);
                }
                Some(Event::Closed) => self.closed = true,
                None => match self.session.poll_transmit() {
                    Some(octets) => heard.extend(octets),
                    None => return heard,
                },
            }
        }
    }
}
