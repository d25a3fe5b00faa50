//! A host that nothing authenticates for its domain: its word counts for the one key that the Web
//! Key Directory has as well (spec §2.2, way d), and else for who writes, if their person lets it.

use std::time::Duration;

use email2::certificate::Certificate;
use email2::key_query::KeyQuery;
use email2::{Assurance, Domain, Identity, KeyFlags, limits};
use email2_io::clock::within;
use email2_smtp::Recipient;

use super::ask::query;
use super::wkd::{self, Entry};
use super::writer::writers_question;
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
            // Nothing else is learnt of it, so nothing else is written down.
            self.ask_session(session, question, None, None).await
        } else {
            self.part(session);
            Err(Trouble::Unreachable(String::new()))
        };
        let Denied { why, unasked } = match compared(entry, &answer, &question.identity) {
            Ok(kept) => return Ok(self.keep(question, kept).await),
            Err(denied) => denied,
        };
        if writes {
            return Ok(self.keep(question, answer?).await);
        }
        let definite = doubt.all_were_asked && doubt.undecided.is_none() && !unasked;
        let domain = question.identity.domain();
        let why = unauthenticated(&host, domain, doubt.undecided, &why);
        Err(match question.asked {
            Some(_) => Trouble::Unauthenticated {
                definite: definite && !had_assurance,
                why,
            },
            None => Trouble::Alarm(why),
        })
    }

    /// Why `session`, whose host nothing else authenticates for the domain of `recipients`, may not
    /// carry mail to them: it must have the key of each that the directory has (spec §2.2.6).
    /// Where the domain had more than that, it must still have it (spec §2.4.1).
    pub(crate) async fn unconfirmed(
        &self,
        session: &mut Session,
        domain: &Domain,
        recipients: &[Recipient],
    ) -> Option<String> {
        if self.is_remembered(domain).await {
            return Some("it was authenticated before, and by more than a directory".to_owned());
        }
        let questions: Vec<Question> = recipients
            .iter()
            .map(|to| writers_question(&to.address))
            .collect();
        let queries: Vec<KeyQuery> = questions.iter().map(|one| query(one, None)).collect();
        let answers = session.keys(&queries, &*self.world().clock).await;
        for (question, answer) in questions.iter().zip(answers) {
            let answer = self.read(answer, None, None).await;
            if let Err(why) = self.agrees(question, &answer).await {
                return Some(why);
            }
        }
        None
    }

    /// Whether the directory has the key that was answered, or had it a while ago.
    async fn agrees(
        &self,
        question: &Question,
        answer: &Result<Kept, Trouble>,
    ) -> Result<(), String> {
        let before = self.recall(question).await.ok().flatten();
        let before = before.filter(|kept| {
            kept.assurance == Some(Assurance::Wkd) && kept.is_fresh(self.now(), limits::ENCRYPT_TTL)
        });
        let same = |before: &Kept| before.primary() == answer.as_ref().ok().and_then(Kept::primary);
        if before.is_some_and(|before| same(&before)) {
            return Ok(());
        }
        let entry = self.entry_of(&question.identity).await;
        match compared(entry, answer, &question.identity) {
            Ok(kept) => {
                self.keep(question, kept).await;
                Ok(())
            }
            Err(denied) => Err(denied.why),
        }
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

/// Why a directory does not confirm what a host answered.
struct Denied {
    why: String,
    /// It was not asked, so that nothing is definite.
    unasked: bool,
}

/// The answer as the directory confirms it.
fn compared(
    entry: Entry,
    answer: &Result<Kept, Trouble>,
    identity: &Identity,
) -> Result<Kept, Denied> {
    let denied = |why: String, unasked| Err(Denied { why, unasked });
    let other = || format!("the Web Key Directory has another key for {identity}");
    match (entry, answer) {
        (Entry::Has(there), Ok(kept)) if is_confirmed(&there, kept) => Ok(confirmed(kept)),
        (Entry::Has(_), Ok(_)) => denied(other(), false),
        (Entry::Has(_), Err(_)) => denied("the host gives no key to compare".to_owned(), true),
        (Entry::Absent(why), _) => denied(why, false),
        (Entry::Unasked(why), _) => denied(why, true),
    }
}

/// What each of the ways says (spec §2.2), for people.
pub(crate) fn unauthenticated(
    host: &str,
    domain: &Domain,
    policy: Option<String>,
    directory: &str,
) -> String {
    let policy = policy.unwrap_or_else(|| "no MTA-STS policy names it".to_owned());
    format!(
        "{host} is not authenticated for {domain}: DNSSEC does not secure its name; its certificate does not name email2.{domain}; {policy}; {directory}"
    )
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
