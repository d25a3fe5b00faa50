//! The store's words and IMAP's: mailboxes, messages, flags, refusals.

use email2::rejection::Rejection;
use email2_imap::{FlagAction, Flags, MailboxInfo, MailboxKey, MessageInfo, MessageKey, Refusal};
use email2_imap::{Setting, SpecialUse};
use email2_store::{Mailbox, Message, Origin, StoreError};

/// A mailbox.
pub(super) fn mailbox(mailbox: Mailbox) -> MailboxInfo {
    MailboxInfo {
        key: MailboxKey(mailbox.id.0),
        name: mailbox.name,
        special_use: mailbox.special_use.map(special_use),
        subscribed: mailbox.subscribed,
        uid_validity: mailbox.uid_validity,
        uid_next: mailbox.uid_next,
        highest_modseq: mailbox.highest_modseq,
        messages: mailbox.messages,
        unseen: mailbox.unseen,
        deleted: mailbox.deleted,
        size: mailbox.size,
    }
}

fn special_use(of_store: email2_store::SpecialUse) -> SpecialUse {
    match of_store {
        email2_store::SpecialUse::Archive => SpecialUse::Archive,
        email2_store::SpecialUse::Drafts => SpecialUse::Drafts,
        email2_store::SpecialUse::Junk => SpecialUse::Junk,
        email2_store::SpecialUse::Sent => SpecialUse::Sent,
        email2_store::SpecialUse::Trash => SpecialUse::Trash,
    }
}

/// What a mailbox is for, in the store's word.
pub(super) fn special_use_of_store(special: SpecialUse) -> email2_store::SpecialUse {
    match special {
        SpecialUse::Archive => email2_store::SpecialUse::Archive,
        SpecialUse::Drafts => email2_store::SpecialUse::Drafts,
        SpecialUse::Junk => email2_store::SpecialUse::Junk,
        SpecialUse::Sent => email2_store::SpecialUse::Sent,
        SpecialUse::Trash => email2_store::SpecialUse::Trash,
    }
}

/// A message. What is shown as verified comes from the store's record of the
/// door it came in by, and from nothing else (spec §10.3.3).
pub(super) fn message(message: Message) -> MessageInfo {
    MessageInfo {
        key: MessageKey(message.id.0),
        uid: message.uid,
        modseq: message.modseq,
        size: message.size,
        received: message.received,
        verified: message.origin.is_verified(),
        verdict: verdict(&message.origin),
        flags: flags(message.flags),
    }
}

/// The text of `Email2-Verdict`.
fn verdict(origin: &Origin) -> String {
    match origin {
        Origin::Accepted(provenance) => provenance.to_string(),
        Origin::Appended => "appended".to_owned(),
        Origin::Generated(domain) => format!("generated; by={domain}"),
    }
}

fn flags(flags: email2_store::Flags) -> Flags {
    Flags {
        seen: flags.seen,
        answered: flags.answered,
        flagged: flags.flagged,
        deleted: flags.deleted,
        draft: flags.draft,
        keywords: flags.keywords,
    }
}

/// Flags, in the store's word.
pub(super) fn flags_of_store(flags: Flags) -> email2_store::Flags {
    email2_store::Flags {
        seen: flags.seen,
        answered: flags.answered,
        flagged: flags.flagged,
        deleted: flags.deleted,
        draft: flags.draft,
        keywords: flags.keywords,
    }
}

/// What happens to flags, in the store's word.
pub(super) fn action_of_store(action: FlagAction) -> email2_store::message::FlagAction {
    match action {
        FlagAction::Add => email2_store::message::FlagAction::Add,
        FlagAction::Remove => email2_store::message::FlagAction::Remove,
        FlagAction::Replace => email2_store::message::FlagAction::Replace,
    }
}

/// The name that a setting has in the store.
pub(super) fn setting(setting: Setting) -> crate::settings::Name {
    match setting {
        Setting::Blocks => crate::settings::Name::Blocks,
        Setting::Contacts => crate::settings::Name::Contacts,
        Setting::Forward => crate::settings::Name::Forward,
        Setting::Forwarders => crate::settings::Name::Forwarders,
        Setting::Legacy => crate::settings::Name::Legacy,
        Setting::Strangers => crate::settings::Name::Strangers,
        Setting::Vacation => crate::settings::Name::Vacation,
        Setting::VacationDays => crate::settings::Name::VacationDays,
    }
}

/// Why the store would not do it.
pub(super) fn refusal(error: StoreError) -> Refusal {
    match error {
        StoreError::NotFound(_) => Refusal::NoSuchMailbox,
        StoreError::Exists(_) => Refusal::MailboxExists,
        StoreError::Refused(why) => Refusal::Cannot(why.to_owned()),
        StoreError::Full => Refusal::Unavailable("no space is left on the server".to_owned()),
        error => {
            tracing::error!(%error, "the store failed");
            Refusal::Unavailable("the server's store fails; try again later".to_owned())
        }
    }
}

/// Why somebody may not come in.
pub(super) fn not_in(rejection: Rejection) -> Refusal {
    match rejection {
        Rejection::AuthFailed => Refusal::LoginFailed,
        Rejection::AuthThrottled => Refusal::TooManyLogins,
        other => Refusal::Unavailable(other.sentence()),
    }
}
