//! A DNS that says what a test wants.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use email2_io::dns::{Alias, Lookup, Mx, Srv, Tlsa};
use email2_io::{Answer, Dns, DnsError};
use futures::future::BoxFuture;

type Records<T> = Mutex<HashMap<String, Result<Answer<T>, DnsError>>>;

/// What is not said does not exist, unproved.
#[derive(Debug, Default)]
pub(crate) struct Zone {
    mx: Records<Mx>,
    srv: Records<Srv>,
    txt: Records<String>,
    tlsa: Records<Tlsa>,
    openpgpkey: Records<Vec<u8>>,
    addresses: Records<IpAddr>,
}

fn say<T>(records: &Records<T>, name: &str, what: Result<Answer<T>, DnsError>) {
    records.lock().unwrap().insert(name.to_owned(), what);
}

fn answer<T>(records: Vec<T>, secure: bool) -> Result<Answer<T>, DnsError> {
    Ok(Answer {
        records,
        secure,
        ttl: 60,
        alias: None,
    })
}

impl Zone {
    pub(crate) fn mx(&self, domain: &str, hosts: &[&str], secure: bool) {
        let records = hosts.iter().zip(1u16..).map(|(host, preference)| Mx {
            preference,
            exchange: (*host).to_owned(),
        });
        say(&self.mx, domain, answer(records.collect(), secure));
    }

    pub(crate) fn mx_fails(&self, domain: &str, error: DnsError) {
        say(&self.mx, domain, Err(error));
    }

    pub(crate) fn direct(&self, domain: &str, target: &str, port: u16) {
        let record = Srv {
            priority: 1,
            weight: 0,
            port,
            target: target.to_owned(),
        };
        say(
            &self.srv,
            &format!("_email2._tcp.{domain}"),
            answer(vec![record], false),
        );
    }

    pub(crate) fn record(&self, domain: &str, text: &str, secure: bool) {
        say(
            &self.txt,
            &format!("_email2.{domain}"),
            answer(vec![text.to_owned()], secure),
        );
    }

    pub(crate) fn record_fails(&self, domain: &str, error: DnsError) {
        say(&self.txt, &format!("_email2.{domain}"), Err(error));
    }

    pub(crate) fn mx_is_null(&self, domain: &str) {
        self.mx(domain, &[""], false);
    }

    pub(crate) fn direct_fails(&self, domain: &str, error: DnsError) {
        say(&self.srv, &format!("_email2._tcp.{domain}"), Err(error));
    }

    /// The record that says that there is an MTA-STS policy.
    pub(crate) fn policy(&self, domain: &str, id: &str) {
        let text = format!("v=STSv1; id={id};");
        let name = format!("_mta-sts.{domain}");
        say(&self.txt, &name, answer(vec![text], false));
    }

    pub(crate) fn policy_fails(&self, domain: &str, error: DnsError) {
        say(&self.txt, &format!("_mta-sts.{domain}"), Err(error));
    }

    pub(crate) fn tlsa(&self, name: &str, records: Vec<Tlsa>, secure: bool) {
        say(&self.tlsa, name, answer(records, secure));
    }

    pub(crate) fn tlsa_fails(&self, name: &str, error: DnsError) {
        say(&self.tlsa, name, Err(error));
    }

    pub(crate) fn openpgpkey(&self, name: &str, record: Vec<u8>, secure: bool) {
        say(&self.openpgpkey, name, answer(vec![record], secure));
    }

    pub(crate) fn host_fails(&self, name: &str, error: DnsError) {
        say(&self.addresses, name, Err(error));
    }

    pub(crate) fn hosts(&self, name: &str, addresses: &[IpAddr], secure: bool) {
        say(&self.addresses, name, answer(addresses.to_vec(), secure));
    }

    /// A host whose name stands for `target`; `secure`: the alias itself, and the whole of it.
    pub(crate) fn alias(
        &self,
        name: &str,
        target: &str,
        addresses: &[IpAddr],
        secure: (bool, bool),
    ) {
        let found = Ok(Answer {
            records: addresses.to_vec(),
            secure: secure.1,
            ttl: 60,
            alias: Some(Alias {
                target: target.to_owned(),
                secure: secure.0,
            }),
        });
        say(&self.addresses, name, found);
    }

    pub(crate) fn host(&self, name: &str, address: IpAddr) {
        say(&self.addresses, name, answer(vec![address], false));
    }
}

fn look_up<'a, T: Clone + Send + 'a>(records: &Records<T>, name: &str) -> Lookup<'a, T> {
    let absent = Err(DnsError::NxDomain { secure: false });
    let found = records.lock().unwrap().get(name).cloned().unwrap_or(absent);
    let ready: BoxFuture<'a, _> = Box::pin(async move { found });
    ready
}

impl Dns for Zone {
    fn mx<'a>(&'a self, domain: &'a str) -> Lookup<'a, Mx> {
        look_up(&self.mx, domain)
    }

    fn srv<'a>(&'a self, name: &'a str) -> Lookup<'a, Srv> {
        look_up(&self.srv, name)
    }

    fn txt<'a>(&'a self, name: &'a str) -> Lookup<'a, String> {
        look_up(&self.txt, name)
    }

    fn tlsa<'a>(&'a self, name: &'a str) -> Lookup<'a, Tlsa> {
        look_up(&self.tlsa, name)
    }

    fn openpgpkey<'a>(&'a self, name: &'a str) -> Lookup<'a, Vec<u8>> {
        look_up(&self.openpgpkey, name)
    }

    fn addresses<'a>(&'a self, host: &'a str) -> Lookup<'a, IpAddr> {
        look_up(&self.addresses, host)
    }
}
