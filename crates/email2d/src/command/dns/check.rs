//! What stands in the DNS, compared with what should.

use std::net::IpAddr;

use email2::policy_record::PolicyRecord;
use email2_io::dns::{Answer, Dns, DnsError, Tlsa};
use email2_io::tls::Pinned;
use email2_remote::dane;

use super::record::{Data, Record};

/// What was found in place of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It says what it should.
    Present,
    /// There is none.
    Missing,
    /// There is another one: what stands there.
    Differs(Vec<String>),
    /// The DNS did not answer.
    Unknown(DnsError),
}

impl State {
    /// The word for it.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            State::Present => "present",
            State::Missing => "missing",
            State::Differs(_) => "differs",
            State::Unknown(_) => "unknown",
        }
    }
}

/// Asks for one record. `None` for a pin where DNSSEC does not sign the zone: it counts for
/// nothing there. `certificate` is the one that is shown for the host.
pub(super) async fn state(
    dns: &dyn Dns,
    record: &Record,
    certificate: Option<&[u8]>,
) -> Option<State> {
    let name = record.name.as_str();
    Some(match &record.data {
        Data::Mx(host) => compare(dns.mx(name).await, |found| {
            let hosts = found.iter().map(|mx| mx.exchange.clone()).collect();
            one_of(hosts, |one| one == host)
        }),
        Data::Address(wanted) => compare(dns.addresses(name).await, |found| {
            let (addresses, wanted) = (words(found), wanted.map(|one| one.to_string()));
            one_of(addresses, |one| wanted.as_ref().is_none_or(|it| it == one))
        }),
        Data::Alias(host) => alias(dns, name, host).await,
        Data::Text(wanted) => compare(dns.txt(name).await, |found| text(wanted, found)),
        Data::Service(port, host) => compare(dns.srv(name).await, |found| {
            let places = found
                .iter()
                .map(|srv| format!("{} {}", srv.port, srv.target));
            let wanted = format!("{port} {host}");
            one_of(places.collect(), |one| *one == wanted)
        }),
        Data::Pin(_) => return pin(dns.tlsa(name).await, certificate?),
    })
}

fn compare<T>(found: Result<Answer<T>, DnsError>, state: impl Fn(&[T]) -> State) -> State {
    match found {
        Ok(answer) => state(&answer.records),
        Err(error) if error.is_absence() => State::Missing,
        Err(error) => State::Unknown(error),
    }
}

fn words(addresses: &[IpAddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

fn one_of(found: Vec<String>, is_it: impl Fn(&String) -> bool) -> State {
    match found.iter().any(is_it) {
        true => State::Present,
        false => State::Differs(found),
    }
}

/// Addresses of its own are as good as an alias, while they are those of the host.
async fn alias(dns: &dyn Dns, name: &str, host: &str) -> State {
    let hosts = match dns.addresses(host).await {
        Ok(answer) => answer.records,
        Err(error) if error.is_absence() => Vec::new(),
        Err(error) => return State::Unknown(error),
    };
    compare(dns.addresses(name).await, |found| {
        match found.iter().all(|one| hosts.contains(one)) {
            true => State::Present,
            false => State::Differs(words(found)),
        }
    })
}

/// Of several texts at a name, those of the same version are meant; two of them count for none.
fn text(wanted: &str, found: &[String]) -> State {
    let version = version(wanted);
    let same: Vec<String> = found
        .iter()
        .filter(|text| self::version(text).eq_ignore_ascii_case(version))
        .cloned()
        .collect();
    match same.as_slice() {
        [] => State::Missing,
        [one] if means(wanted, one) => State::Present,
        _ => State::Differs(same),
    }
}

/// `v=DKIM1`, for example.
fn version(text: &str) -> &str {
    text.split([';', ' ']).next().unwrap_or_default()
}

/// Do both say the same? Order and blanks say nothing; nor does the `id` of a policy record, which
/// changes when its owner wants.
fn means(wanted: &str, found: &str) -> bool {
    if let (Ok(wanted), Ok(found)) = (PolicyRecord::parse(wanted), PolicyRecord::parse(found)) {
        return (wanted.p, wanted.for_subdomains(), wanted.ma)
            == (found.p, found.for_subdomains(), found.ma);
    }
    let tags = |text: &str| {
        let tags = text.split(';').map(|tag| {
            let octets = tag.chars().filter(|c| !c.is_whitespace());
            octets.collect::<String>()
        });
        let mut tags: Vec<String> = tags.filter(|tag| !tag.is_empty()).collect();
        tags.sort_unstable();
        tags
    };
    tags(wanted) == tags(found)
}

/// One that names another certificate keeps mail away, where DNSSEC signs it.
fn pin(found: Result<Answer<Tlsa>, DnsError>, certificate: &[u8]) -> Option<State> {
    match found {
        Ok(answer) if !answer.secure => None,
        Ok(answer) => Some(match dane::judge(&answer.records, &[certificate]) {
            Pinned::Mismatch(_) => {
                let shown = answer
                    .records
                    .into_iter()
                    .map(|pin| Data::Pin(pin).to_string());
                State::Differs(shown.collect())
            }
            _ => State::Present,
        }),
        Err(error) if error.is_secure_absence() => Some(State::Missing),
        Err(error) if error.is_absence() => None,
        Err(error) => Some(State::Unknown(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_by_what_they_say() {
        let found = |texts: &[&str]| texts.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
        let wanted = "v=EMAIL2; p=open; sp=open; id=1";
        let several = found(&["v=spf1 -all", "v=EMAIL2;p=open; id=20251124"]);
        assert_eq!(text(wanted, &several), State::Present);
        assert_eq!(text(wanted, &found(&["v=spf1 -all"])), State::Missing);
        let strict = found(&["v=EMAIL2; p=strict; sp=open"]);
        assert_eq!(text(wanted, &strict), State::Differs(strict.clone()));
        let twice = found(&[wanted, wanted]);
        assert_eq!(text(wanted, &twice), State::Differs(twice.clone()));
        let key = found(&["v=DKIM1;k=ed25519;  p=AAAA BBBB"]);
        assert_eq!(text("v=DKIM1; k=ed25519; p=AAAABBBB", &key), State::Present);
        assert_eq!(
            text("v=DKIM1; k=ed25519; p=AAAA", &key),
            State::Differs(key.clone())
        );
    }
}
