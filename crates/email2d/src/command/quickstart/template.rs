//! The configuration that quickstart writes: complete, every key with its comment.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use email2::address::{Address, Domain};

use crate::config::Limits;

/// The ports of the listeners.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) mx: u16,
    pub(super) direct: u16,
    pub(super) submissions: u16,
    pub(super) submission: u16,
    pub(super) imaps: u16,
}

impl Ports {
    /// The registered ports, so much higher; `None` beyond 65535.
    pub(super) fn from(offset: u16) -> Option<Ports> {
        Some(Ports {
            mx: offset.checked_add(25)?,
            direct: offset.checked_add(443)?,
            submissions: offset.checked_add(465)?,
            submission: offset.checked_add(587)?,
            imaps: offset.checked_add(993)?,
        })
    }

    /// Does HTTPS stand at the port where everybody looks for it?
    pub(super) fn serve_https(&self) -> bool {
        self.direct == HTTPS_PORT
    }
}

/// RFC 9110 §4.2.2.
const HTTPS_PORT: u16 = 443;

/// What stands in it.
pub(super) struct Template<'a> {
    pub(super) hostname: &'a Domain,
    pub(super) domain: &'a Domain,
    pub(super) data: &'a Path,
    pub(super) account: &'a Address,
    pub(super) certificate: &'a Path,
    pub(super) key: &'a Path,
    pub(super) listen: IpAddr,
    pub(super) ports: &'a Ports,
}

impl fmt::Display for Template<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server(f)?;
        self.domain(f)?;
        self.listen(f)?;
        self.tls(f)?;
        limits(f)?;
        f.write_str(NETWORK)
    }
}

impl Template<'_> {
    fn server(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "# email2d, the Email 2.0 mail server. docs/configuration.md explains every key;\n\
             # `email2d config check` says whether all is well. A line with # is the default.\n\n\
             # The name of this host, as MX records call it.\n\
             hostname = {}\n\n\
             # Where the store and the keys are; nobody but the server should read it.\n\
             data_directory = {}\n\n",
            quoted(self.hostname),
            quoted(self.data.display())
        )
    }

    fn domain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "# A table for every domain that this server serves.\n\
             [[domain]]\n\
             name = {}\n\
             # This server's word about the domain is taken without asking the network.\n\
             local = true\n\
             # \"strict\" once every address of the domain seals: unsealed mail from it is\n\
             # then refused everywhere. Say the same in the record _email2.{}.\n\
             policy = \"open\"\n\
             # The same for subdomains without a record of their own.\n\
             subdomains = \"open\"\n\
             # How long others remember that the domain speaks Email 2.0, seconds (90 days at most).\n\
             # memory = 2592000\n\
             # What becomes of mail without a seal, where its recipient chose nothing:\n\
             # \"accept\", \"junk\" or \"reject\".\n\
             # legacy = \"reject\"\n\
             # Whose mail is that for postmaster@, unless there is such an account.\n\
             postmaster = {}\n\
             # Whose mail is that for addresses that nobody has; else it is refused.\n\
             # catch_all = \"office@{}\"\n\
             # Its mail to ordinary domains is signed by DKIM2 besides DKIM: a draft still.\n\
             # dkim2 = false\n\
             # The mail system behind this server that has the mailboxes (docs/beside.md); without\n\
             # it they are here.\n\
             # inner = \"lmtp:/run/dovecot/lmtp\"\n\
             # The MTA-STS policy that is served over HTTPS: \"enforce\", \"testing\" or \"none\".\n\
             # Another mode needs another id in the record _mta-sts.{}.\n\
             mta_sts = \"enforce\"\n\n",
            quoted(self.domain),
            self.domain,
            quoted(self.account),
            self.domain,
            self.domain
        )
    }

    fn listen(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |port| quoted(SocketAddr::new(self.listen, port));
        let ports = self.ports;
        write!(
            f,
            "# Where it listens; [\"0.0.0.0:25\", \"[::]:25\"] is both IPv4 and IPv6.\n\
             [listen]\n\
             # Mail from elsewhere, with STARTTLS.\n\
             mx = [{}]\n\
             # The same with TLS from the first octet, for networks that block port 25; and HTTPS:\n\
             # the Web Key Directory and the MTA-STS policy.\n\
             direct = [{}]\n\
             # HTTPS alone.\n\
             # https = []\n\
             # Submission with TLS from the first octet, and with STARTTLS.\n\
             submissions = [{}]\n\
             submission = [{}]\n\
             # IMAP with TLS from the first octet.\n\
             imaps = [{}]\n\n",
            at(ports.mx),
            at(ports.direct),
            at(ports.submissions),
            at(ports.submission),
            at(ports.imaps)
        )
    }

    fn tls(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "# A table for every certificate; the first that is valid for the name asked for is\n\
             # shown. Valid for the host and for email2.{domain}, and for HTTPS also for\n\
             # openpgpkey.{domain} and mta-sts.{domain}. A renewed file is read by itself.\n\
             [[tls]]\n\
             certificate = {}\n\
             key = {}\n\n",
            quoted(self.certificate.display()),
            quoted(self.key.display()),
            domain = self.domain,
        )
    }
}

fn limits(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let limits = Limits::default();
    write!(
        f,
        "[limits]\n\
         # The largest message, octets.\n\
         # message_size = {}\n\
         # Connections that one source may hold.\n\
         # connections_per_source = {}\n\
         # Messages an hour of senders at domains never seen.\n\
         # first_contacts = {}\n\
         # How long a shutdown waits for connections to end, seconds.\n\
         # drain_seconds = {}\n\n",
        limits.message_size,
        limits.connections_per_source,
        limits.first_contacts,
        limits.drain_seconds
    )
}

const NETWORK: &str = "# How the world is reached; a whole world can stand on loopback by it.\n\
    [network]\n\
    # Resolvers to ask; none: the system's.\n\
    # dns = [\"127.0.0.1:53\"]\n\
    # The DNSKEY records that DNSSEC is anchored in; none: the root's.\n\
    # dnssec_anchor = \"anchor.key\"\n\
    # Certification authorities trusted for every domain, besides the system's.\n\
    # ca_file = \"ca.pem\"\n\
    # Networks that may be connected to although they are not globally reachable.\n\
    # allow_addresses = []\n\
    # The port asked at MX hosts.\n\
    # mx_port = 25\n\
    # The port asked for MTA-STS policies and Web Key Directories.\n\
    # https_port = 443\n";

/// A TOML basic string.
fn quoted(text: impl fmt::Display) -> String {
    toml::Value::String(text.to_string()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn text() -> String {
        Template {
            hostname: &Domain::parse("mail.example.org").unwrap(),
            domain: &Domain::parse("example.org").unwrap(),
            data: Path::new("/var/lib/email2d \"x\""),
            account: &Address::parse("bob@example.org").unwrap(),
            certificate: Path::new("/c.pem"),
            key: Path::new("/c.key"),
            listen: IpAddr::from([127, 0, 0, 1]),
            ports: &Ports::from(10_000).unwrap(),
        }
        .to_string()
    }

    #[test]
    fn it_is_read_as_written() {
        let config = Config::parse(&text(), Path::new("/etc/email2d/config.toml")).unwrap();
        assert_eq!(config.data_directory, Path::new("/var/lib/email2d \"x\""));
        assert_eq!(config.listen.imaps[0].port(), 10_993);
    }

    /// A commented key is what the server takes when nothing is said, and exists.
    #[test]
    fn every_commented_key_can_be_set() {
        let is_setting = |line: &&str| {
            let key = line
                .trim_start_matches("# ")
                .split(" = ")
                .next()
                .unwrap_or_default();
            line.starts_with("# ") && line.contains(" = ") && !key.contains(' ')
        };
        let commented = text();
        let settings: Vec<&str> = commented.lines().filter(is_setting).collect();
        assert_eq!(settings.len(), 16, "{settings:?}");
        // Of these two a domain has one.
        for unset in ["# catch_all = ", "# inner = "] {
            let set = settings
                .iter()
                .filter(|setting| !setting.starts_with(unset));
            let set = set.fold(commented.clone(), |text, setting| {
                text.replace(setting, setting.trim_start_matches("# "))
            });
            Config::parse(&set, Path::new("/etc/email2d/config.toml")).unwrap();
        }
    }
}
