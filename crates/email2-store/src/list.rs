//! Mailing lists and their members (spec §14.4).

use async_trait::async_trait;
use email2::Address;

use crate::error::StoreError;

/// A mailing list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The address that people write to.
    pub address: Address,
    /// Only moderators write to it; else every member does.
    pub announcement: bool,
    /// What others than moderators write waits for a moderator.
    pub moderated: bool,
    /// Anybody may subscribe; else only who was invited.
    pub open: bool,
    /// Every member gets a copy of their own, so that not even two of one domain see each other.
    pub hidden: bool,
    /// Every copy carries a link of its member's own that leaves the list (RFC 8058).
    pub one_click: bool,
    /// The account here that gets the list's bounces.
    pub owner: Address,
    /// When it was made, Unix seconds.
    pub created: u64,
}

/// What somebody is to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Gets nothing before they confirm.
    Invited,
    /// Gets what is written to it.
    Member,
    /// A member who also decides what waits.
    Moderator,
}

impl Standing {
    const ALL: [Self; 3] = [Self::Invited, Self::Member, Self::Moderator];

    /// The word for it: `invited`, `member`, `moderator`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Member => "member",
            Self::Moderator => "moderator",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|standing| standing.as_str() == word)
    }
}

/// Somebody on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub address: Address,
    /// What they are to it.
    pub standing: Standing,
    /// Since when, Unix seconds.
    pub since: u64,
}

/// The lists of this server.
#[async_trait]
pub trait Lists: Send + Sync {
    /// Keeps a list.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when it is there, or is an account's or an alias's address.
    async fn add_list(&self, list: &List) -> Result<(), StoreError>;

    /// Gives a list other properties, and another owner.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the list.
    async fn change_list(&self, list: &List) -> Result<(), StoreError>;

    /// The list of this address; local parts are compared octet for octet.
    async fn list(&self, address: &Address) -> Result<Option<List>, StoreError>;

    /// All lists, by address.
    async fn lists(&self) -> Result<Vec<List>, StoreError>;

    /// Removes a list with its members; whether there was one.
    async fn remove_list(&self, address: &Address) -> Result<bool, StoreError>;

    /// Everybody on a list, by domain and address.
    async fn members(&self, list: &Address) -> Result<Vec<Member>, StoreError>;

    /// Puts somebody on a list, or gives them another standing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the list.
    async fn set_member(&self, list: &Address, member: &Member) -> Result<(), StoreError>;

    /// Takes somebody off a list; whether they were on it.
    async fn remove_member(&self, list: &Address, member: &Address) -> Result<bool, StoreError>;
}
