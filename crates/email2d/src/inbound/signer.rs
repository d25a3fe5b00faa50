//! Who signed: the key of each seal, asked for while the body still comes (spec §2.7, §4.6.5).

use std::sync::Arc;

use email2::address::Identity;
use email2::assurance::Assurance;
use email2::certificate::{Certificate, Fingerprint};
use email2::evidence::{SignerEvidence, SignerKey};
use email2::header::HeaderFacts;
use email2::seal::Seal;
use futures::FutureExt as _;
use tokio::task::{JoinError, JoinHandle};

use super::envelope::Envelope;
use crate::key_service;
use crate::session::Caller;
use crate::site::Site;

/// The questions about a message's signers, top seal first.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    questions: Option<Vec<Question>>,
}

#[derive(Debug)]
enum Question {
    /// Under way; given up when it is dropped.
    Asked(AbortOnDrop),
    /// Known at once.
    Answered(SignerEvidence),
    /// Nobody is asked.
    NotAsked,
}

#[derive(Debug)]
struct AbortOnDrop(JoinHandle<SignerEvidence>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Lookups {
    /// Begins as soon as the header is known; later calls do nothing.
    pub(crate) fn begin(&mut self, caller: &Caller, envelope: &Envelope, header: &HeaderFacts) {
        if self.questions.is_some() {
            return;
        }
        let seals: Vec<_> = header
            .seals
            .iter()
            .map(|field| field.seal.as_ref().ok())
            .collect();
        let below_mediator = registered_mediator(envelope, &seals);
        let questions = seals
            .into_iter()
            .enumerate()
            .map(|(depth, seal)| match seal {
                Some(seal) => ask(caller, seal, depth > 0 && below_mediator),
                None => Question::NotAsked,
            });
        self.questions = Some(questions.collect());
    }

    /// The answer about the signer of the top seal, if it is there already.
    pub(crate) fn at_hand(&mut self) -> Option<&SignerEvidence> {
        let top = self.questions.as_mut()?.first_mut()?;
        let arrived = match top {
            Question::Asked(task) if task.0.is_finished() => (&mut task.0).now_or_never(),
            _ => None,
        };
        if let Some(answer) = arrived {
            *top = Question::Answered(answer.unwrap_or_else(lost));
        }
        match top {
            Question::Answered(answer) => Some(answer),
            _ => None,
        }
    }

    /// The answers, one a seal.
    pub(crate) async fn answers(self) -> Vec<SignerEvidence> {
        let mut answers = Vec::new();
        for question in self.questions.unwrap_or_default() {
            answers.push(match question {
                Question::NotAsked => SignerEvidence::NotAsked,
                Question::Answered(answer) => answer,
                Question::Asked(mut task) => (&mut task.0).await.unwrap_or_else(lost),
            });
        }
        answers
    }
}

/// A question that ended without an answer.
fn lost(error: JoinError) -> SignerEvidence {
    SignerEvidence::Unreachable {
        known: false,
        why: error.to_string(),
    }
}

/// Is the top seal that of a mediator whom every recipient registered? Then no lower domain is
/// asked, so that a sender cannot learn where mail is forwarded (spec §4.6.5).
fn registered_mediator(envelope: &Envelope, seals: &[Option<&Seal>]) -> bool {
    let [Some(top), Some(below), ..] = seals else {
        return false;
    };
    let mediator = top.signer.domain();
    let own = below.recipients.iter();
    let own: Vec<_> = own.filter(|to| to.domain() == mediator).collect();
    envelope.all_registered(&own)
}

fn ask(caller: &Caller, seal: &Seal, cached_only: bool) -> Question {
    let (site, source) = (Arc::clone(&caller.site), caller.peer.ip());
    let (signer, key) = (seal.signer.clone(), seal.key.clone());
    let task = async move {
        if let Some(answer) = own(&site, &signer, &key).await {
            return answer;
        }
        if cached_only {
            return site.remote.cached_signer(&signer, &key).await;
        }
        site.remote.signer(source, &signer, &key).await
    };
    // Most signers are known: no task for what needs none.
    let mut task = Box::pin(task);
    match task.as_mut().now_or_never() {
        Some(answer) => Question::Answered(answer),
        None => Question::Asked(AbortOnDrop(tokio::spawn(task))),
    }
}

/// The evidence for a signer of a domain that this server answers for by its configuration.
async fn own(site: &Site, signer: &Identity, key: &Fingerprint) -> Option<SignerEvidence> {
    if !site.answers_for(signer) {
        return None;
    }
    Some(held(site, signer, key).await)
}

/// The evidence for a signer whose keys are kept here.
pub(crate) async fn held(site: &Site, signer: &Identity, key: &Fingerprint) -> SignerEvidence {
    match key_service::holding(site, signer, key).await {
        Ok(Some((certificate, flags))) => known(certificate, flags, site.world.now()),
        Ok(None) => SignerEvidence::NoSuchKey,
        Err(error) => SignerEvidence::Unreachable {
            known: true,
            why: error.to_string(),
        },
    }
}

fn known(certificate: Certificate, flags: email2::key_query::KeyFlags, now: u64) -> SignerEvidence {
    SignerEvidence::Known(SignerKey {
        certificate,
        assurance: Some(Assurance::Local),
        flags,
        fetched: now,
    })
}
