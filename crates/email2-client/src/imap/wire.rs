//! Lines and literals of IMAP over a stream (RFC 3501 §2.2).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use email2::limits;
use email2_io::clock::{Elapsed, within};
use email2_io::{Clock, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::ImapError;
use super::response::{Piece, Response};

/// Longest line of a response, octets: SEARCH names every message of a mailbox in one.
const LINE_OCTETS: usize = 1024 * 1024;

/// Most octets of a response with all its literals: a message, and what is said around it.
const RESPONSE_OCTETS: usize = limits::MESSAGE_OCTETS as usize + 1024 * 1024;

/// Octets read or written at once.
const BLOCK: usize = 32 * 1024;

/// How long the server may take to receive a block.
const WRITE_LIMIT: Duration = Duration::from_secs(60);

/// The stream, and what was read of it beyond the last response.
pub(super) struct Wire {
    stream: Stream,
    clock: Arc<dyn Clock>,
    unread: Vec<u8>,
    commands: u32,
}

impl Wire {
    pub(super) fn new(stream: Stream, clock: Arc<dyn Clock>) -> Self {
        Wire {
            stream,
            clock,
            unread: Vec::new(),
            commands: 0,
        }
    }

    /// Monotonic time.
    pub(super) fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Sends a command line under a new tag; the tag.
    pub(super) async fn begin(&mut self, command: &str) -> Result<String, ImapError> {
        self.commands += 1;
        let tag = format!("c{}", self.commands);
        self.send(format!("{tag} {command}\r\n").as_bytes()).await?;
        Ok(tag)
    }

    pub(super) async fn send(&mut self, octets: &[u8]) -> Result<(), ImapError> {
        for block in octets.chunks(BLOCK) {
            let writing = self.stream.write_all(block);
            in_time(&*self.clock, WRITE_LIMIT, writing).await?;
        }
        in_time(&*self.clock, WRITE_LIMIT, self.stream.flush()).await
    }

    /// The next response, whose every piece comes within `limit`.
    pub(super) async fn response(&mut self, limit: Duration) -> Result<Response, ImapError> {
        let mut pieces = Vec::new();
        let mut octets = 0;
        loop {
            let line = self.line(limit).await?;
            let literal = announced(&line);
            octets += line.len() + literal.unwrap_or(0);
            if octets > RESPONSE_OCTETS {
                return Err(ImapError::Malformed("a response is too long"));
            }
            pieces.push(Piece::Line(line));
            match literal {
                None => return Ok(Response::new(&pieces)),
                Some(length) => pieces.push(Piece::Literal(self.literal(length, limit).await?)),
            }
        }
    }

    pub(super) async fn shut_down(&mut self) {
        // The dialogue is over; a peer that is gone already needs no farewell.
        let _ = in_time(&*self.clock, WRITE_LIMIT, self.stream.shutdown()).await;
    }

    /// A line without its CRLF.
    async fn line(&mut self, limit: Duration) -> Result<Vec<u8>, ImapError> {
        let mut looked = 0;
        loop {
            let rest = self.unread.get(looked..).unwrap_or_default();
            if let Some(at) = rest.iter().position(|&octet| octet == b'\n') {
                let behind = self.unread.split_off(looked + at + 1);
                let mut line = std::mem::replace(&mut self.unread, behind);
                line.pop();
                line.pop_if(|last| *last == b'\r');
                return Ok(line);
            }
            looked = self.unread.len();
            if looked > LINE_OCTETS {
                return Err(ImapError::Malformed("a line is too long"));
            }
            self.read(limit).await?;
        }
    }

    async fn literal(&mut self, length: usize, limit: Duration) -> Result<Vec<u8>, ImapError> {
        while self.unread.len() < length {
            self.read(limit).await?;
        }
        let behind = self.unread.split_off(length);
        Ok(std::mem::replace(&mut self.unread, behind))
    }

    async fn read(&mut self, limit: Duration) -> Result<(), ImapError> {
        self.unread.reserve(BLOCK);
        let reading = self.stream.read_buf(&mut self.unread);
        match in_time(&*self.clock, limit, reading).await? {
            0 => Err(ImapError::Broken(io::ErrorKind::UnexpectedEof.into())),
            _ => Ok(()),
        }
    }
}

/// The length of the literal that a line announces at its end: `{123}`.
pub(super) fn announced(line: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(line.strip_suffix(b"}")?).ok()?;
    let (_, digits) = text.rsplit_once('{')?;
    digits
        .bytes()
        .all(|digit| digit.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

async fn in_time<T>(
    clock: &dyn Clock,
    limit: Duration,
    doing: impl Future<Output = io::Result<T>>,
) -> Result<T, ImapError> {
    match within(clock, limit, doing).await {
        Ok(done) => Ok(done?),
        Err(Elapsed) => Err(ImapError::Late),
    }
}

#[cfg(test)]
mod tests {
    use email2_io::clock::SystemClock;

    use super::*;

    #[test]
    fn literals_are_announced_by_braces_at_the_end() {
        assert_eq!(announced(b"* 1 FETCH (BODY[] {17}"), Some(17));
        for other in [
            &b"* OK {17} x"[..],
            b"{}",
            b"{1a}",
            b"{99999999999999999999999}",
            b"}",
        ] {
            assert_eq!(announced(other), None);
        }
    }

    #[tokio::test]
    async fn a_response_is_read_whole_with_its_literals() {
        let (mut far, near) = tokio::io::duplex(16);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let mut wire = Wire::new(Box::new(near), clock);
        let speaking = tokio::spawn(async move {
            let said = b"* 1 FETCH (BODY[] {6}\r\na\r\nb\r\n UID 5)\r\nc1 OK done\r\n";
            far.write_all(said).await.unwrap();
            far
        });
        let limit = Duration::from_secs(5);
        let fetched = wire.response(limit).await.unwrap();
        assert!(format!("{fetched:?}").contains("Literal"), "{fetched:?}");
        assert!(wire.response(limit).await.unwrap().is_tagged("c1"));
        drop(speaking.await.unwrap());
        assert!(matches!(
            wire.response(limit).await,
            Err(ImapError::Broken(_))
        ));
    }

    /// Case I08: what looks like an answer inside a literal is text.
    #[tokio::test]
    async fn i08_a_literal_is_counted_and_never_searched() {
        let message = include_bytes!("../../../email2-testbed/cases/I08-looks-tagged.eml");
        let announced = format!("* 1 FETCH (UID 5 BODY[] {{{}}}\r\n", message.len());
        let said = [announced.as_bytes(), message, b")\r\na1 OK done\r\n"].concat();
        let (mut far, near) = tokio::io::duplex(64 * 1024);
        far.write_all(&said).await.unwrap();
        let mut wire = Wire::new(Box::new(near), Arc::new(SystemClock::new()));
        let limit = Duration::from_secs(5);
        let fetched = wire.response(limit).await.unwrap();
        let item = super::super::Item::read(&fetched).unwrap();
        assert_eq!(item.octets.as_deref(), Some(&message[..]));
        let end = wire.response(limit).await.unwrap();
        assert!(end.is_tagged("a1") && end.text() == "done", "{end:?}");
    }
}
