//! The one pass over a message as it arrives: framing, header, structure and
//! digests together (spec §4.3, §4.12).

use sha2::{Digest, Sha256};

use crate::header::{HeaderFacts, HeaderScan};
use crate::limits;
use crate::line::{Framing, Lines};
use crate::rejection::Rejection;
use crate::skeleton::Structure;

/// A pass in progress. It holds the line in hand, the header facts and one hash
/// state a seal, whatever the size of the message.
#[derive(Debug)]
pub struct Scan {
    lines: Lines,
    pass: Pass,
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

/// What the lines go through.
#[derive(Debug)]
struct Pass {
    sealed_rules: bool,
    part: Part,
    structure: Structure,
    digests: Vec<Sha256>,
    size: u64,
    fault: Option<Rejection>,
}

/// Where in the message the pass is.
#[derive(Debug)]
enum Part {
    /// In the header section.
    Header(Box<HeaderScan>),
    /// Behind it.
    Body(Box<HeaderFacts>),
}

impl Scan {
    /// Begins. Under `sealed_rules` (the message was announced as sealed) every
    /// breach of spec §4.3, §4.7 and §4.8 is an error; otherwise it is noted as
    /// `fault`, and only what no message may do is an error.
    pub fn new(sealed_rules: bool) -> Self {
        let longest = if sealed_rules {
            limits::LINE_OCTETS
        } else {
            limits::ORDINARY_LINE_OCTETS
        };
        Self {
            lines: Lines::new(Framing::Strict, longest),
            pass: Pass {
                sealed_rules,
                part: Part::Header(Box::new(HeaderScan::new(sealed_rules))),
                structure: Structure::new(),
                digests: Vec::new(),
                size: 0,
                fault: None,
            },
        }
    }

    /// Takes the next octets (after dot removal); chunks may end anywhere.
    ///
    /// # Errors
    /// The first refusal; nothing may be pushed after it.
    pub fn push(&mut self, octets: &[u8]) -> Result<(), Rejection> {
        let Self { lines, pass } = self;
        lines.push(octets, |line| pass.line(line))
    }

    /// The header facts, once the header section has ended.
    pub fn header(&self) -> Option<&HeaderFacts> {
        match &self.pass.part {
            Part::Header(_) => None,
            Part::Body(facts) => Some(facts),
        }
    }

    /// Octets of the complete lines so far.
    pub fn size(&self) -> u64 {
        self.pass.size
    }

    /// Ends the message.
    ///
    /// # Errors
    /// As [`Scan::push`]; also a message that does not end in CRLF.
    pub fn finish(mut self) -> Result<Scanned, Rejection> {
        let Self { lines, pass } = &mut self;
        lines.finish(|line| pass.line(line))?;
        self.pass.finish()
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

impl Pass {
    /// Takes one line without its CRLF.
    fn line(&mut self, line: &[u8]) -> Result<(), Rejection> {
        self.size += line.len() as u64 + 2;
        self.structure.line(line)?;
        let header_ended = match &mut self.part {
            Part::Header(header) => header.line(line)?,
            Part::Body(_) => self.body_line(line)?,
        };
        self.digest(line);
        if header_ended {
            self.end_header()
        } else {
            Ok(())
        }
    }

    /// A body line longer than sealed mail allows breaks every seal above it.
    fn body_line(&mut self, line: &[u8]) -> Result<bool, Rejection> {
        if line.len() > limits::LINE_OCTETS {
            let limit = limits::LINE_OCTETS;
            self.fault.get_or_insert(Rejection::LineTooLong { limit });
        }
        Ok(false)
    }

    /// Hashes the line for every seal that has ended above it.
    fn digest(&mut self, line: &[u8]) {
        if let Part::Header(header) = &self.part {
            self.digests.resize(header.seals(), Sha256::new());
        }
        for digest in &mut self.digests {
            digest.update(line);
            digest.update(b"\r\n");
        }
    }

    fn end_header(&mut self) -> Result<(), Rejection> {
        let fresh = Part::Header(Box::new(HeaderScan::new(self.sealed_rules)));
        if let Part::Header(header) = std::mem::replace(&mut self.part, fresh) {
            let facts = header.finish()?;
            self.fault = facts.fault.clone();
            self.part = Part::Body(Box::new(facts));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Scanned, Rejection> {
        self.structure.finish()?;
        let facts = match self.part {
            Part::Body(facts) => *facts,
            // A message may end with its header section (RFC 5322 §3.5).
            Part::Header(header) => {
                let facts = header.finish()?;
                self.fault = facts.fault.clone();
                self.digests.resize(facts.seals.len(), Sha256::new());
                facts
            }
        };
        let digests = self
            .digests
            .into_iter()
            .map(|digest| digest.finalize().into())
            .collect();
        Ok(Scanned {
            header: facts,
            digests,
            size: self.size,
            fault: self.fault,
        })
    }
}
