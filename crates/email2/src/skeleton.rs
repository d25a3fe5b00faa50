//! The guard in front of every parser (spec §9.3): bounds the structure of a
//! message while its octets stream by. It never recurses and takes linear time.

use crate::rejection::Rejection;

/// Watches a message's structure as it arrives.
#[derive(Debug, Default)]
pub struct Skeleton {}

impl Skeleton {
    /// Begins with the header section of a message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next octets; chunks may end anywhere.
    ///
    /// # Errors
    /// The first bound that is passed; nothing may be pushed after it.
    pub fn push(&mut self, octets: &[u8]) -> Result<(), Rejection> {
        todo!("{octets:?}")
    }

    /// Ends the message.
    ///
    /// # Errors
    /// As [`Skeleton::push`], for a last line without an end.
    pub fn finish(self) -> Result<(), Rejection> {
        todo!()
    }

    /// Checks a whole message or MIME entity in memory.
    ///
    /// # Errors
    /// As [`Skeleton::push`].
    pub fn check(entity: &[u8]) -> Result<(), Rejection> {
        let mut skeleton = Self::new();
        skeleton.push(entity)?;
        skeleton.finish()
    }
}
