//! What was found out about mail without a seal that counts (spec §11.1).

use crate::address::{Address, Domain};

/// The result of one check (RFC 8601 §2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CheckResult {
    /// There was nothing to check, or nobody checked.
    #[default]
    None,
    /// It holds.
    Pass,
    /// It does not hold.
    Fail,
    /// It probably does not hold (SPF).
    SoftFail,
    /// Nothing is said either way.
    Neutral,
    /// It could not be checked now.
    TempError,
    /// It cannot be checked.
    PermError,
}

/// What a domain asks for where DMARC fails (RFC 9989 §4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Demand {
    /// Nothing.
    #[default]
    None,
    /// That it is kept apart.
    Quarantine,
    /// That it is refused.
    Reject,
}

/// DMARC of the one domain in From.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Dmarc {
    /// The result; none for several domains in From.
    pub result: CheckResult,
    /// What the domain asks for.
    pub demand: Demand,
}

/// Whether an author always seals, so that mail without a seal is forged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderPolicy {
    /// Mail without a seal may exist.
    Open,
    /// It cannot: the domain's record, secured by DNSSEC, or its own word on an
    /// authenticated host says so.
    Strict,
    /// DNS says so, unsecured, and nobody can be asked whether it is true.
    Unconfirmed,
    /// It cannot be told now.
    Unknown {
        /// What failed, for the log.
        why: String,
    },
    /// The lookup has failed for so long that it counts as absent
    /// ([`POLICY_PATIENCE`](crate::limits::POLICY_PATIENCE)).
    Overdue,
}

/// One address in From.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorEvidence {
    /// The address.
    pub author: Address,
    /// Whether it always seals: the severest of its domain's policy and its own.
    pub policy: SenderPolicy,
    /// Its domain is known to speak Email 2.0.
    pub speaks: bool,
}

/// A message that somebody here sent and that a report from an ordinary hop is
/// about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Who sent it.
    pub mailbox: Address,
    /// What is remembered of it, one a recipient that the report names
    /// ([`sent_key`]).
    pub sent: Vec<[u8; 32]>,
}

/// Everything known about a message in which no seal counts.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct OrdinaryEvidence {
    /// SPF of the reverse-path, of EHLO's name when that is empty (RFC 7208).
    pub spf: CheckResult,
    /// The domains whose DKIM signatures hold over the whole body (RFC 6376).
    pub dkim: Vec<Domain>,
    /// DMARC (RFC 9989).
    pub dmarc: Dmarc,
    /// Every address in From.
    pub authors: Vec<AuthorEvidence>,
    /// The mailboxes that have had sealed mail from one of the authors.
    pub acquainted: Vec<Address>,
    /// The mailboxes that the message answers as a report.
    pub answered: Vec<Answered>,
}

impl SenderPolicy {
    /// How severe it is; of several the severest wins.
    pub(crate) fn severity(&self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Overdue => 1,
            Self::Unconfirmed => 2,
            Self::Unknown { .. } => 3,
            Self::Strict => 4,
        }
    }

    /// The severer of two.
    pub fn or_severer(self, other: Self) -> Self {
        if other.severity() > self.severity() {
            other
        } else {
            self
        }
    }
}

/// What is remembered of a sent message for one of its recipients: a digest of
/// its Message-ID, as it stands in the field, and of the address (spec §11.5).
pub fn sent_key(message_id: &[u8], recipient: &Address) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    let digest = Sha256::new()
        .chain_update(message_id.trim_ascii())
        .chain_update([0])
        .chain_update(recipient.loose().to_string());
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_severest_policy_wins() {
        let unknown = SenderPolicy::Unknown { why: String::new() };
        let all = [
            SenderPolicy::Open,
            SenderPolicy::Overdue,
            SenderPolicy::Unconfirmed,
            unknown,
            SenderPolicy::Strict,
        ];
        for (place, one) in all.iter().enumerate() {
            for (other_place, other) in all.iter().enumerate() {
                let severer = one.clone().or_severer(other.clone());
                assert_eq!(severer, all[place.max(other_place)]);
            }
        }
    }

    #[test]
    fn a_sent_message_is_known_by_its_id_and_recipient() {
        let carol = Address::parse("Carol+x@example.net").unwrap();
        let same = Address::parse("carol@example.net").unwrap();
        assert_eq!(sent_key(b" <1@x>", &carol), sent_key(b"<1@x>\r\n", &same));
        assert_ne!(sent_key(b"<2@x>", &carol), sent_key(b"<1@x>", &carol));
    }
}
