//! The resolver behind [`Dns`]: hickory, with DNSSEC validated here.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError as HickoryDnsError, NetError, NoRecords};
use hickory_resolver::proto::dnssec::{Proof, TrustAnchors};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::failures::FailureCache;
use super::{Alias, Answer, Dns, DnsError, Lookup, Mx, Srv, Tlsa};
use crate::clock::{Clock, within};
use crate::world::{NetworkConfig, WorldError};

/// How long one server is waited for.
const SERVER_LIMIT: Duration = Duration::from_secs(3);

/// How long one lookup may take with all its retries and validation.
const LOOKUP_LIMIT: Duration = Duration::from_secs(9);

/// Records of one answer that are looked at; the rest is not needed and not kept.
const RECORDS: usize = 64;

/// Octets of one TXT record that are looked at.
const TXT_OCTETS: usize = 4096;

/// Answers kept by hickory.
const CACHED_ANSWERS: u64 = 4096;

/// DNS by the configured or the system's resolvers, validated here.
#[derive(Debug)]
pub struct ResolverDns {
    resolver: TokioResolver,
    clock: Arc<dyn Clock>,
    failures: FailureCache,
}

impl ResolverDns {
    /// A resolver as `config` says. An anchor file without any key turns validation off: every
    /// answer is insecure then.
    ///
    /// # Errors
    /// The trust anchor or the system's configuration cannot be read.
    pub fn new(config: &NetworkConfig, clock: Arc<dyn Clock>) -> Result<Self, WorldError> {
        let anchors = match &config.dnssec_anchor {
            Some(path) => read_anchors(path)?,
            None => Some(TrustAnchors::default()),
        };
        let unusable = |error: NetError| WorldError::Resolver(error.to_string());
        let mut builder = if config.dns.is_empty() {
            TokioResolver::builder_tokio().map_err(unusable)?
        } else {
            let servers = config.dns.iter().copied().map(name_server).collect();
            let servers = ResolverConfig::from_name_servers(servers);
            TokioResolver::builder_with_config(servers, TokioRuntimeProvider::default())
        };
        set_options(builder.options_mut(), anchors.is_some());
        if let Some(anchors) = anchors {
            builder = builder.with_trust_anchor(Arc::new(anchors));
        }
        Ok(ResolverDns {
            resolver: builder.build().map_err(unusable)?,
            failures: FailureCache::new(Arc::clone(&clock)),
            clock,
        })
    }

    async fn look_up<T>(
        &self,
        name: &str,
        kind: RecordType,
        pick: impl Fn(&RData) -> Option<T>,
    ) -> Result<Answer<T>, DnsError> {
        let key = (name.to_ascii_lowercase(), kind.into());
        if let Some(error) = self.failures.remembered(&key) {
            return Err(error);
        }
        let found = within(&*self.clock, LOOKUP_LIMIT, self.ask(name, kind))
            .await
            .unwrap_or(Err((DnsError::Timeout, None)))
            .and_then(|records| answer(name, &records, pick).ok_or((DnsError::ServFail, None)));
        match found {
            Ok(answer) => {
                self.failures.worked(&key);
                Ok(answer)
            }
            Err((error, ttl)) => Err(self.failures.failed(key, error, ttl)),
        }
    }

    async fn ask(&self, name: &str, kind: RecordType) -> Result<Vec<Record>, Failure> {
        let Some(name) = qualified(name) else {
            return Err((DnsError::NxDomain { secure: false }, None));
        };
        match self.resolver.lookup(name, kind).await {
            Ok(lookup) => Ok(lookup.answers().to_vec()),
            Err(error) if self.goes_on(&error).await => Err((DnsError::ServFail, None)),
            Err(error) => Err(failure(&error)),
        }
    }

    /// Whether the name that is said to have nothing is an alias: one of more than 8 in a row, or
    /// of a circle, which hickory gives up as if it ended there (R02). Whoever says properly that
    /// there is nothing says so with the zone's SOA (RFC 2308 §2.2).
    async fn goes_on(&self, error: &NetError) -> bool {
        let NetError::Dns(HickoryDnsError::NoRecordsFound(absent)) = error else {
            return false;
        };
        if absent.response_code != ResponseCode::NoError || absent.soa.is_some() {
            return false;
        }
        let end = absent.query.name().clone();
        match self.resolver.lookup(end, RecordType::CNAME).await {
            Ok(_) => true,
            Err(NetError::Dns(HickoryDnsError::NoRecordsFound(_))) => false,
            Err(_) => true,
        }
    }
}

impl Dns for ResolverDns {
    fn mx<'a>(&'a self, domain: &'a str) -> Lookup<'a, Mx> {
        Box::pin(self.look_up(domain, RecordType::MX, |data| match data {
            RData::MX(mx) => Some(Mx {
                preference: mx.preference,
                exchange: host(&mx.exchange),
            }),
            _ => None,
        }))
    }

    fn srv<'a>(&'a self, name: &'a str) -> Lookup<'a, Srv> {
        Box::pin(self.look_up(name, RecordType::SRV, |data| match data {
            RData::SRV(srv) => Some(Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: host(&srv.target),
            }),
            _ => None,
        }))
    }

    fn txt<'a>(&'a self, name: &'a str) -> Lookup<'a, String> {
        Box::pin(self.look_up(name, RecordType::TXT, |data| match data {
            RData::TXT(txt) => {
                let octets = txt.txt_data.concat();
                let kept = octets.get(..TXT_OCTETS).unwrap_or(&octets);
                Some(String::from_utf8_lossy(kept).into_owned())
            }
            _ => None,
        }))
    }

    fn tlsa<'a>(&'a self, name: &'a str) -> Lookup<'a, Tlsa> {
        Box::pin(self.look_up(name, RecordType::TLSA, |data| match data {
            RData::TLSA(tlsa) => Some(Tlsa {
                usage: tlsa.cert_usage.into(),
                selector: tlsa.selector.into(),
                matching: tlsa.matching.into(),
                data: tlsa.cert_data.clone(),
            }),
            _ => None,
        }))
    }

    fn openpgpkey<'a>(&'a self, name: &'a str) -> Lookup<'a, Vec<u8>> {
        Box::pin(
            self.look_up(name, RecordType::OPENPGPKEY, |data| match data {
                RData::OPENPGPKEY(key) => Some(key.public_key.clone()),
                _ => None,
            }),
        )
    }

    fn resolver(&self) -> Option<TokioResolver> {
        Some(self.resolver.clone())
    }

    fn addresses<'a>(&'a self, host: &'a str) -> Lookup<'a, IpAddr> {
        Box::pin(async move {
            let six = self.look_up(host, RecordType::AAAA, |data| match data {
                RData::AAAA(six) => Some(IpAddr::V6(six.0)),
                _ => None,
            });
            let four = self.look_up(host, RecordType::A, |data| match data {
                RData::A(four) => Some(IpAddr::V4(four.0)),
                _ => None,
            });
            let (six, four) = futures::join!(six, four);
            both_families(six, four)
        })
    }
}

/// One family that fails does not spoil the other; if neither answers, a failure outweighs an
/// absence: nothing is absent while a part of the answer is missing (spec §2.3.3).
fn both_families(
    six: Result<Answer<IpAddr>, DnsError>,
    four: Result<Answer<IpAddr>, DnsError>,
) -> Result<Answer<IpAddr>, DnsError> {
    match (six, four) {
        (Ok(mut six), Ok(four)) => {
            six.records.extend(four.records);
            six.secure &= four.secure;
            six.ttl = six.ttl.min(four.ttl);
            six.alias = six.alias.or(four.alias);
            Ok(six)
        }
        (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(one),
        (Err(six), Err(four)) if six.is_absence() => Err(four),
        (Err(six), Err(_)) => Err(six),
    }
}

/// Why nothing was found, and how long that may be kept (seconds, by the zone's SOA).
type Failure = (DnsError, Option<u32>);

fn failure(error: &NetError) -> Failure {
    match error {
        NetError::Timeout => (DnsError::Timeout, None),
        NetError::Dns(HickoryDnsError::NoRecordsFound(absent)) => absence(absent),
        NetError::Dns(HickoryDnsError::DnssecBogus) => (DnsError::Bogus, None),
        NetError::Dns(HickoryDnsError::Nsec {
            response, proof, ..
        }) => match proof {
            Proof::Insecure if response.answers.is_empty() => {
                (absent(response.response_code, false), None)
            }
            Proof::Insecure => (DnsError::ServFail, None),
            _ => (DnsError::Bogus, None),
        },
        _ => (DnsError::ServFail, None),
    }
}

fn absence(found: &NoRecords) -> Failure {
    let code = found.response_code;
    if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return (DnsError::ServFail, None);
    }
    let ttl = found.soa.as_ref().map(|soa| soa.ttl.min(soa.data.minimum));
    (absent(code, proves(found)), ttl)
}

fn absent(code: ResponseCode, secure: bool) -> DnsError {
    match code {
        ResponseCode::NXDomain => DnsError::NxDomain { secure },
        _ => DnsError::NoData { secure },
    }
}

/// A denial is secure when it carries NSEC or NSEC3 records and all of them are: hickory has
/// checked that they deny this name, else it would have said bogus.
fn proves(found: &NoRecords) -> bool {
    let denials = || {
        let records = found.authorities.iter().flat_map(|records| records.iter());
        records
            .filter(|record| matches!(record.record_type(), RecordType::NSEC | RecordType::NSEC3))
    };
    denials().next().is_some() && denials().all(|record| record.proof == Proof::Secure)
}

/// The records picked; `None` when not one is of the kind asked for.
fn answer<T>(
    asked: &str,
    records: &[Record],
    pick: impl Fn(&RData) -> Option<T>,
) -> Option<Answer<T>> {
    let signatures = |record: &&Record| record.record_type() != RecordType::RRSIG;
    let secure = records
        .iter()
        .filter(signatures)
        .all(|record| record.proof == Proof::Secure);
    let picked: Vec<T> = records
        .iter()
        .filter_map(|record| pick(&record.data))
        .take(RECORDS)
        .collect();
    if picked.is_empty() {
        return None;
    }
    Some(Answer {
        records: picked,
        secure,
        ttl: records.iter().map(|record| record.ttl).min().unwrap_or(0),
        alias: alias(asked, records, |record| pick(&record.data).is_some()),
    })
}

/// What `asked` stands for, where it is an alias of the records that `answer` picks.
fn alias(asked: &str, records: &[Record], answer: impl Fn(&Record) -> bool) -> Option<Alias> {
    let asked = host(&qualified(asked)?);
    let own = records
        .iter()
        .find(|record| record.record_type() == RecordType::CNAME && host(&record.name) == asked)?;
    let end = records.iter().find(|record| answer(record))?;
    Some(Alias {
        target: host(&end.name),
        secure: own.proof == Proof::Secure,
    })
}

/// The name as DNS wants it; `None` when no such name can exist.
fn qualified(name: &str) -> Option<Name> {
    let mut name = Name::from_ascii(name).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// A host name as this crate writes it: lower case, without the last dot, the root empty.
fn host(name: &Name) -> String {
    let text = name.to_lowercase().to_ascii();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let at = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())];
    NameServerConfig::new(address.ip(), true, connections)
}

fn set_options(options: &mut ResolverOpts, validate: bool) {
    options.validate = validate;
    options.timeout = SERVER_LIMIT;
    options.cache_size = CACHED_ANSWERS;
    options.use_hosts_file = ResolveHosts::Never;
    options.try_tcp_on_error = true;
    options.case_randomization = true;
}

/// The keys in the file; `None` when there are none.
fn read_anchors(path: &Path) -> Result<Option<TrustAnchors>, WorldError> {
    let text = std::fs::read_to_string(path).map_err(|error| WorldError::File {
        path: path.to_owned(),
        error,
    })?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    TrustAnchors::from_str(&text)
        .map(Some)
        .map_err(|error| WorldError::Content {
            path: path.to_owned(),
            reason: format!("not a list of DNSKEY records: {error}"),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(address: &str, secure: bool) -> Answer<IpAddr> {
        Answer {
            records: vec![address.parse().unwrap()],
            secure,
            ttl: 60,
            alias: None,
        }
    }

    #[test]
    fn one_family_is_enough_and_a_failure_is_no_absence() {
        let none = DnsError::NoData { secure: true };
        let six = found("2001:db8::1", true);
        assert_eq!(both_families(Ok(six.clone()), Err(none)), Ok(six.clone()));
        let both = both_families(Ok(six), Ok(found("192.0.2.1", false))).unwrap();
        assert_eq!((both.records.len(), both.secure), (2, false));
        let failed = Err(DnsError::ServFail);
        assert_eq!(both_families(Err(none), failed.clone()), failed);
        assert_eq!(both_families(failed.clone(), Err(none)), failed);
    }

    #[test]
    fn names_lose_their_case_and_last_dot() {
        assert_eq!(
            host(&qualified("Mail.Example.ORG").unwrap()),
            "mail.example.org"
        );
        assert_eq!(host(&Name::root()), "");
        assert_eq!(qualified("a..b"), None);
    }

    #[test]
    fn an_empty_anchor_file_turns_validation_off() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(read_anchors(file.path()).unwrap().is_none());
        std::fs::write(file.path(), "nonsense\n").unwrap();
        assert!(read_anchors(file.path()).is_err());
    }
}
