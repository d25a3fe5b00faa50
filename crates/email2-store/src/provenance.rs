//! Through which of the three doors a message came in.
//!
//! Nothing but the store's three operations writes the column, and each takes
//! a proof: an [`Accepted`], an [`Appended`] or a [`Generated`].

use email2::Domain;
use email2::verdict::{Accepted, Provenance};

use crate::account::AccountId;
use crate::error::StoreError;

/// Proof of the second door: a person put it there (IMAP APPEND, import).
/// Never shown as verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    by: AccountId,
}

impl Appended {
    /// Put there by this account.
    #[must_use]
    pub fn by(account: AccountId) -> Self {
        Self { by: account }
    }
}

/// Proof of the third door: this server wrote it (reports).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    by: Domain,
}

impl Generated {
    /// Written by the service of this domain.
    #[must_use]
    pub fn by(service: Domain) -> Self {
        Self { by: service }
    }
}

/// What the column says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Judged by this server, with this verdict.
    Accepted(Provenance),
    /// Put there by a person.
    Appended,
    /// Written by the service of this domain, here.
    Generated(Domain),
}

const APPENDED: &str = "appended";
const GENERATED: &str = "generated ";
const ACCEPTED: &str = "accepted ";

impl Origin {
    /// The verdict of a judged message.
    #[must_use]
    pub fn provenance(&self) -> Option<&Provenance> {
        match self {
            Self::Accepted(provenance) => Some(provenance),
            Self::Appended | Self::Generated(_) => None,
        }
    }

    /// Whether it is shown as verified (spec §10.3.3).
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.provenance().is_some_and(Provenance::is_verified)
    }

    /// Reads the column.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub(crate) fn from_column(text: &str) -> Result<Self, StoreError> {
        if text == APPENDED {
            return Ok(Self::Appended);
        }
        let unreadable = || StoreError::Unreadable(format!("the provenance {text:?}"));
        if let Some(domain) = text.strip_prefix(GENERATED) {
            return Domain::parse(domain)
                .map(Self::Generated)
                .map_err(|_| unreadable());
        }
        let verdict = text.strip_prefix(ACCEPTED).ok_or_else(unreadable)?;
        verdict
            .parse::<Provenance>()
            .map(Self::Accepted)
            .map_err(|_| unreadable())
    }
}

/// The text of the column; only the three proofs have it.
pub(crate) trait Proof {
    fn column(&self) -> String;
}

impl Proof for Accepted {
    fn column(&self) -> String {
        format!("{ACCEPTED}{}", self.provenance())
    }
}

impl Proof for Appended {
    fn column(&self) -> String {
        APPENDED.to_owned()
    }
}

impl Proof for Generated {
    fn column(&self) -> String {
        format!("{GENERATED}{}", self.by)
    }
}
