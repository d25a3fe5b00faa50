//! DNS of a simulation: what is published, and what a question meets on its way.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use email2_io::dns::{Answer, Dns, DnsError, Lookup, Mx, Srv, Tlsa};

use super::dice::Dice;
use super::time::SimTime;
use super::trace::Trace;
use super::weather::{NameFate, Weather};

/// How long an answer takes.
const ANSWER: Duration = Duration::from_millis(20);
/// How long one waits for an answer that does not come.
const NO_ANSWER: Duration = Duration::from_secs(5);
/// How long answers may be kept, seconds.
const TTL: u32 = 300;
/// Where lies lead: the host of somebody who would like to have the mail.
pub const LIAR: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 66));
/// Its name.
pub const LIAR_NAME: &str = "mx.liar.example";

/// Everything that is published.
#[derive(Clone, Debug, Default)]
pub struct Records {
    mx: BTreeMap<String, Vec<Mx>>,
    srv: BTreeMap<String, Vec<Srv>>,
    txt: BTreeMap<String, Vec<String>>,
    addresses: BTreeMap<String, Vec<IpAddr>>,
    secure: Vec<String>,
}

impl Records {
    /// Publishes a domain with one host at `ip`, as email2d's quickstart would have it.
    pub fn publish(&mut self, domain: &str, ip: IpAddr, services: &[(&str, u16)]) {
        let host = format!("mx.{domain}");
        let mx = Mx {
            preference: 10,
            exchange: host.clone(),
        };
        self.mx.insert(domain.to_owned(), vec![mx]);
        self.addresses.insert(host.clone(), vec![ip]);
        let record = "v=EMAIL2; p=strict; id=1".to_owned();
        self.txt.insert(format!("_email2.{domain}"), vec![record]);
        for (service, port) in services {
            let srv = Srv {
                priority: 0,
                weight: 0,
                port: *port,
                target: host.clone(),
            };
            self.srv.insert(format!("{service}.{domain}"), vec![srv]);
        }
    }

    /// Publishes a domain of ordinary mail, with one host at `ip`.
    pub fn publish_ordinary(&mut self, domain: &str, ip: IpAddr) {
        let host = format!("mail.{domain}");
        let mx = Mx {
            preference: 10,
            exchange: host.clone(),
        };
        self.mx.insert(domain.to_owned(), vec![mx]);
        self.addresses.insert(host, vec![ip]);
    }

    /// Publishes the liar's host.
    pub fn publish_liar(&mut self) {
        self.addresses.insert(LIAR_NAME.to_owned(), vec![LIAR]);
    }

    /// Signs a domain: from here on nobody can lie about it.
    pub fn sign(&mut self, domain: &str) {
        self.secure.push(domain.to_owned());
    }

    fn is_secure(&self, name: &str) -> bool {
        let holds = |domain: &String| {
            name.strip_suffix(domain.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.secure.iter().any(holds)
    }
}

/// DNS as one simulation has it; clones are the same.
#[derive(Clone, Debug)]
pub struct SimDns {
    records: Arc<Records>,
    time: SimTime,
    trace: Trace,
    weather: Arc<Weather>,
    dice: Arc<Mutex<Dice>>,
}

impl SimDns {
    /// DNS that answers from `records`, in this weather.
    #[must_use]
    pub fn new(
        seed: u64,
        records: Arc<Records>,
        time: SimTime,
        trace: Trace,
        weather: Weather,
    ) -> SimDns {
        SimDns {
            records,
            time,
            trace,
            weather: Arc::new(weather),
            dice: Arc::new(Mutex::new(Dice::new(seed, "names"))),
        }
    }

    /// Asks: `truth` is what is published, `lie` what a liar would have one believe.
    fn ask<'a, T: Clone + Send + Sync + 'a>(
        &'a self,
        kind: &'static str,
        name: &'a str,
        truth: Option<&'a Vec<T>>,
        lie: Option<T>,
    ) -> Lookup<'a, T> {
        Box::pin(async move {
            let secure = self.records.is_secure(name);
            let fate = {
                let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
                self.weather.name_fate(&mut dice, self.time.now())
            };
            let is_timeout = fate == NameFate::Timeout;
            let wait = if is_timeout { NO_ANSWER } else { ANSWER };
            self.time.until(self.time.now() + wait).await;
            self.trace.note(format_args!("{kind} {name}: {fate:?}"));
            let answer = |records| Answer {
                records,
                secure,
                ttl: TTL,
                alias: None,
            };
            match (fate, truth) {
                (NameFate::Timeout, _) => Err(DnsError::Timeout),
                (NameFate::ServFail, _) => Err(DnsError::ServFail),
                (NameFate::Bogus, _) => Err(DnsError::Bogus),
                (NameFate::Lie, _) if !secure => match lie {
                    Some(lie) => Ok(answer(vec![lie])),
                    None => Err(DnsError::NoData { secure: false }),
                },
                (_, Some(records)) => Ok(answer(records.clone())),
                (_, None) => Err(DnsError::NoData { secure }),
            }
        })
    }
}

impl Dns for SimDns {
    fn mx<'a>(&'a self, domain: &'a str) -> Lookup<'a, Mx> {
        let lie = Mx {
            preference: 1,
            exchange: LIAR_NAME.to_owned(),
        };
        self.ask("MX", domain, self.records.mx.get(domain), Some(lie))
    }

    fn srv<'a>(&'a self, name: &'a str) -> Lookup<'a, Srv> {
        self.ask("SRV", name, self.records.srv.get(name), None)
    }

    fn txt<'a>(&'a self, name: &'a str) -> Lookup<'a, String> {
        self.ask("TXT", name, self.records.txt.get(name), None)
    }

    fn tlsa<'a>(&'a self, name: &'a str) -> Lookup<'a, Tlsa> {
        self.ask("TLSA", name, None, None)
    }

    fn openpgpkey<'a>(&'a self, name: &'a str) -> Lookup<'a, Vec<u8>> {
        self.ask("OPENPGPKEY", name, None, None)
    }

    fn addresses<'a>(&'a self, host: &'a str) -> Lookup<'a, IpAddr> {
        self.ask("A", host, self.records.addresses.get(host), Some(LIAR))
    }
}
