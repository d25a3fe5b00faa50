//! Replies: the positive ones as constants, the negative ones from [`Rejection`], and the
//! reading of what another server replies (RFC 5321 §4.2, RFC 2034).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use email2::limits;
use email2::rejection::Rejection;

/// A positive or intermediate reply of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Positive {
    code: u16,
    enhanced: &'static str,
    text: &'static str,
}

const fn positive(code: u16, enhanced: &'static str, text: &'static str) -> Positive {
    Positive {
        code,
        enhanced,
        text,
    }
}

/// The code of the greeting (RFC 5321 §4.2: no enhanced code in it, RFC 2034 §4).
pub(crate) const GREETING: u16 = 220;
/// The code of EHLO's and most commands' success.
pub(crate) const COMPLETED: u16 = 250;
/// After this code the server closes, whoever said it (RFC 5321 §3.8).
pub(crate) const CLOSES: u16 = 421;
/// The code of DATA's answer (RFC 5321 §4.1.1.4).
pub(crate) const GO_ON: u16 = 354;
/// RFC 3207 §4.
pub(crate) const START_TLS: Positive = positive(220, "2.0.0", "start TLS");
/// RFC 4954 §6.
pub(crate) const AUTHENTICATED: Positive = positive(235, "2.7.0", "authenticated");
/// The code of a challenge (RFC 4954 §4).
const CHALLENGE: u16 = 334;
/// RFC 4954 §4: an empty challenge.
pub(crate) const AUTH_CONTINUE: Positive = positive(CHALLENGE, "", "");
/// The reverse-path is taken.
pub(crate) const SENDER_TAKEN: Positive = positive(250, "2.1.0", "sender noted");
/// The forward-path is taken.
pub(crate) const RECIPIENT_TAKEN: Positive = positive(250, "2.1.5", "recipient noted");
/// RFC 5321 §4.1.1.4.
pub(crate) const SEND_DATA: Positive = positive(GO_ON, "", "send the message, end with CRLF.CRLF");
/// RFC 3030 §2.
pub(crate) const CHUNK_TAKEN: Positive = positive(250, "2.0.0", "octets taken");
/// RSET.
pub(crate) const FLUSHED: Positive = positive(250, "2.0.0", "flushed");
/// NOOP.
pub(crate) const NOTHING_DONE: Positive = positive(250, "2.0.0", "nothing done");
/// VRFY (RFC 5321 §3.5.3: nothing is verified).
pub(crate) const CANNOT_VERIFY: Positive = positive(252, "2.5.1", "send mail and see");
/// HELP.
pub(crate) const HELP: Positive = positive(214, "2.0.0", "see RFC 5321 and the EMAIL2 extension");
/// QUIT.
pub(crate) const CLOSING: Positive = positive(221, "2.0.0", "closing");

impl fmt::Display for Positive {
    /// The whole reply, with CRLF.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gap = if self.enhanced.is_empty() { "" } else { " " };
        let Positive {
            code,
            enhanced,
            text,
        } = self;
        write!(f, "{code} {enhanced}{gap}{text}\r\n")
    }
}

/// The whole reply of a refusal, with CRLF. A sentence too long for a reply line
/// (RFC 5321 §4.5.3.1.5) is cut.
pub(crate) fn refusal(rejection: &Rejection) -> String {
    let mut line = format!(
        "{} {} {}",
        rejection.code(),
        rejection.enhanced(),
        rejection.sentence()
    );
    line.retain(|c| c.is_ascii() && !c.is_ascii_control());
    line.truncate(limits::COMMAND_OCTETS - 2);
    line + "\r\n"
}

/// `250 2.0.0` and one line of text, with CRLF; the text is made printable and cut to a reply
/// line.
pub(crate) fn completed(text: &str) -> String {
    let mut line = format!("{COMPLETED} 2.0.0 {text}");
    line.retain(|c| c.is_ascii() && !c.is_ascii_control());
    line.truncate(limits::COMMAND_OCTETS - 2);
    line + "\r\n"
}

/// A challenge in base64 (RFC 4954 §4), with CRLF.
pub(crate) fn challenge(text: &str) -> String {
    format!("{CHALLENGE} {}\r\n", STANDARD.encode(text))
}

/// `code` over several lines, with CRLF.
pub(crate) fn lines(code: u16, lines: &[String]) -> String {
    let last = lines.len().saturating_sub(1);
    lines
        .iter()
        .enumerate()
        .map(|(at, line)| {
            let gap = if at == last { ' ' } else { '-' };
            format!("{code}{gap}{line}\r\n")
        })
        .collect()
}

/// What another server replied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// The text of each line, without code; untrusted, may hold any printable octet.
    pub lines: Vec<String>,
}

impl Reply {
    /// 2yz.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4yz: worth trying again.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5yz: final.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// The server closes the connection after this, whatever it was asked (RFC 5321 §3.8).
    #[must_use]
    pub fn closes(&self) -> bool {
        self.code == CLOSES
    }

    /// The enhanced status code at the front of the first line (RFC 2034), if there is one.
    #[must_use]
    pub fn enhanced(&self) -> Option<&str> {
        let word = self.lines.first()?.split(' ').next()?;
        let mut parts = word.split('.');
        let numbers = parts
            .by_ref()
            .take(3)
            .filter(|part| (1..=3).contains(&part.len()))
            .filter(|part| part.bytes().all(|digit| digit.is_ascii_digit()))
            .count();
        (numbers == 3 && parts.next().is_none()).then_some(word)
    }
}

impl fmt::Display for Reply {
    /// Code and text on one line, control characters replaced.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        for line in &self.lines {
            write!(f, " {}", line.replace(char::is_control, "\u{fffd}"))?;
        }
        Ok(())
    }
}

/// Reads one reply from its lines; bounded (spec §3.5.1).
#[derive(Debug, Default)]
pub(crate) struct ReplyReader {
    code: Option<u16>,
    lines: Vec<String>,
    octets: usize,
}

/// What is wrong with another server's reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// Not three digits and a separator, or different codes in one reply.
    #[error("the reply is not in the form of RFC 5321")]
    Malformed,
    /// A reply, or all that a dialogue may bring, longer than 64 KiB.
    #[error("the server answered with more than 64 KiB")]
    TooLong,
}

impl ReplyReader {
    /// Takes one line without CRLF; gives the reply when it was the last.
    pub(crate) fn push(&mut self, line: &[u8]) -> Result<Option<Reply>, ReplyError> {
        self.octets = self.octets.saturating_add(line.len());
        if self.octets > limits::KEY_ANSWER_OCTETS {
            return Err(ReplyError::TooLong);
        }
        let (code, more, text) = split(line).ok_or(ReplyError::Malformed)?;
        if self.code.replace(code).is_some_and(|before| before != code) {
            return Err(ReplyError::Malformed);
        }
        self.lines.push(text);
        if more {
            return Ok(None);
        }
        let lines = std::mem::take(self).lines;
        Ok(Some(Reply { code, lines }))
    }
}

fn split(line: &[u8]) -> Option<(u16, bool, String)> {
    let text = String::from_utf8_lossy(line);
    let digits = text.get(..3)?;
    let code: u16 = digits
        .parse()
        .ok()
        .filter(|code| (200..600).contains(code))?;
    let more = match text.as_bytes().get(3) {
        None | Some(b' ') => false,
        Some(b'-') => true,
        Some(_) => return None,
    };
    Some((code, more, text.get(4..).unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positive_replies_are_lines() {
        assert_eq!(CLOSING.to_string(), "221 2.0.0 closing\r\n");
        assert_eq!(AUTH_CONTINUE.to_string(), "334 \r\n");
        assert_eq!(lines(250, &["a".into(), "b".into()]), "250-a\r\n250 b\r\n");
        assert_eq!(completed("a\r\nb"), "250 2.0.0 ab\r\n");
    }

    #[test]
    fn a_reply_is_read_from_its_lines() {
        let mut reader = ReplyReader::default();
        assert_eq!(reader.push(b"250-2.0.0 one"), Ok(None));
        let reply = reader.push(b"250 2.0.0 two").unwrap().unwrap();
        assert_eq!(reply.enhanced(), Some("2.0.0"));
        assert_eq!(reply.lines, ["2.0.0 one", "2.0.0 two"]);
        assert!(reader.push(b"421").unwrap().unwrap().is_temporary());
    }

    #[test]
    fn nonsense_is_no_reply() {
        for line in [&b"25"[..], b"2500 x", b"abc d", b"199 x", b"\xff\xff\xff "] {
            assert_eq!(
                ReplyReader::default().push(line),
                Err(ReplyError::Malformed)
            );
        }
        let mut reader = ReplyReader::default();
        assert_eq!(reader.push(b"250-x"), Ok(None));
        assert_eq!(reader.push(b"251 x"), Err(ReplyError::Malformed));
        let mut reader = ReplyReader::default();
        let line = [b"250-".as_slice(), &[b'x'; 900]].concat();
        let end = (0..100).find_map(|_| reader.push(&line).err());
        assert_eq!(end, Some(ReplyError::TooLong));
    }

    #[test]
    fn only_three_numbers_are_an_enhanced_code() {
        let reply = |text: &str| Reply {
            code: 550,
            lines: vec![text.to_owned()],
        };
        assert_eq!(reply("5.1.1 no").enhanced(), Some("5.1.1"));
        assert_eq!(reply("5.1 no").enhanced(), None);
        assert_eq!(reply("5.1.1.1 no").enhanced(), None);
        assert_eq!(reply("no").enhanced(), None);
    }
}
