//! The one pass over a message as it arrives: framing, header, structure and
//! digests together (spec §4.3, §4.12).

use crate::header::HeaderFacts;
use crate::rejection::Rejection;

/// A pass in progress.
#[derive(Debug)]
pub struct Scan {
    sealed_rules: bool,
}

/// What one pass over a whole message found.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// What the header section says.
    pub header: HeaderFacts,
    /// One SHA-256 for each seal, top first: over all that follows the seal's
    /// own CRLF, to the end (spec §4.3).
    pub digests: Vec<[u8; 32]>,
    /// Octets of the whole message.
    pub size: u64,
    /// The first breach of the rules for sealed mail, in header or body: while
    /// there is one, no seal of an unannounced message holds. Always `None`
    /// after a scan under sealed rules, which refuses instead.
    pub fault: Option<Rejection>,
}

impl Scan {
    /// Begins. Under `sealed_rules` (the message was announced as sealed) every
    /// breach of spec §4.3, §4.7 and §4.8 is an error; otherwise it is noted as
    /// `fault`, and only what no message may do is an error.
    pub fn new(sealed_rules: bool) -> Self {
        Self { sealed_rules }
    }

    /// Takes the next octets (after dot removal); chunks may end anywhere.
    ///
    /// # Errors
    /// The first refusal; nothing may be pushed after it.
    pub fn push(&mut self, octets: &[u8]) -> Result<(), Rejection> {
        todo!("{octets:?} {}", self.sealed_rules)
    }

    /// The header facts, once the header section has ended.
    pub fn header(&self) -> Option<&HeaderFacts> {
        todo!()
    }

    /// Ends the message.
    ///
    /// # Errors
    /// As [`Scan::push`]; also a message that does not end in CRLF.
    pub fn finish(self) -> Result<Scanned, Rejection> {
        todo!()
    }

    /// Scans a whole message in memory.
    ///
    /// # Errors
    /// As [`Scan::push`].
    pub fn whole(sealed_rules: bool, message: &[u8]) -> Result<Scanned, Rejection> {
        let mut scan = Self::new(sealed_rules);
        scan.push(message)?;
        scan.finish()
    }
}
