//! How the answer of a domain was authenticated (spec §2.2).

use std::fmt;
use std::str::FromStr;

/// What authenticated a domain's answer; kept with all that is learnt from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Assurance {
    /// The MX or SRV answer was DNSSEC-secure (way a).
    Dnssec,
    /// The host matched an enforced MTA-STS policy (way b, RFC 8461).
    MtaSts,
    /// The host presented a certificate for exactly `email2.D` (way c).
    DomainCertificate,
    /// The Web Key Directory confirmed one primary key for one address (way d).
    Wkd,
    /// This server serves the domain itself.
    Local,
}

/// A word that names no assurance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an assurance is one of dnssec, mta-sts, domain-certificate, wkd, local")]
pub struct AssuranceError;

impl Assurance {
    const ALL: [Self; 5] = [
        Self::Dnssec,
        Self::MtaSts,
        Self::DomainCertificate,
        Self::Wkd,
        Self::Local,
    ];

    /// The stable word for it, as stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dnssec => "dnssec",
            Self::MtaSts => "mta-sts",
            Self::DomainCertificate => "domain-certificate",
            Self::Wkd => "wkd",
            Self::Local => "local",
        }
    }

    /// Whether flags, policy and service keys may be learnt from the answer;
    /// WKD confirms one primary key and nothing else (spec §2.2).
    pub fn covers_domain(self) -> bool {
        self != Self::Wkd
    }
}

impl fmt::Display for Assurance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Assurance {
    type Err = AssuranceError;

    fn from_str(word: &str) -> Result<Self, AssuranceError> {
        Self::ALL
            .into_iter()
            .find(|assurance| assurance.as_str() == word)
            .ok_or(AssuranceError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back() {
        for assurance in Assurance::ALL {
            assert_eq!(assurance.to_string().parse(), Ok(assurance));
        }
        assert_eq!("DNSSEC".parse::<Assurance>(), Err(AssuranceError));
    }
}
