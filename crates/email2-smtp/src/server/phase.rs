//! Which command is allowed when: the one table.

use email2::rejection::Rejection;

use crate::command::Verb;

/// What the server waits for next, as far as commands go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::enum_variant_names,
    reason = "states are named for what they wait for"
)]
pub(crate) enum Phase {
    /// EHLO, at the beginning and after STARTTLS.
    AwaitingHello,
    /// MAIL: no transaction is open.
    AwaitingMail,
    /// The first recipient that is accepted.
    AwaitingRecipient,
    /// More recipients, or the content.
    AwaitingContent,
    /// The next BDAT of a message.
    AwaitingChunk,
}

use Phase::{AwaitingChunk, AwaitingContent, AwaitingHello, AwaitingMail, AwaitingRecipient};

/// What a command demands of the connection besides its phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Nothing,
    /// Only while the connection is in plaintext.
    Plaintext,
    /// Only under TLS.
    Tls,
    /// Only under TLS, once, where AUTH is offered.
    TlsToSignIn,
    /// Only after AUTH, where this service demands it.
    SignedInIfDemanded,
    /// Only after AUTH.
    SignedIn,
}

struct Rule {
    verb: Verb,
    phases: &'static [Phase],
    need: Need,
}

const ALWAYS: &[Phase] = &[
    AwaitingHello,
    AwaitingMail,
    AwaitingRecipient,
    AwaitingContent,
    AwaitingChunk,
];

const fn rule(verb: Verb, phases: &'static [Phase], need: Need) -> Rule {
    Rule { verb, phases, need }
}

/// RFC 5321 §4.1.4; KEY and KEYPUT: spec §3.4.1, §3.6.1; AUTH: RFC 4954 §3, §4; STARTTLS:
/// RFC 3207 §4.
#[rustfmt::skip]
const TABLE: &[Rule] = &[
    rule(Verb::Ehlo,     ALWAYS,                                               Need::Nothing),
    rule(Verb::Helo,     ALWAYS,                                               Need::Nothing),
    rule(Verb::StartTls, &[AwaitingMail],                                      Need::Plaintext),
    rule(Verb::Auth,     &[AwaitingMail],                                      Need::TlsToSignIn),
    rule(Verb::Mail,     &[AwaitingMail],                                      Need::SignedInIfDemanded),
    rule(Verb::Rcpt,     &[AwaitingRecipient, AwaitingContent],                Need::Nothing),
    rule(Verb::Data,     &[AwaitingContent],                                   Need::Nothing),
    rule(Verb::Bdat,     &[AwaitingContent, AwaitingChunk],                    Need::Nothing),
    rule(Verb::Key,      &[AwaitingMail, AwaitingRecipient, AwaitingContent],  Need::Tls),
    rule(Verb::KeyPut,   &[AwaitingMail],                                      Need::SignedIn),
    rule(Verb::Rset,     ALWAYS,                                               Need::Nothing),
    rule(Verb::Noop,     ALWAYS,                                               Need::Nothing),
    rule(Verb::Quit,     ALWAYS,                                               Need::Nothing),
    rule(Verb::Vrfy,     ALWAYS,                                               Need::Nothing),
    rule(Verb::Expn,     ALWAYS,                                               Need::Nothing),
    rule(Verb::Help,     ALWAYS,                                               Need::Nothing),
];

/// The connection, as far as the table asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// Under TLS.
    pub(crate) tls: bool,
    /// STARTTLS is offered.
    pub(crate) starttls: bool,
    /// AUTH succeeded.
    pub(crate) signed_in: bool,
    /// AUTH is offered here.
    pub(crate) offers_auth: bool,
    /// Mail is taken only after AUTH.
    pub(crate) demands_auth: bool,
}

/// One row of the table, for the specification (spec §3.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRow {
    /// The command's word.
    pub verb: &'static str,
    /// What the server may be waiting for when it comes; empty stands for every phase.
    pub phases: Vec<&'static str>,
    /// What it demands of the connection besides; empty for nothing.
    pub needs: &'static str,
}

/// Which command is allowed when, in the table's own order (spec §3.11).
#[must_use]
pub fn command_table() -> Vec<CommandRow> {
    TABLE.iter().map(row).collect()
}

fn row(rule: &Rule) -> CommandRow {
    let always = rule.phases.len() == ALWAYS.len();
    let phases = if always { &[] } else { rule.phases };
    CommandRow {
        verb: rule.verb.as_str(),
        phases: phases.iter().map(|phase| phase.awaited()).collect(),
        needs: rule.need.said(),
    }
}

impl Phase {
    fn awaited(self) -> &'static str {
        match self {
            AwaitingHello => "EHLO",
            AwaitingMail => "MAIL",
            AwaitingRecipient => "recipient",
            AwaitingContent => "content",
            AwaitingChunk => "chunk",
        }
    }
}

impl Need {
    fn said(self) -> &'static str {
        match self {
            Need::Nothing => "",
            Need::Plaintext => "plaintext, STARTTLS offered",
            Need::Tls => "TLS",
            Need::TlsToSignIn => "TLS, AUTH offered, once",
            Need::SignedInIfDemanded => "AUTH, on a submission service",
            Need::SignedIn => "AUTH",
        }
    }
}

/// Whether `verb` is allowed now (spec §3.11.1).
pub(crate) fn permit(verb: Verb, phase: Phase, standing: Standing) -> Result<(), Rejection> {
    let rule = TABLE.iter().find(|rule| rule.verb == verb);
    let rule = rule.ok_or(Rejection::UnknownCommand)?;
    meets(rule.need, standing)?;
    if rule.phases.contains(&phase) {
        Ok(())
    } else {
        Err(out_of_turn(phase))
    }
}

fn out_of_turn(phase: Phase) -> Rejection {
    let first = match phase {
        AwaitingHello => "EHLO",
        AwaitingMail => "MAIL",
        AwaitingRecipient => "RCPT",
        AwaitingContent => "the content, or RSET",
        AwaitingChunk => "BDAT, or RSET",
    };
    Rejection::BadSequence { first }
}

fn meets(need: Need, standing: Standing) -> Result<(), Rejection> {
    match need {
        Need::Plaintext if !standing.starttls => Err(Rejection::NotImplemented),
        Need::Plaintext if standing.tls => Err(done()),
        Need::TlsToSignIn if !standing.offers_auth => Err(Rejection::NotImplemented),
        Need::Tls | Need::TlsToSignIn | Need::SignedIn if !standing.tls => {
            Err(Rejection::TlsRequired)
        }
        Need::TlsToSignIn if standing.signed_in => Err(done()),
        Need::SignedIn if !standing.signed_in => Err(Rejection::AuthRequired),
        Need::SignedInIfDemanded if standing.demands_auth && !standing.signed_in => {
            Err(Rejection::AuthRequired)
        }
        _ => Ok(()),
    }
}

/// STARTTLS under TLS, AUTH after AUTH (RFC 3207 §4.2, RFC 4954 §4).
fn done() -> Rejection {
    Rejection::BadSequence {
        first: "nothing, this was done already",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Standing = Standing {
        tls: false,
        starttls: true,
        signed_in: false,
        offers_auth: true,
        demands_auth: true,
    };
    const SECURE: Standing = Standing { tls: true, ..PLAIN };
    const SIGNED_IN: Standing = Standing {
        signed_in: true,
        ..SECURE
    };

    fn is_out_of_turn(answer: Result<(), Rejection>) -> bool {
        matches!(answer, Err(Rejection::BadSequence { .. }))
    }

    #[test]
    fn each_verb_has_one_rule() {
        for rule in TABLE {
            assert_eq!(TABLE.iter().filter(|r| r.verb == rule.verb).count(), 1);
        }
        assert_eq!(TABLE.len(), 16);
    }

    #[test]
    fn keys_and_passwords_stay_under_tls() {
        for verb in [Verb::Key, Verb::KeyPut, Verb::Auth] {
            let refused = permit(verb, AwaitingMail, PLAIN);
            assert_eq!(refused, Err(Rejection::TlsRequired));
        }
        assert_eq!(permit(Verb::Key, AwaitingMail, SECURE), Ok(()));
        assert!(is_out_of_turn(permit(Verb::Key, AwaitingHello, SECURE)));
    }

    #[test]
    fn signing_in_happens_once_and_first() {
        assert_eq!(
            permit(Verb::Mail, AwaitingMail, SECURE),
            Err(Rejection::AuthRequired)
        );
        assert_eq!(
            permit(Verb::KeyPut, AwaitingMail, SECURE),
            Err(Rejection::AuthRequired)
        );
        assert_eq!(permit(Verb::Mail, AwaitingMail, SIGNED_IN), Ok(()));
        assert!(is_out_of_turn(permit(Verb::Auth, AwaitingMail, SIGNED_IN)));
        assert!(is_out_of_turn(permit(Verb::StartTls, AwaitingMail, SECURE)));
    }

    #[test]
    fn content_waits_for_a_recipient() {
        for verb in [Verb::Data, Verb::Bdat] {
            assert!(permit(verb, AwaitingRecipient, SIGNED_IN).is_err());
            assert!(permit(verb, AwaitingContent, SIGNED_IN).is_ok());
        }
        assert!(permit(Verb::Data, AwaitingChunk, SIGNED_IN).is_err());
    }
}
