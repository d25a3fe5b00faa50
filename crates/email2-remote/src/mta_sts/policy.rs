//! The policy's text (RFC 8461 §3.2), and which hosts it names (RFC 8461 §4.1).

use email2::{Domain, limits};

/// Patterns of hosts that a policy may have at most.
const PATTERNS: usize = 256;

/// What is to be done with a host that the policy does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Not to be delivered to.
    Enforce,
    /// To be delivered to, and reported.
    Testing,
    /// There is no policy.
    None,
}

impl Mode {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Enforce => "enforce",
            Mode::Testing => "testing",
            Mode::None => "none",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Mode::Enforce, Mode::Testing, Mode::None]
            .into_iter()
            .find(|mode| mode.as_str() == word)
    }
}

/// A policy as it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What it demands.
    pub mode: Mode,
    /// The hosts it names: names, or `*.` and a name; lower case.
    pub mx: Vec<String>,
    /// How long it holds after it was fetched, seconds.
    pub max_age: u32,
}

/// Why a text is no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It is not `version: STSv1`.
    #[error("the MTA-STS policy is not of version STSv1")]
    Version,
    /// There is no mode, or none that is known.
    #[error("the MTA-STS policy has no mode that is known")]
    Mode,
    /// There is no max_age that is a number.
    #[error("the MTA-STS policy has no max_age")]
    MaxAge,
    /// It names no host.
    #[error("the MTA-STS policy names no mx host")]
    NoHost,
    /// A line is none of `key: value`, or the text is too large.
    #[error("the MTA-STS policy is malformed")]
    Malformed,
}

impl Policy {
    /// Reads a policy. Of a key that stands twice the first counts, but for `mx`; unknown keys are
    /// ignored (RFC 8461 §3.2).
    ///
    /// # Errors
    /// As [`PolicyError`] says.
    pub fn parse(text: &str) -> Result<Policy, PolicyError> {
        let pairs = pairs(text)?;
        let first = |wanted: &str| {
            let mut fitting = pairs.iter().filter(|(key, _)| *key == wanted);
            fitting.next().map(|&(_, value)| value)
        };
        if first("version") != Some("STSv1") {
            return Err(PolicyError::Version);
        }
        let mode = first("mode").and_then(Mode::parse);
        let mode = mode.ok_or(PolicyError::Mode)?;
        let max_age = first("max_age").and_then(age).ok_or(PolicyError::MaxAge)?;
        let hosts = pairs.iter().filter(|(key, _)| *key == "mx");
        let mx: Vec<String> = hosts
            .map(|(_, host)| host.trim_end_matches('.').to_ascii_lowercase())
            .collect();
        match (mx.len(), mode) {
            (0, Mode::Enforce | Mode::Testing) => Err(PolicyError::NoHost),
            (count, _) if count > PATTERNS => Err(PolicyError::Malformed),
            _ => Ok(Policy { mode, mx, max_age }),
        }
    }

    /// The text of this policy, as it is kept.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("version: STSv1\nmode: {}\n", self.mode.as_str());
        for host in &self.mx {
            text.push_str(&format!("mx: {host}\n"));
        }
        text.push_str(&format!("max_age: {}\n", self.max_age));
        text
    }

    /// Both sides, when `host` of `domain` is none that the policy names.
    #[must_use]
    pub fn mismatch(&self, domain: &Domain, host: &str) -> String {
        let named = self.mx.join(", ");
        format!("the MTA-STS policy of {domain} names {named}, and not its mail host {host}")
    }

    /// Whether the policy names `host`; a `*` stands for exactly one label (RFC 8461 §4.1).
    #[must_use]
    pub fn names(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let parent = host.split_once('.').map(|(_, parent)| parent);
        self.mx
            .iter()
            .any(|pattern| match pattern.strip_prefix("*.") {
                Some(under) => parent == Some(under),
                None => *pattern == host,
            })
    }
}

/// At most ten digits, and at most a year (RFC 8461 §3.2).
fn age(digits: &str) -> Option<u32> {
    let is_number = digits.len() <= 10 && digits.bytes().all(|b| b.is_ascii_digit());
    let seconds: u64 = digits.parse().ok().filter(|_| is_number)?;
    u32::try_from(seconds.min(u64::from(limits::MTA_STS_AGE_MAX))).ok()
}

fn pairs(text: &str) -> Result<Vec<(&str, &str)>, PolicyError> {
    if text.len() > limits::LOOKUP_OCTETS {
        return Err(PolicyError::Malformed);
    }
    let lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
    let filled = lines.filter(|line| !line.trim().is_empty());
    filled
        .map(|line| {
            let (key, value) = line.split_once(':').ok_or(PolicyError::Malformed)?;
            Ok((key.trim(), value.trim()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n";

    #[test]
    fn a_policy_is_read() {
        let policy = Policy::parse(TEXT).unwrap();
        assert_eq!(policy.mode, Mode::Enforce);
        assert_eq!(policy.mx, ["mail.example.com", "*.example.net"]);
        assert_eq!(policy.max_age, 604_800);
        assert_eq!(Policy::parse(&policy.text()), Ok(policy));
    }

    #[test]
    fn a_star_is_one_label() {
        let policy = Policy::parse(TEXT).unwrap();
        assert!(policy.names("Mail.Example.COM."));
        assert!(policy.names("mx1.example.net"));
        for other in [
            "a.mx1.example.net",
            "example.net",
            "example.com",
            "x.mail.example.com",
        ] {
            assert!(!policy.names(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        let without = |line: &str| TEXT.replace(line, "");
        let cases = [
            (without("version: STSv1\r\n"), PolicyError::Version),
            (TEXT.replace("enforce", "strict"), PolicyError::Mode),
            (without("max_age: 604800\r\n"), PolicyError::MaxAge),
            (TEXT.replace("604800", "-1"), PolicyError::MaxAge),
            (TEXT.replace("604800", "99999999999"), PolicyError::MaxAge),
            (TEXT.replace("mx:", "host:"), PolicyError::NoHost),
            ("<html>\n".to_owned(), PolicyError::Malformed),
        ];
        for (text, error) in cases {
            assert_eq!(Policy::parse(&text), Err(error), "{text}");
        }
        let year = TEXT.replace("604800", "9999999999");
        let bounded = Policy::parse(&year).map(|policy| policy.max_age);
        assert_eq!(bounded, Ok(limits::MTA_STS_AGE_MAX));
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_read_the_same_again(text in "(version: STSv1\r?\n)?(mode: (enforce|none|x)\n|mx: [a-z*.]{0,9}\n|max_age: [0-9-]{0,12}\n|[ -~]{0,20}\n){0,8}") {
            if let Ok(policy) = Policy::parse(&text) {
                prop_assert_eq!(Policy::parse(&policy.text()), Ok(policy));
            }
        }

        #[test]
        fn no_text_breaks_the_reader(text in any::<String>(), host in any::<String>()) {
            if let Ok(policy) = Policy::parse(&format!("{TEXT}{text}")) {
                let _ = policy.names(&host);
            }
        }
    }
}
