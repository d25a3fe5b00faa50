//! Service extensions: what EHLO's answer announces (RFC 5321 §4.1.1.1, spec §3.1).

use email2::scram::MECHANISM;
use email2::{capability, limits};

/// What a server announced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// `EMAIL2 1` (spec §3.1).
    pub email2: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// 8BITMIME (RFC 6152).
    pub eight_bit: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034).
    pub enhanced_codes: bool,
    /// AUTH with the mechanism PLAIN (RFC 4954).
    pub auth_plain: bool,
    /// AUTH with the mechanism SCRAM-SHA-256 (RFC 7677).
    pub auth_scram: bool,
    /// SIZE with its bound in octets; `Some(0)`: no fixed bound (RFC 1870 §4).
    pub size: Option<u64>,
    /// LIMITS RCPTMAX: recipients a transaction (RFC 9422 §4.2).
    pub recipients_max: Option<usize>,
    /// LIMITS MAILMAX: transactions a connection (RFC 9422 §4.1).
    pub transactions_max: Option<usize>,
}

impl Extensions {
    /// Reads the lines of EHLO's answer; the first is the greeting and is skipped. What is not
    /// known, or has a value out of form, counts as not announced.
    #[must_use]
    pub fn parse(lines: &[String]) -> Self {
        let mut extensions = Extensions::default();
        for line in lines.iter().skip(1) {
            extensions.add(line);
        }
        extensions
    }

    fn add(&mut self, line: &str) {
        if capability::is_spoken(line) {
            self.email2 = true;
            return;
        }
        let mut words = line.split_ascii_whitespace();
        let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
        match keyword.as_str() {
            "STARTTLS" => self.starttls = true,
            "PIPELINING" => self.pipelining = true,
            "8BITMIME" => self.eight_bit = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "CHUNKING" => self.chunking = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_codes = true,
            "AUTH" => words.for_each(|mechanism| self.add_mechanism(mechanism)),
            "SIZE" => self.size = Some(words.next().and_then(|n| n.parse().ok()).unwrap_or(0)),
            "LIMITS" => words.for_each(|limit| self.add_limit(limit)),
            _ => {}
        }
    }

    fn add_mechanism(&mut self, mechanism: &str) {
        self.auth_plain |= mechanism.eq_ignore_ascii_case("PLAIN");
        self.auth_scram |= mechanism.eq_ignore_ascii_case(MECHANISM);
    }

    fn add_limit(&mut self, limit: &str) {
        let Some((name, value)) = limit.split_once('=') else {
            return;
        };
        let value = value.parse().ok().filter(|&count: &usize| count > 0);
        match name.to_ascii_uppercase().as_str() {
            "RCPTMAX" => self.recipients_max = value,
            "MAILMAX" => self.transactions_max = value,
            _ => {}
        }
    }

    /// The lines that announce this, without the greeting.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let words = [
            (self.pipelining, "PIPELINING"),
            (self.eight_bit, "8BITMIME"),
            (self.smtputf8, "SMTPUTF8"),
            (self.chunking, "CHUNKING"),
            (self.enhanced_codes, "ENHANCEDSTATUSCODES"),
            (self.starttls, "STARTTLS"),
        ];
        let mut lines: Vec<String> = words
            .iter()
            .filter(|(offered, _)| *offered)
            .map(|(_, word)| (*word).to_owned())
            .collect();
        let mechanisms = [(self.auth_scram, MECHANISM), (self.auth_plain, "PLAIN")];
        let offered = mechanisms.iter().filter(|(offered, _)| *offered);
        let offered: Vec<&str> = offered.map(|(_, name)| *name).collect();
        if !offered.is_empty() {
            lines.push(format!("AUTH {}", offered.join(" ")));
        }
        lines.extend(self.size.map(|octets| format!("SIZE {octets}")));
        lines.extend(self.recipients_max.map(|n| format!("LIMITS RCPTMAX={n}")));
        if self.email2 {
            lines.push(capability::ehlo_line());
        }
        lines
    }

    /// What a server of ours offers on every connection, before TLS and AUTH are looked at.
    pub(crate) fn offered(size: u64) -> Self {
        Extensions {
            pipelining: true,
            eight_bit: true,
            smtputf8: true,
            chunking: true,
            enhanced_codes: true,
            size: Some(size),
            recipients_max: Some(limits::RECIPIENTS),
            ..Extensions::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_announced_is_understood() {
        let offered = Extensions {
            email2: true,
            starttls: true,
            auth_plain: true,
            auth_scram: true,
            ..Extensions::offered(77)
        };
        let mut lines = vec!["mx.example.org".to_owned()];
        lines.extend(offered.lines());
        assert_eq!(Extensions::parse(&lines), offered);
    }

    #[test]
    fn the_greeting_and_unknown_words_announce_nothing() {
        let lines = [
            "EMAIL2 1",
            "XSTARTTLS",
            "SIZE many",
            "LIMITS RCPTMAX=0",
            "AUTH LOGIN",
        ];
        let extensions = Extensions::parse(&lines.map(str::to_owned));
        let nothing = Extensions {
            size: Some(0),
            ..Extensions::default()
        };
        assert_eq!(extensions, nothing);
    }
}
