//! The MTA-STS policy of a domain served here, made from its configuration (RFC 8461 §3.2).

use email2::address::Domain;
use sha2::{Digest, Sha256};

use super::{Reply, TEXT};
use crate::config::{DomainConfig, MtaSts};

/// Where the policy stands on its host (RFC 8461 §3.3).
pub(super) const PATH: &str = "/.well-known/mta-sts.txt";

/// How long others may keep a policy, seconds: one week, so that a mistake is not for months.
const MAX_AGE: u32 = 7 * 86_400;
/// Hexadecimal digits of an id; at most 32 (RFC 8461 §3.1).
const ID_DIGITS: usize = 20;

/// Answers with the policy of a domain that has one.
pub(super) fn answer(hostname: &Domain, domain: &DomainConfig) -> Reply {
    match domain.mta_sts {
        Some(mode) => Reply::File(TEXT, policy(hostname, mode).into_bytes()),
        None => Reply::Nothing,
    }
}

/// The mail exchanger is this host.
fn policy(hostname: &Domain, mode: MtaSts) -> String {
    format!(
        "version: STSv1\r\nmode: {mode}\r\nmx: {hostname}\r\nmax_age: {MAX_AGE}\r\n",
        mode = mode.as_str(),
    )
}

/// The `id` of the policy's record: another one when the policy is another (RFC 8461 §3.1).
pub(crate) fn policy_id(hostname: &Domain, mode: MtaSts) -> String {
    let digest = Sha256::digest(policy(hostname, mode));
    let digits = digest.iter().map(|octet| format!("{octet:02x}"));
    digits.collect::<String>().chars().take(ID_DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_this_host_and_its_id_follows_it() {
        let host = Domain::parse("mail.example.org").unwrap();
        let enforced = policy(&host, MtaSts::Enforce);
        assert_eq!(
            enforced,
            "version: STSv1\r\nmode: enforce\r\nmx: mail.example.org\r\nmax_age: 604800\r\n"
        );
        let id = policy_id(&host, MtaSts::Enforce);
        assert_eq!(id.len(), ID_DIGITS);
        assert!(id.bytes().all(|octet| octet.is_ascii_alphanumeric()));
        assert_ne!(id, policy_id(&host, MtaSts::Testing));
    }
}
