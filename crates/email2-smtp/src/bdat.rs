//! Content by BDAT (RFC 3030): octets counted, never stuffed, the same that DATA
//! would bring (spec §3.9.2).

/// One chunk, while its octets come in.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Octets announced.
    pub(crate) size: u64,
    /// Octets still to come.
    pub(crate) left: u64,
    /// The last chunk of its message.
    pub(crate) last: bool,
}

impl Chunk {
    /// A chunk of which nothing came yet.
    pub(crate) fn new(size: u64, last: bool) -> Self {
        Chunk {
            size,
            left: size,
            last,
        }
    }

    /// How many of `available` octets belong to this chunk; they count as taken.
    pub(crate) fn take(&mut self, available: usize) -> usize {
        let count = usize::try_from(self.left).map_or(available, |left| left.min(available));
        self.left -= count as u64;
        count
    }

    /// All octets came.
    pub(crate) fn is_complete(&self) -> bool {
        self.left == 0
    }
}

/// The command in front of a chunk of `size` octets.
pub(crate) fn command(size: usize, last: bool) -> String {
    format!("BDAT {size}{}\r\n", if last { " LAST" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_takes_its_octets_and_no_more() {
        let mut chunk = Chunk::new(5, true);
        assert_eq!(chunk.take(3), 3);
        assert!(!chunk.is_complete());
        assert_eq!(chunk.take(10), 2);
        assert!(chunk.is_complete());
        assert_eq!(chunk.take(10), 0);
        assert!(Chunk::new(0, true).is_complete());
    }

    #[test]
    fn the_command_says_last() {
        assert_eq!(command(7, false), "BDAT 7\r\n");
        assert_eq!(command(0, true), "BDAT 0 LAST\r\n");
    }
}
