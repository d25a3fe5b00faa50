//! Who vouches for an author, and the way that a message took, as the reader's server wrote it
//! down when it took the message (spec §10.3.4).

use email2::Address;
use email2::verdict::{Provenance, Via};
use serde::Serialize;

/// An author whom a mediator checked that the reader registered: a class below verified
/// (spec §4.6.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The author.
    pub author: String,
    /// The domain that checked.
    pub by: String,
}

/// Somebody who passed a message on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Who sealed it on: `@example.com` is a domain's service. `None`: a server without seals.
    pub by: Option<String>,
    /// The address that the message had been sent to.
    pub address: Option<String>,
    /// The reader takes mail that comes this way.
    pub registered: bool,
}

impl Checked {
    /// Of what was accepted; `None` for every other class.
    #[must_use]
    pub fn of(provenance: &Provenance) -> Option<Checked> {
        match provenance {
            Provenance::CheckedBy { author, domain, .. } => Some(Checked {
                author: author.to_string(),
                by: domain.to_string(),
            }),
            _ => None,
        }
    }
}

/// The way of a message, from its author on; empty when it came directly.
#[must_use]
pub fn of(provenance: &Provenance) -> Vec<Step> {
    let via = match provenance {
        Provenance::Verified { via, .. }
        | Provenance::ForOthers { via, .. }
        | Provenance::CheckedBy { via, .. } => via.as_slice(),
        Provenance::Service { .. } | Provenance::Unverified { .. } => &[],
    };
    via.iter().rev().map(step).collect()
}

fn step(via: &Via) -> Step {
    let (by, address): (Option<String>, Option<&Address>) = match via {
        Via::Forwarder { signer, address } | Via::Unregistered { signer, address } => {
            (Some(signer.to_string()), Some(address))
        }
        Via::UnsealedHopFor { address } => (None, Some(address)),
        Via::UnsealedHop => (None, None),
    };
    Step {
        by,
        address: address.map(ToString::to_string),
        registered: via.is_registered(),
    }
}

/// The way in words, for people; `None` when the message came directly.
#[must_use]
pub fn words(way: &[Step]) -> Option<String> {
    let steps: Vec<String> = way.iter().map(Step::words).collect();
    (!steps.is_empty()).then(|| steps.join(", then "))
}

impl Step {
    fn words(&self) -> String {
        let to = self.address.as_deref();
        let to = to.map_or(String::new(), |to| format!("to {to}, "));
        let by = match self.by.as_deref() {
            Some(by) => by.strip_prefix('@').unwrap_or(by),
            None => "a server without seals",
        };
        let known = match self.registered {
            true => "",
            false => " (no way that you registered)",
        };
        format!("{to}passed on by {by}{known}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &str) -> (Option<Checked>, Option<String>) {
        let provenance = words.parse().unwrap();
        (Checked::of(&provenance), super::words(&of(&provenance)))
    }

    #[test]
    fn the_way_is_told_from_the_author_on() {
        let (checked, way) = told(
            "checked; author=bob@example.org; by=example.net; at=1; \
             via=@example.net/desk@example.net; via=@example.com/team@example.com",
        );
        let checked = checked.unwrap();
        assert_eq!(
            (checked.author.as_str(), checked.by.as_str()),
            ("bob@example.org", "example.net")
        );
        assert_eq!(
            way.as_deref(),
            Some(
                "to team@example.com, passed on by example.com, then to desk@example.net, \
                 passed on by example.net"
            )
        );
        let direct = "verified; author=bob@example.org; assurance=dnssec; at=1";
        assert_eq!(told(direct), (None, None));
    }

    #[test]
    fn a_way_that_nobody_registered_is_told_as_such() {
        let (checked, way) = told(
            "for-others; author=bob@example.org; assurance=dnssec; at=1; \
             via=unregistered:@a.example/list@a.example; via=unsealed-hop",
        );
        assert_eq!(checked, None);
        assert_eq!(
            way.as_deref(),
            Some(
                "passed on by a server without seals, then to list@a.example, passed on by \
                 a.example (no way that you registered)"
            )
        );
    }
}
