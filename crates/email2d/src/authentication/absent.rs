//! Names that have no record, as our own resolver remembers them (RFC 2308): what the library asks
//! by itself remembers no absence, and would go out again with every message.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::Hash;
use std::time::Instant;

use email2::limits;
use email2_io::Dns;
use futures::future::join_all;
use mail_auth::{DnsError, Error, ResolverCache, Txt};

/// Names without a text record, with their last dot.
#[derive(Debug, Default)]
pub(super) struct Absent(HashSet<Box<str>>);

impl Absent {
    /// Looks all of `names` up at once.
    pub(super) async fn among(dns: &dyn Dns, names: Vec<String>) -> Absent {
        let asked = names.iter().map(|name| async move {
            let found = dns.txt(name).await;
            let absent = found.is_err_and(|error| error.is_absence());
            absent.then(|| format!("{name}.").into_boxed_str())
        });
        Absent(join_all(asked).await.into_iter().flatten().collect())
    }
}

/// Nothing is kept from one message to the next: a record that was read as one kind would be taken
/// for no record where another kind is looked for.
impl ResolverCache<Box<str>, Txt> for Absent {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let absent = || Txt::Error(Error::Dns(DnsError::InvalidRecordType));
        self.0.contains(name).then(absent)
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

/// Where the policy of `domain` is looked for (RFC 9989 §4.10): there, and upwards.
pub(super) fn policies(domain: &str) -> Vec<String> {
    let labels: Vec<&str> = domain.split('.').collect();
    let most = limits::TREE_WALK_QUESTIONS - 1;
    let upwards = 1.max(labels.len().saturating_sub(most))..labels.len();
    let names = std::iter::once(0).chain(upwards);
    let names = names.filter_map(|from| Some(labels.get(from..)?.join(".")));
    names.map(|name| format!("_dmarc.{name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_looked_for_up_to_the_top() {
        assert_eq!(
            policies("mail.example.org"),
            [
                "_dmarc.mail.example.org",
                "_dmarc.example.org",
                "_dmarc.org"
            ]
        );
        let long = policies("a.b.c.d.e.f.g.h.i.example.org");
        assert_eq!(long.len(), limits::TREE_WALK_QUESTIONS);
        assert_eq!(long[1], "_dmarc.e.f.g.h.i.example.org");
    }

    #[test]
    fn only_what_is_absent_is_answered() {
        let absent = Absent(HashSet::from(["_dmarc.org.".into()]));
        assert!(matches!(
            absent.get::<str>("_dmarc.org."),
            Some(Txt::Error(_))
        ));
        assert!(absent.get::<str>("_dmarc.example.org.").is_none());
    }
}
