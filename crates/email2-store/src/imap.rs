//! The store in the words of IMAP: what both crates name alike is the same.

use crate::mailbox::SpecialUse;
use crate::message::{FlagAction, Flags};

impl From<SpecialUse> for email2_imap::request::SpecialUse {
    fn from(kept: SpecialUse) -> Self {
        match kept {
            SpecialUse::Archive => Self::Archive,
            SpecialUse::Drafts => Self::Drafts,
            SpecialUse::Junk => Self::Junk,
            SpecialUse::Sent => Self::Sent,
            SpecialUse::Trash => Self::Trash,
        }
    }
}

impl From<email2_imap::request::SpecialUse> for SpecialUse {
    fn from(asked: email2_imap::request::SpecialUse) -> Self {
        match asked {
            email2_imap::request::SpecialUse::Archive => Self::Archive,
            email2_imap::request::SpecialUse::Drafts => Self::Drafts,
            email2_imap::request::SpecialUse::Junk => Self::Junk,
            email2_imap::request::SpecialUse::Sent => Self::Sent,
            email2_imap::request::SpecialUse::Trash => Self::Trash,
        }
    }
}

impl From<Flags> for email2_imap::request::Flags {
    fn from(kept: Flags) -> Self {
        Self {
            seen: kept.seen,
            answered: kept.answered,
            flagged: kept.flagged,
            deleted: kept.deleted,
            draft: kept.draft,
            keywords: kept.keywords,
        }
    }
}

impl From<email2_imap::request::Flags> for Flags {
    fn from(asked: email2_imap::request::Flags) -> Self {
        Self {
            seen: asked.seen,
            answered: asked.answered,
            flagged: asked.flagged,
            deleted: asked.deleted,
            draft: asked.draft,
            keywords: asked.keywords,
        }
    }
}

impl From<email2_imap::request::FlagAction> for FlagAction {
    fn from(asked: email2_imap::request::FlagAction) -> Self {
        match asked {
            email2_imap::request::FlagAction::Add => Self::Add,
            email2_imap::request::FlagAction::Remove => Self::Remove,
            email2_imap::request::FlagAction::Replace => Self::Replace,
        }
    }
}
