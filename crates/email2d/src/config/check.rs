//! What a single value cannot show: do the values fit each other?

use std::path::Path;

use super::{Config, ConfigError};

/// The longest memory that a domain may ask for, seconds (spec §2.3.7: 90 days).
const MEMORY_LIMIT: u32 = 90 * 24 * 60 * 60;

/// The smallest useful `message_size`, octets: RFC 5321 §4.5.3.1.7 asks for 64 KiB.
const MESSAGE_SIZE_FLOOR: u64 = 64 * 1024;

impl Config {
    /// Checks what belongs together.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for the first thing that is wrong.
    pub(super) fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let faults = [
            self.domains_fault(),
            self.behind_fault(),
            self.listen_fault(),
            self.smarthosts_fault(),
            self.tls_fault(),
            self.limits_fault(),
        ];
        match faults.into_iter().flatten().next() {
            None => Ok(()),
            Some((key, reason)) => Err(ConfigError::Value {
                path: path.to_owned(),
                key: key.to_owned(),
                reason,
            }),
        }
    }

    fn domains_fault(&self) -> Option<(&'static str, String)> {
        if self.domains.is_empty() {
            return Some(("domain", "at least one [[domain]] is needed".to_owned()));
        }
        let names: Vec<_> = self.domains.iter().map(|domain| &domain.name).collect();
        let twice = names
            .iter()
            .enumerate()
            .find(|(place, name)| names.iter().take(*place).any(|other| other == *name));
        if let Some((_, name)) = twice {
            return Some(("domain.name", format!("{name} stands twice")));
        }
        let long = self
            .domains
            .iter()
            .find(|domain| domain.memory > MEMORY_LIMIT);
        long.map(|domain| {
            let reason = format!(
                "{} is too long: allowed are 0 to {MEMORY_LIMIT} seconds (90 days)",
                domain.memory
            );
            ("domain.memory", reason)
        })
    }

    /// Whom the domain has is what the system behind says (spec §15.1.1): a catch-all here would
    /// take everybody's mail before that is asked.
    fn behind_fault(&self) -> Option<(&'static str, String)> {
        let mut behind = self.domains.iter().filter(|domain| domain.inner.is_some());
        let both = behind.find(|domain| domain.catch_all.is_some())?;
        let reason = format!(
            "{} has its mailboxes in a system behind: let that one take mail for addresses that \
             nobody has",
            both.name
        );
        Some(("domain.catch_all", reason))
    }

    fn listen_fault(&self) -> Option<(&'static str, String)> {
        let listen = &self.listen;
        let lists = [
            &listen.mx,
            &listen.direct,
            &listen.https,
            &listen.submissions,
            &listen.submission,
            &listen.imaps,
        ];
        let none = lists.iter().all(|list| list.is_empty());
        none.then(|| {
            let reason = "nothing to listen at: give mx = [\"0.0.0.0:25\"], for example";
            ("listen", reason.to_owned())
        })
    }

    fn smarthosts_fault(&self) -> Option<(&'static str, String)> {
        let mut named = self
            .smarthosts
            .iter()
            .flat_map(|smarthost| &smarthost.domains);
        let foreign = named.find(|name| self.domain(name).is_none());
        if let Some(name) = foreign {
            let reason = format!("{name} is not served here: it needs a [[domain]] of its own");
            return Some(("smarthost.domains", reason));
        }
        let mut doors = self.smarthosts.iter();
        let closed = doors.any(|door| door.networks.is_empty() && door.names.is_empty());
        closed.then(|| {
            let reason = "nobody could use it: give networks that may connect, or names that sign \
                in (`email2d smarthost add`)";
            ("smarthost.networks", reason.to_owned())
        })
    }

    fn tls_fault(&self) -> Option<(&'static str, String)> {
        self.tls.is_empty().then(|| {
            let reason = "at least one [[tls]] with certificate and key is needed; \
                 `email2d quickstart` makes one for trying out";
            ("tls", reason.to_owned())
        })
    }

    fn limits_fault(&self) -> Option<(&'static str, String)> {
        let limits = &self.limits;
        if limits.message_size < MESSAGE_SIZE_FLOOR {
            let reason = format!(
                "{} is too small: allowed are {MESSAGE_SIZE_FLOOR} octets and more",
                limits.message_size
            );
            return Some(("limits.message_size", reason));
        }
        let counts = [
            (
                "limits.connections_per_source",
                limits.connections_per_source,
            ),
            ("limits.first_contacts", limits.first_contacts),
        ];
        let (key, _) = counts.into_iter().find(|(_, count)| *count == 0)?;
        let reason = "0 would let nobody in: allowed are 1 and more";
        Some((key, reason.to_owned()))
    }
}
