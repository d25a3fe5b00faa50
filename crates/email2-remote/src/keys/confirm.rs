//! A host that nothing authenticates for its domain: its word counts for the one key that the Web
//! Key Directory has as well (spec §2.2, way d), and else for who writes, if their person lets it.

use std::time::Duration;

use email2::certificate::Certificate;
use email2::{Assurance, Domain, Identity, KeyFlags};
use email2_io::clock::within;
use email2_smtp::Recipient;

use super::wkd::{self, Entry};
use super::{Asked, Kept, Question, Trouble};
use crate::connect::Session;
use crate::remote::Remote;

/// How long the directory may take of a lookup.
const DIRECTORY_LIMIT: Duration = Duration::from_secs(3);

/// What else speaks for, or against, a definite "nothing authenticates it" (spec §2.2.2).
#[derive(Debug)]
pub(super) struct Doubt {
    /// Every host was reached.
    pub(super) all_were_asked: bool,
    /// Why the MTA-STS policy does not decide.
    pub(super) undecided: Option<String>,
}

impl Remote {
    /// A verifier asks such a host only when the directory has something to compare with; a
    /// writer asks it unless the domain had assurance within its memory (spec §2.4.1).
    pub(super) async fn ask_stranger(
        &self,
        session: Session,
        question: &Question,
        doubt: Doubt,
    ) -> Asked {
        let host = session.host().name.clone();
        let had_assurance = self.had_assurance(question.identity.domain()).await;
        let writes = question.asked.is_none() && !had_assurance;
        let entry = self.entry_of(&question.identity).await;
        let asks = writes || matches!(entry, Entry::Has(_));
        let answer = if asks {
            self.ask_session(session, question, None).await
        } else {
            self.part(session);
            Err(Trouble::Unreachable(String::new()))
        };
        let (why, unasked) = match (entry, &answer) {
            (Entry::Has(there), Ok(kept)) if is_confirmed(&there, kept) => {
                return Ok(self.keep(question, confirmed(kept)).await);
            }
            (Entry::Has(_), Ok(_)) => ("the Web Key Directory has another key".to_owned(), false),
            (Entry::Has(_), Err(_)) => ("the host gives no key to compare".to_owned(), true),
            (Entry::Absent(why), _) => (why, false),
            (Entry::Unasked(why), _) => (why, true),
        };
        if writes {
            return Ok(self.keep(question, answer?).await);
        }
        let definite = doubt.all_were_asked && doubt.undecided.is_none() && !unasked;
        let policy = doubt
            .undecided
            .unwrap_or_else(|| "no MTA-STS policy names it".to_owned());
        let domain = question.identity.domain();
        let why = format!(
            "{host} is not authenticated for {domain}: DNSSEC does not secure its name, its certificate does not name email2.{domain}; {policy}; {why}"
        );
        Err(match question.asked {
            Some(_) => Trouble::Unauthenticated {
                definite: definite && !had_assurance,
                why,
            },
            None => Trouble::Alarm(why),
        })
    }

    /// Whether the directory has confirmed the key of each of `recipients` (spec §2.2, way d), so
    /// that a host that nothing authenticates for `domain` may carry mail to them. Where the
    /// domain had more than that, it must still have it (spec §2.4.1).
    pub(crate) async fn has_confirmed_keys(
        &self,
        domain: &Domain,
        recipients: &[Recipient],
    ) -> bool {
        if recipients.is_empty() || self.is_remembered(domain).await {
            return false;
        }
        for recipient in recipients {
            let key = self.key_for_writing(&recipient.address).await;
            if !key.is_ok_and(|key| key.assurance == Some(Assurance::Wkd)) {
                return false;
            }
        }
        true
    }

    /// A directory speaks for people, never for a domain's service.
    async fn entry_of(&self, identity: &Identity) -> Entry {
        let Identity::Address(address) = identity else {
            return Entry::Absent("a directory does not speak for a service".to_owned());
        };
        let asking = self.directory_entry(address);
        let asked = within(&*self.world().clock, DIRECTORY_LIMIT, asking).await;
        asked.unwrap_or_else(|_| Entry::Unasked("the Web Key Directory does not answer".to_owned()))
    }
}

fn is_confirmed(there: &[Certificate], kept: &Kept) -> bool {
    let found = kept.found.as_ref();
    found.is_some_and(|found| wkd::is_linked_to_any(there, &found.certificate))
}

/// The one key, and nothing else that the host says (spec §2.2.6).
fn confirmed(kept: &Kept) -> Kept {
    let mut kept = kept.clone();
    kept.assurance = Some(Assurance::Wkd);
    if let Some(found) = &mut kept.found {
        found.flags = KeyFlags::default();
    }
    kept
}
