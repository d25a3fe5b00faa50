//! ORCHESTRATOR, incoming: the path of a message from its first octet to its answer.
//!
//! `Envelope → Spooled → Evidence → Verdict → Accepted → Stored`

use email2::rejection::Rejection;
use email2::verdict::judge;
use email2_smtp::server::{Answer, Event};

use crate::handover;
use crate::inbound::envelope::Envelope;
use crate::inbound::spool::Spooled;
use crate::inbound::{accept, evidence, ordinary, spool};
use crate::mediator::{self, original::Original, vacation};
use crate::outbound::enqueue;
use crate::session::{Caller, Session};
use crate::{strangers, submission};

/// Takes the content that begins with `first` and finds the answer to it; `None` when the
/// connection ended before the message did.
pub(crate) async fn receive(
    session: &mut Session,
    envelope: Envelope,
    first: Event,
) -> Option<Answer> {
    let spooled = match spool::spool(session, &envelope, first).await? {
        Ok(spooled) => spooled,
        Err(rejection) => return Some(Answer::Rejected(rejection)),
    };
    let caller = &session.caller;
    // Boxed, for so large a future is moved with every call that it is handed on by.
    let decided = Box::pin(decide(caller, envelope, spooled));
    let answer = caller.in_time(decided).await;
    Some(answer.map_or_else(Answer::Rejected, Answer::Stored))
}

/// From the spooled message to the text of its 250.
///
/// # Errors
/// The answer is a refusal.
pub(crate) async fn decide(
    caller: &Caller,
    envelope: Envelope,
    spooled: Spooled,
) -> Result<String, Rejection> {
    submission::permit(caller.login.as_ref(), &spooled.scanned)?;
    let (evidence, mail) = evidence::gather(caller, &envelope, spooled).await?;
    let wanted = envelope.wants_original();
    let original = wanted.then(|| Original::of(&evidence, &mail));
    let verdict = judge(evidence);
    accept::log(caller.peer, &envelope, &verdict);
    if let Some(onward) = &envelope.onward {
        let remembering = ordinary::remember_sent(caller, onward, &mail);
        let keeping = enqueue::keep(&caller.site, &envelope, onward, &verdict, mail.body.clone());
        // In this order, with one fsync; what is kept leaves, and so it was taken.
        let (_, kept) = futures::join!(remembering, keeping);
        return Ok(kept?.text());
    }
    if let (Some(mediated), Some(original)) = (&envelope.mediated, &original) {
        return mediator::take(caller, &envelope, mediated, original, &verdict).await;
    }
    let accepted = accept::ask_each(&verdict, &envelope)?;
    envelope.admit_author(&caller.site, &accepted).await?;
    let payer = mail.payer.as_ref();
    let cost = strangers::ordinary::admit(&caller.site, &envelope, &accepted, payer).await?;
    let answers = original.map(|original| vacation::due(&envelope, &accepted, &original));
    let mail = ordinary::without_claims(&caller.site, &verdict, mail).await?;
    let text = if envelope.is_behind(&caller.site) {
        handover::keep(caller, &envelope, accepted, &verdict, &mail).await?
    } else {
        let stored = accept::store(caller, envelope, accepted, &verdict, mail).await?;
        stored.text(&verdict)
    };
    strangers::ordinary::charge(&caller.site, cost).await;
    vacation::give(caller, answers.unwrap_or_default()).await;
    Ok(text)
}
