//! A new pair of keys signs as soon as everybody can find its records (spec §13.5.3).

use email2_io::dns::Dns;

use crate::dkim_key::{self, DkimKeyError, Pair, Standing};
use crate::site::Site;

/// Takes the pairs that wait into use whose records stand in the DNS.
pub(crate) async fn activate_published(site: &Site) {
    for domain in &site.config.domains {
        if let Err(error) = look(site, &domain.name).await {
            tracing::warn!(domain = %domain.name, %error, "the keys of DKIM cannot be looked at");
        }
    }
}

async fn look(site: &Site, domain: &email2::address::Domain) -> Result<(), DkimKeyError> {
    let data = &site.config.data_directory;
    let pairs = dkim_key::pairs(data, domain)?;
    let waiting = pairs.iter().find(|pair| pair.standing == Standing::Waiting);
    let Some(waiting) = waiting else {
        return Ok(());
    };
    if is_published(&*site.world.dns, waiting).await {
        dkim_key::activate(data, domain)?;
        tracing::info!(%domain, pair = waiting.number, "its new keys of DKIM sign from now on");
    }
    Ok(())
}

/// Do all records of a pair stand in the DNS?
async fn is_published(dns: &dyn Dns, pair: &Pair) -> bool {
    for record in &pair.records {
        match dns.txt(&record.name).await {
            Ok(found) if record.is(&found.records) => {}
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use email2_io::dns::{Answer, DnsError, Lookup, Mx, Srv, Tlsa};

    use super::*;
    use crate::dkim_key::DkimRecord;

    /// Knows texts by name, and nothing else.
    #[derive(Debug)]
    struct Texts(Vec<(String, String)>);

    fn nothing<'a, T: Send + 'a>() -> Lookup<'a, T> {
        Box::pin(async { Err(DnsError::NoData { secure: false }) })
    }

    impl Dns for Texts {
        fn mx<'a>(&'a self, _: &'a str) -> Lookup<'a, Mx> {
            nothing()
        }
        fn srv<'a>(&'a self, _: &'a str) -> Lookup<'a, Srv> {
            nothing()
        }
        fn txt<'a>(&'a self, name: &'a str) -> Lookup<'a, String> {
            let known = self.0.iter().filter(move |(known, _)| known == name);
            let records: Vec<String> = known.map(|(_, text)| text.clone()).collect();
            if records.is_empty() {
                return nothing();
            }
            let answer = Answer {
                records,
                secure: false,
                ttl: 1,
                alias: None,
            };
            Box::pin(async { Ok(answer) })
        }
        fn tlsa<'a>(&'a self, _: &'a str) -> Lookup<'a, Tlsa> {
            nothing()
        }
        fn openpgpkey<'a>(&'a self, _: &'a str) -> Lookup<'a, Vec<u8>> {
            nothing()
        }
        fn addresses<'a>(&'a self, _: &'a str) -> Lookup<'a, IpAddr> {
            nothing()
        }
    }

    #[tokio::test]
    async fn a_pair_is_published_when_both_records_stand_there_alone() {
        let record = |name: &str, text: &str| DkimRecord {
            name: name.to_owned(),
            text: text.to_owned(),
        };
        let pair = Pair {
            number: 2,
            standing: Standing::Waiting,
            records: vec![
                record("a", "v=DKIM1; k=ed25519; p=AA"),
                record("b", "v=DKIM1; k=rsa; p=BB"),
            ],
        };
        let text = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let mut texts = Texts(vec![text("a", "v=DKIM1;k=ed25519;p=A A")]);
        assert!(!is_published(&texts, &pair).await);
        texts.0.push(text("b", "v=DKIM1; k=rsa; p=CC"));
        assert!(!is_published(&texts, &pair).await);
        texts.0[1] = text("b", "v=DKIM1; k=rsa; p=BB");
        assert!(is_published(&texts, &pair).await);
        texts.0.push(text("b", "v=DKIM1; k=rsa; p=CC"));
        assert!(!is_published(&texts, &pair).await, "two keys are none");
    }
}
