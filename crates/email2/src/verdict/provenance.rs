//! What is kept and shown about where a message comes from, in one stable
//! text form: the store's column and the field `Email2-Verdict` (spec §10.3).
//!
//! `verified; author=bob@example.org; assurance=dnssec; at=1764000000;
//! via=@alumni.edu/bob@alumni.edu; via=unsealed-hop` on one line, ASCII; what
//! could break the form in an address is percent-encoded.

use std::fmt;
use std::str::FromStr;

use crate::address::{Address, Domain, Identity};
use crate::assurance::Assurance;

/// Where a message comes from, as judged at its acceptance (spec §4.10.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// The author sealed it, by a key learnt with assurance.
    Verified {
        /// From.
        author: Address,
        /// How the author's key was authenticated (spec §2.2.3).
        assurance: Assurance,
        /// When it was accepted, Unix seconds.
        at: u64,
        /// What it came by, top first; empty is directly.
        via: Vec<Via>,
    },
    /// The author sealed it for somebody else, and it came by mediators or hops
    /// that this recipient did not register: shown so, and never as verified
    /// (spec §11.6.1).
    ForOthers {
        /// From.
        author: Address,
        /// How the author's key was authenticated (spec §2.2.3).
        assurance: Assurance,
        /// When it was accepted, Unix seconds.
        at: u64,
        /// What it came by, top first.
        via: Vec<Via>,
    },
    /// A registered mediator checked the author's seal; a class below
    /// `Verified` (spec §4.6.5).
    CheckedBy {
        /// From.
        author: Address,
        /// The domain of the mediator that checked.
        domain: Domain,
        /// When it was accepted, Unix seconds.
        at: u64,
        /// What it came by, top first; empty where an earlier version judged it.
        via: Vec<Via>,
    },
    /// A report sealed by a domain's service (spec §4.13).
    Service {
        /// The domain.
        domain: Domain,
        /// When it was accepted, Unix seconds.
        at: u64,
    },
    /// Nothing proves its author.
    Unverified {
        /// Why.
        reason: UnverifiedReason,
        /// When it was accepted, Unix seconds.
        at: u64,
    },
}

/// What a verified message came by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// A mediator sealed it on.
    Forwarder {
        /// `s` of its seal.
        signer: Identity,
        /// The recipient of the seal below that the mediator answered for.
        address: Address,
    },
    /// A mediator that this recipient did not register sealed it on.
    Unregistered {
        /// `s` of its seal.
        signer: Identity,
        /// The recipient of the seal below that the mediator answered for.
        address: Address,
    },
    /// A hop that does not speak Email 2.0 (spec §4.15).
    UnsealedHop,
    /// Such a hop, of a message that is sealed for this address of somebody else.
    UnsealedHopFor {
        /// For whom it is.
        address: Address,
    },
}

impl Via {
    /// Whether the message may lie in the Inbox that came by it.
    pub fn is_registered(&self) -> bool {
        matches!(self, Self::Forwarder { .. } | Self::UnsealedHop)
    }
}

/// Why a message is unverified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnverifiedReason {
    /// It carries no seal that counts.
    Unsealed,
    /// So, and its recipient has had sealed mail from this author (spec §11.4.1).
    SealedBefore,
    /// So, and DNS says without proof that its author always seals
    /// (spec §11.2.4).
    PolicyUnconfirmed,
    /// So, and whether its author always seals could not be told for long
    /// (spec §11.2.5).
    PolicyUnknown,
    /// So, and its author's domain asks to keep such mail apart: DMARC failed
    /// (spec §11.3.2).
    DmarcFailed,
    /// A mediator that its recipient registered broke or removed the seal
    /// (spec §11.6.3).
    Forwarded,
    /// A report of an ordinary hop about a message of its recipient's
    /// (spec §11.5.1).
    Report,
}

const REASONS: [(UnverifiedReason, &str); 7] = [
    (UnverifiedReason::Unsealed, "unsealed"),
    (UnverifiedReason::SealedBefore, "sealed-before"),
    (UnverifiedReason::PolicyUnconfirmed, "policy-unconfirmed"),
    (UnverifiedReason::PolicyUnknown, "policy-unknown"),
    (UnverifiedReason::DmarcFailed, "dmarc-failed"),
    (UnverifiedReason::Forwarded, "forwarded"),
    (UnverifiedReason::Report, "report"),
];

/// A text that is no provenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the text form of a verdict")]
pub struct ProvenanceError;

const UNSEALED_HOP: &str = "unsealed-hop";
const UNSEALED_HOP_FOR: &str = "unsealed-hop:";
const UNREGISTERED: &str = "unregistered:";

impl Provenance {
    /// Whether it is shown as verified, and sets `$Email2Verified`.
    pub fn is_verified(&self) -> bool {
        matches!(self, Self::Verified { .. })
    }

    /// When the message was accepted, Unix seconds.
    pub fn at(&self) -> u64 {
        match self {
            Self::Verified { at, .. }
            | Self::ForOthers { at, .. }
            | Self::CheckedBy { at, .. }
            | Self::Service { at, .. }
            | Self::Unverified { at, .. } => *at,
        }
    }
}

const VERIFIED: &str = "verified";
const FOR_OTHERS: &str = "for-others";

/// The text form of a message whose author's seal holds.
fn sealed(
    f: &mut fmt::Formatter<'_>,
    class: &str,
    (author, assurance, at): (&Address, Assurance, u64),
    via: &[Via],
) -> fmt::Result {
    let author = Encoded(author);
    write!(
        f,
        "{class}; author={author}; assurance={assurance}; at={at}"
    )?;
    via.iter().try_for_each(|via| write!(f, "; via={via}"))
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified {
                author,
                assurance,
                at,
                via,
            } => sealed(f, VERIFIED, (author, *assurance, *at), via),
            Self::ForOthers {
                author,
                assurance,
                at,
                via,
            } => sealed(f, FOR_OTHERS, (author, *assurance, *at), via),
            Self::CheckedBy {
                author,
                domain,
                at,
                via,
            } => {
                let (author, domain) = (Encoded(author), Encoded(domain));
                write!(f, "checked; author={author}; by={domain}; at={at}")?;
                via.iter().try_for_each(|via| write!(f, "; via={via}"))
            }
            Self::Service { domain, at } => {
                write!(f, "service; domain={}; at={at}", Encoded(domain))
            }
            Self::Unverified { reason, at } => {
                write!(f, "unverified; reason={reason}; at={at}")
            }
        }
    }
}

impl FromStr for Provenance {
    type Err = ProvenanceError;

    fn from_str(text: &str) -> Result<Self, ProvenanceError> {
        let mut words = text.split("; ");
        let class = words.next().unwrap_or_default();
        let mut fields = Fields(words);
        let read = match class {
            VERIFIED => Self::Verified {
                author: fields.take("author")?,
                assurance: fields.take("assurance")?,
                at: fields.take("at")?,
                via: fields.take_all("via")?,
            },
            FOR_OTHERS => Self::ForOthers {
                author: fields.take("author")?,
                assurance: fields.take("assurance")?,
                at: fields.take("at")?,
                via: fields.take_all("via")?,
            },
            "checked" => Self::CheckedBy {
                author: fields.take("author")?,
                domain: fields.take("by")?,
                at: fields.take("at")?,
                via: fields.take_all("via")?,
            },
            "service" => Self::Service {
                domain: fields.take("domain")?,
                at: fields.take("at")?,
            },
            "unverified" => Self::Unverified {
                reason: fields.take("reason")?,
                at: fields.take("at")?,
            },
            _ => return Err(ProvenanceError),
        };
        fields.0.next().map_or(Ok(read), |_| Err(ProvenanceError))
    }
}

/// The fields that are still to be read.
struct Fields<I>(I);

impl<'a, I: Iterator<Item = &'a str>> Fields<I> {
    fn take<T: FromStr>(&mut self, name: &str) -> Result<T, ProvenanceError> {
        let word = self.0.next().ok_or(ProvenanceError)?;
        let text = decode(value(word, name)?)?;
        text.parse().map_err(|_| ProvenanceError)
    }

    /// Everything that is left, each under this name; it decodes itself.
    fn take_all<T: FromStr>(&mut self, name: &str) -> Result<Vec<T>, ProvenanceError> {
        let read = |word| value(word, name)?.parse().map_err(|_| ProvenanceError);
        self.0.by_ref().map(read).collect()
    }
}

fn value<'a>(word: &'a str, name: &str) -> Result<&'a str, ProvenanceError> {
    let value = word
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('='));
    value.ok_or(ProvenanceError)
}

/// Percent-encodes all but letters, digits and a few marks that no address
/// needs to be told apart by.
struct Encoded<T>(T);

impl<T: fmt::Display> fmt::Display for Encoded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .to_string()
            .bytes()
            .try_for_each(|octet| match octet {
                b'@' | b'.' | b'-' | b'_' | b'+' => write!(f, "{}", char::from(octet)),
                octet if octet.is_ascii_alphanumeric() => write!(f, "{}", char::from(octet)),
                octet => write!(f, "%{octet:02x}"),
            })
    }
}

fn decode(text: &str) -> Result<String, ProvenanceError> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'%' => hex(rest.next())? << 4 | hex(rest.next())?,
            octet => octet,
        });
    }
    String::from_utf8(octets).map_err(|_| ProvenanceError)
}

fn hex(octet: Option<u8>) -> Result<u8, ProvenanceError> {
    let digit = octet
        .and_then(|octet| char::from(octet).to_digit(16))
        .ok_or(ProvenanceError)?;
    u8::try_from(digit).map_err(|_| ProvenanceError)
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forwarder { signer, address } => {
                write!(f, "{}/{}", Encoded(signer), Encoded(address))
            }
            Self::Unregistered { signer, address } => {
                let (signer, address) = (Encoded(signer), Encoded(address));
                write!(f, "{UNREGISTERED}{signer}/{address}")
            }
            Self::UnsealedHop => f.write_str(UNSEALED_HOP),
            Self::UnsealedHopFor { address } => {
                write!(f, "{UNSEALED_HOP_FOR}{}", Encoded(address))
            }
        }
    }
}

impl FromStr for Via {
    type Err = ProvenanceError;

    fn from_str(text: &str) -> Result<Self, ProvenanceError> {
        if text == UNSEALED_HOP {
            return Ok(Self::UnsealedHop);
        }
        if let Some(address) = text.strip_prefix(UNSEALED_HOP_FOR) {
            let address = parsed_address(address)?;
            return Ok(Self::UnsealedHopFor { address });
        }
        let unregistered = text.strip_prefix(UNREGISTERED);
        let pair = unregistered.unwrap_or(text);
        let (signer, address) = pair.split_once('/').ok_or(ProvenanceError)?;
        let signer = Identity::parse(&decode(signer)?).map_err(|_| ProvenanceError)?;
        let address = parsed_address(address)?;
        Ok(match unregistered {
            Some(_) => Self::Unregistered { signer, address },
            None => Self::Forwarder { signer, address },
        })
    }
}

fn parsed_address(encoded: &str) -> Result<Address, ProvenanceError> {
    Address::parse(&decode(encoded)?).map_err(|_| ProvenanceError)
}

impl fmt::Display for UnverifiedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = REASONS.iter().find(|(reason, _)| reason == self);
        f.write_str(named.map_or("unsealed", |(_, word)| word))
    }
}

impl FromStr for UnverifiedReason {
    type Err = ProvenanceError;

    fn from_str(text: &str) -> Result<Self, ProvenanceError> {
        let named = REASONS.iter().find(|(_, word)| *word == text);
        named.map(|(reason, _)| *reason).ok_or(ProvenanceError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comes_back(provenance: Provenance) -> String {
        let text = provenance.to_string();
        assert!(text.is_ascii() && !text.contains(['\r', '\n']));
        assert_eq!(text.parse(), Ok(provenance));
        text
    }

    #[test]
    fn every_class_comes_back() {
        let address = |text: &str| Address::parse(text).unwrap();
        let domain = Domain::parse("example.com").unwrap();
        let via = |signer: &str, to: &str| Via::Forwarder {
            signer: Identity::parse(signer).unwrap(),
            address: address(to),
        };
        let text = comes_back(Provenance::Verified {
            author: address("bob@example.org"),
            assurance: Assurance::Dnssec,
            at: 5,
            via: vec![],
        });
        assert_eq!(
            text,
            "verified; author=bob@example.org; assurance=dnssec; at=5"
        );
        comes_back(Provenance::Verified {
            author: address("\"a; b=/\"@example.org"),
            assurance: Assurance::Local,
            at: 5,
            via: vec![
                via("@a.example", "b\u{fc}b@a.example"),
                Via::UnsealedHop,
                via("a/b@c.d", "%@c.d"),
            ],
        });
        comes_back(Provenance::Service { domain, at: 1 });
        for (reason, _) in REASONS {
            comes_back(Provenance::Unverified { reason, at: 0 });
        }
        let text = comes_back(Provenance::ForOthers {
            author: address("bob@example.org"),
            assurance: Assurance::Dnssec,
            at: 5,
            via: vec![
                Via::UnsealedHopFor {
                    address: address("carol@a.example"),
                },
                Via::Unregistered {
                    signer: Identity::parse("@a.example").unwrap(),
                    address: address("list@a.example"),
                },
            ],
        });
        assert_eq!(
            text,
            "for-others; author=bob@example.org; assurance=dnssec; at=5; \
             via=unsealed-hop:carol@a.example; via=unregistered:@a.example/list@a.example"
        );
    }

    /// What an earlier version kept has no way.
    #[test]
    fn whom_a_mediator_checked_comes_back_with_and_without_the_way() {
        let checked = |via| Provenance::CheckedBy {
            author: Address::parse("b@c.d").unwrap(),
            domain: Domain::parse("example.com").unwrap(),
            at: 1,
            via,
        };
        let text = comes_back(checked(Vec::new()));
        assert_eq!(text, "checked; author=b@c.d; by=example.com; at=1");
        let text = comes_back(checked(vec![Via::Forwarder {
            signer: Identity::parse("@a.example").unwrap(),
            address: Address::parse("list@a.example").unwrap(),
        }]));
        assert_eq!(
            text,
            "checked; author=b@c.d; by=example.com; at=1; via=@a.example/list@a.example"
        );
    }

    #[test]
    fn anything_else_is_no_verdict() {
        for text in [
            "",
            "verified",
            "verified; author=b@c.d",
            "service; domain=c.d; at=1; x=2",
            "%",
        ] {
            assert!(text.parse::<Provenance>().is_err(), "{text}");
        }
    }
}
