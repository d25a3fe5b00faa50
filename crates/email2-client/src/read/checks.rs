//! What the reader's server found out about ordinary mail (SPF, DKIM and DMARC; RFC 8601), in words.
//! It tells which servers a message came by, and never who wrote it (spec §12.6.9).

use email2::Domain;

/// Octets of a message in which the server's field is sought: it is among the first.
const TOP: usize = 16 * 1024;
/// DKIM signatures that are told of, at most.
const SIGNATURES: usize = 4;

/// In words what the server's own field says. Only the field above the first `Received` is its own:
/// whoever sent the message cannot write there.
pub(super) fn words(message: &[u8]) -> Option<String> {
    let top = message.get(..TOP).unwrap_or(message);
    let text = String::from_utf8_lossy(top);
    let own = |line: &&str| !is_field(line, "received") && !line.is_empty();
    let mut lines = text.lines().take_while(own);
    lines.find(|line| is_field(line, "authentication-results"))?;
    let results = lines.take_while(|line| line.starts_with('\t'));
    Some(told(&results.filter_map(Found::read).collect::<Vec<_>>()))
}

fn is_field(line: &str, name: &str) -> bool {
    let found = line.split_once(':').map(|(found, _)| found.trim_end());
    found.is_some_and(|found| found.eq_ignore_ascii_case(name))
}

fn told(results: &[Found]) -> String {
    let line = |(name, method): (&str, &str)| {
        let found = results.iter().filter(|found| found.method == method);
        let words: Vec<String> = found.take(SIGNATURES).map(Found::words).collect();
        match words.is_empty() {
            true => format!("{name} none"),
            false => format!("{name} {}", words.join(", ")),
        }
    };
    let passed = |found: &&Found| found.method == "dmarc" && found.result == "pass";
    let domain = results
        .iter()
        .find(passed)
        .and_then(|found| found.domain.as_ref());
    let meaning = match domain {
        Some(domain) => format!("a server of {domain} sent it, whoever wrote it"),
        None => "nothing proves even the domain that it names".to_owned(),
    };
    let lines = [("SPF", "spf"), ("DKIM", "dkim"), ("DMARC", "dmarc")].map(line);
    format!("{}: {meaning}", lines.join("; "))
}

/// One result, a line of the field: `dkim=pass header.d=example.net`. Words of strangers stand
/// behind it, and never begin a line (spec §11.3.1).
struct Found {
    method: &'static str,
    result: &'static str,
    domain: Option<Domain>,
}

/// The methods that are told, and which property names the domain that was proved.
const METHODS: [(&str, &str); 3] = [("spf", ""), ("dkim", "header.d"), ("dmarc", "header.from")];
/// The results that there are (RFC 8601 §2.7); any other word is not repeated.
const RESULTS: [&str; 9] = [
    "pass",
    "fail",
    "softfail",
    "neutral",
    "none",
    "temperror",
    "permerror",
    "policy",
    "hardfail",
];

impl Found {
    fn read(line: &str) -> Option<Found> {
        let mut words = line.split_ascii_whitespace();
        let (method, result) = words.next()?.trim_end_matches(';').split_once('=')?;
        let &(method, property) = METHODS.iter().find(|(known, _)| *known == method)?;
        let &result = RESULTS.iter().find(|known| **known == result)?;
        let named = words.filter_map(|word| word.trim_end_matches(';').split_once('='));
        let mut named = named.filter(|(name, _)| *name == property);
        Some(Found {
            method,
            result,
            domain: named
                .next()
                .and_then(|(_, value)| Domain::parse(value).ok()),
        })
    }

    fn words(&self) -> String {
        match &self.domain {
            Some(domain) if self.result != "none" => format!("{} ({domain})", self.result),
            _ => self.result.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "Return-Path: <dora@example.net>\r\nDelivered-To: bob@example.org\r\n";
    const BELOW: &str = "Received: from mail.example.net\r\n by mx.example.org; now\r\n\
        Authentication-Results: mx.evil.example; dmarc=pass header.from=bank.example\r\n\
        From: Dora <dora@example.net>\r\n\r\nhi\r\n";

    fn words_of(results: &str) -> Option<String> {
        words(format!("{TRACE}{results}{BELOW}").as_bytes())
    }

    #[test]
    fn what_the_server_found_is_told_in_words() {
        let passed = "Authentication-Results: mx.example.org;\r\n\
            \tdkim=pass header.d=example.net header.s=s header.b=abc;\r\n\
            \tspf=pass (mx.example.org: domain of x designates 1) smtp.mailfrom=dora@example.net;\r\n\
            \tdmarc=pass header.from=example.net policy.dmarc=none\r\n";
        assert_eq!(
            words_of(passed).unwrap(),
            "SPF pass; DKIM pass (example.net); DMARC pass (example.net): \
             a server of example.net sent it, whoever wrote it"
        );
        let failed = "Authentication-Results: mx.example.org;\r\n\
            \tspf=softfail smtp.mailfrom=dora@example.net;\r\n\tdmarc=fail header.from=example.net\r\n";
        assert_eq!(
            words_of(failed).unwrap(),
            "SPF softfail; DKIM none; DMARC fail (example.net): \
             nothing proves even the domain that it names"
        );
    }

    #[test]
    fn nobody_elses_results_are_told() {
        assert_eq!(words_of(""), None, "the one below is the sender's");
        // The sender's words stand behind a result, whatever they are.
        let crafted = "Authentication-Results: mx.example.org;\r\n\
            \tspf=pass (mx: domain of \"x); dmarc=pass header.from=bank.example\"@evil.example) \
            smtp.mailfrom=\"x); dmarc=pass header.from=bank.example\"@evil.example;\r\n\
            \tdkim=VERIFIED header.d=bank.example\r\n";
        assert_eq!(
            words_of(crafted).unwrap(),
            "SPF pass; DKIM none; DMARC none: nothing proves even the domain that it names"
        );
    }
}
