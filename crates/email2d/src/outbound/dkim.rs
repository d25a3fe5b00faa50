//! DKIM signatures on mail that leaves for ordinary domains (RFC 6376, RFC 8463, spec §13.5), over
//! sealed mail too. Ours and not a library's, whose signers read the system's clock; a body goes
//! through in pieces.

mod canonical;
mod field;
mod rotation;
mod second;

use email2::address::Domain;
use email2_io::aside::aside;
use email2_remote::connect::Content;
use email2_store::queue::QueueEntry;

use super::words::Words;
use crate::dkim_key::{DkimKeyError, Keys};
use crate::site::Site;
use canonical::BodyHash;
use field::{Header, Unsigned};
pub(crate) use rotation::activate_published;
use second::FirstHop;

/// Octets read at a time: hashing them takes less than 100 µs.
const STEP: usize = 32 * 1024;

/// How a report of ours begins.
const DAEMON: &str = "From: mailer-daemon@";

/// Why a message cannot be signed. It does not leave unsigned: it waits.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DkimError {
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] DkimKeyError),
    /// The message cannot be read.
    #[error(transparent)]
    Store(#[from] email2_store::StoreError),
    /// Its octets cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The header section is longer than a message may have.
    #[error("the header section has no end")]
    Header,
    /// The work was given up.
    #[error("the work was given up: {0}")]
    Aside(#[from] tokio::task::JoinError),
}

/// The fields to put in front of an entry's octets, one for each key of its domain; none when
/// the domain has no keys, or nobody here answers for the author (spec §13.5.2).
///
/// # Errors
/// See [`DkimError`].
pub(crate) async fn fields(
    site: &Site,
    entry: &QueueEntry,
    content: &dyn Content,
) -> Result<Vec<u8>, DkimError> {
    let answers = match Words::parse(&entry.details).daemon {
        true => daemon(site, content).await?,
        false => answers_for(site, entry),
    };
    let Some(domain) = answers else {
        return Ok(Vec::new());
    };
    // To read an RSA key takes longer than to sign with it.
    let (data, of) = (site.config.data_directory.clone(), domain.clone());
    let Some(keys) = aside(move || Keys::read(&data, &of)).await?? else {
        return Ok(Vec::new());
    };
    let hop = FirstHop::of(site, entry, &domain);
    let message = Hashed::read(content).await?;
    let time = site.world.now();
    let signed = aside(move || message.signed(&keys, domain, time, hop));
    Ok(signed.await??)
}

/// The domain of ours whose word stands for the message: that of its top seal, which was judged
/// here, of the user for whom it was protected here, or of somebody for whom the mail system behind
/// vouches. What a stranger wrote is never signed.
fn answers_for(site: &Site, entry: &QueueEntry) -> Option<Domain> {
    let sealed = entry.announced.as_ref().map(|(_, signer)| signer.domain());
    let words = Words::parse(&entry.details);
    let author = entry.mail_from.address();
    let author = author.filter(|_| words.held || words.vouched);
    let domain = sealed.or(author.map(|address| address.domain()))?;
    site.serves(domain).then(|| domain.clone())
}

/// The domain whose daemon wrote a report: its first line says so.
async fn daemon(site: &Site, content: &dyn Content) -> Result<Option<Domain>, DkimError> {
    let octets = content.read(0, 512).await?;
    let text = String::from_utf8_lossy(&octets);
    let first = text.lines().next().unwrap_or_default();
    let domain = first
        .strip_prefix(DAEMON)
        .and_then(|it| Domain::parse(it).ok());
    Ok(domain.filter(|domain| site.serves(domain)))
}

/// A message as far as signatures need it: its header section, and the hashes of its body.
struct Hashed {
    header: Vec<u8>,
    relaxed: BodyHash,
    simple: BodyHash,
    /// The header section has ended.
    in_body: bool,
}

impl Hashed {
    fn begin() -> Hashed {
        Hashed {
            header: Vec::new(),
            relaxed: BodyHash::default(),
            simple: BodyHash::simple(),
            in_body: false,
        }
    }

    async fn read(content: &dyn Content) -> Result<Hashed, DkimError> {
        let mut message = Hashed::begin();
        let mut offset = 0;
        while offset < content.size() {
            let some = content.read(offset, STEP).await?;
            if some.is_empty() {
                break;
            }
            offset += some.len() as u64;
            message.push(&some)?;
        }
        Ok(message)
    }

    fn push(&mut self, octets: &[u8]) -> Result<(), DkimError> {
        if self.in_body {
            self.push_body(octets);
            return Ok(());
        }
        self.header.extend_from_slice(octets);
        let mut fours = self.header.windows(4);
        if let Some(end) = fours.position(|four| four == b"\r\n\r\n") {
            let body = self.header.split_off(end + 2);
            self.in_body = true;
            self.push_body(body.get(2..).unwrap_or_default());
        }
        match self.header.len() > 2 * email2::limits::HEADER_OCTETS {
            true => Err(DkimError::Header),
            false => Ok(()),
        }
    }

    fn push_body(&mut self, octets: &[u8]) {
        self.relaxed.push(octets);
        self.simple.push(octets);
    }

    /// The fields, by every key.
    fn signed(
        self,
        keys: &Keys,
        domain: Domain,
        time: u64,
        hop: Option<FirstHop>,
    ) -> Result<Vec<u8>, DkimKeyError> {
        let mut fields = match hop {
            Some(hop) => hop.signed(keys, &self.header, self.simple.finish())?,
            None => Vec::new(),
        };
        let unsigned = Unsigned {
            domain,
            time,
            body_hash: self.relaxed.finish(),
            header: Header::parse(&self.header),
        };
        for signer in keys.signers() {
            fields.extend(unsigned.signed(signer)?);
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Borrow;
    use std::collections::HashMap;
    use std::hash::Hash;
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    use email2_io::clock::{Clock as _, SystemClock};
    use mail_auth::common::parse::TxtRecordParser as _;
    use mail_auth::common::verify::DomainKey;
    use mail_auth::{
        AuthenticatedMessage, Dkim2Result, DkimResult, MessageAuthenticator, Parameters,
        ResolverCache, Txt,
    };
    use rand_core::OsRng;

    use super::*;
    use crate::dkim_key;

    const MESSAGE: &str = "Email2-Seal: v=1; f=author;\r\n s=Ym9i\r\nReceived: from a by b\r\n\
        From: Bob  <bob@example.org>\r\nTo: alice@example.com\r\nSubject: lunch \t at\r\n noon\r\n\
        MIME-Version: 1.0\r\n\r\nHello  there \r\n\r\n.\r\n\r\n\r\n";

    /// The zone of the domain, for the verifier.
    #[derive(Default)]
    struct Zone(Mutex<HashMap<Box<str>, Txt>>);

    impl ResolverCache<Box<str>, Txt> for Zone {
        fn get<Q>(&self, name: &Q) -> Option<Txt>
        where
            Box<str>: Borrow<Q>,
            Q: Hash + Eq + ?Sized,
        {
            self.0.lock().unwrap().get(name).cloned()
        }

        fn remove<Q>(&self, name: &Q) -> Option<Txt>
        where
            Box<str>: Borrow<Q>,
            Q: Hash + Eq + ?Sized,
        {
            self.0.lock().unwrap().remove(name)
        }

        fn insert(&self, key: Box<str>, value: Txt, _: Instant) {
            self.0.lock().unwrap().insert(key, value);
        }
    }

    /// The message behind its signatures; read in pieces that end anywhere.
    fn signed(keys: &Keys, message: &str, hop: Option<FirstHop>) -> String {
        let mut hashed = Hashed::begin();
        for piece in message.as_bytes().chunks(7) {
            hashed.push(piece).unwrap();
        }
        let (domain, now) = ("example.org".parse().unwrap(), SystemClock::new().now());
        let fields = hashed.signed(keys, domain, now, hop).unwrap();
        String::from_utf8(fields).unwrap() + message
    }

    /// Keys, and the zone where a verifier finds them.
    fn keys_and_zone() -> (Keys, Zone) {
        let folder = tempfile::tempdir().unwrap();
        let domain: Domain = "example.org".parse().unwrap();
        let zone = Zone::default();
        for record in dkim_key::ensure(folder.path(), &domain, &mut OsRng).unwrap() {
            let key = DomainKey::parse(record.text.as_bytes()).unwrap();
            let name = format!("{}.", record.name).into_boxed_str();
            let mut records = zone.0.lock().unwrap();
            records.insert(name, Txt::DomainKey(Arc::new(key)));
        }
        let keys = Keys::read(folder.path(), &domain).unwrap().unwrap();
        (keys, zone)
    }

    fn first_hop() -> FirstHop {
        FirstHop {
            domain: "example.org".parse().unwrap(),
            time: SystemClock::new().now(),
            mail_from: "<bob@example.org>".to_owned(),
            recipients: vec!["<alice@example.com>".to_owned()],
        }
    }

    async fn chain_is_good(zone: &Zone, message: &str, to: &str) -> bool {
        let authenticator = MessageAuthenticator::new_cloudflare().unwrap();
        let parsed = AuthenticatedMessage::parse(message.as_bytes()).unwrap();
        let parameters = Parameters::new(&parsed).with_txt_cache(zone);
        let envelope = mail_auth::dkim2::Envelope::new("bob@example.org", [to]);
        let output = authenticator.verify_dkim2(parameters, envelope).await;
        *output.result() == Dkim2Result::Pass
    }

    /// spec §13.5.4: another implementation follows the chain, for this envelope only.
    #[tokio::test]
    async fn dkim2_is_good_for_the_message_and_its_envelope_only() {
        let (keys, zone) = keys_and_zone();
        let to = "alice@example.com";
        for body in [
            "",
            "\r\n\r\n",
            "Hello  there \r\n\r\n.\r\n\r\n\r\n",
            "no end",
        ] {
            let message = format!("From: bob@example.org\r\nTo: {to}\r\n\r\n{body}");
            let message = signed(&keys, &message, Some(first_hop()));
            assert!(chain_is_good(&zone, &message, to).await, "{message}");
        }
        let message = signed(&keys, MESSAGE, Some(first_hop()));
        assert!(
            message.starts_with("DKIM2-Signature: i=1; m=1; t="),
            "{message}"
        );
        assert!(chain_is_good(&zone, &message, to).await, "{message}");
        assert_eq!(verified(&zone, &message).await, [true, true]);
        assert!(!chain_is_good(&zone, &message, "eve@example.com").await);
        for (from, into) in [("Hello  there", "Hello there"), ("lunch", "money")] {
            let changed = message.replacen(from, into, 1);
            assert!(!chain_is_good(&zone, &changed, to).await, "{into}");
        }
        // Others began a chain: it stays theirs.
        let again = signed(&keys, &message, Some(first_hop()));
        assert_eq!(again.matches("DKIM2-Signature:").count(), 1);
        assert!(!signed(&keys, MESSAGE, None).contains("DKIM2-Signature"));
    }

    async fn verified(zone: &Zone, message: &str) -> Vec<bool> {
        let authenticator = MessageAuthenticator::new_cloudflare().unwrap();
        let parsed = AuthenticatedMessage::parse(message.as_bytes()).unwrap();
        let parameters = Parameters::new(&parsed).with_txt_cache(zone);
        let results = authenticator.verify_dkim(parameters).await;
        let passes = results.iter().map(|it| *it.result() == DkimResult::Pass);
        passes.collect()
    }

    /// Another implementation reads our signatures, and no change of what they cover.
    #[tokio::test]
    async fn both_signatures_are_good_for_the_message_as_it_is_only() {
        let (keys, zone) = keys_and_zone();
        let signed = signed(&keys, MESSAGE, None);
        assert_eq!(verified(&zone, &signed).await, [true, true], "{signed}");
        // What relaxed canonicalization forgives.
        let rewrapped = signed.replace("Subject: lunch \t at", "subject:  lunch at");
        assert_eq!(verified(&zone, &rewrapped).await, [true, true]);
        for (from, to) in [
            ("Hello", "hello"),
            ("\r\n.\r\n", "\r\n"),
            ("bob@", "eve@"),
            ("f=author", "f=forward"),
            ("From: Bob", "From: Eve <eve@example.org>\r\nFrom: Bob"),
            (
                "MIME-Version: 1.0",
                "MIME-Version: 1.0\r\nContent-Type: text/html",
            ),
        ] {
            let changed = signed.replacen(from, to, 1);
            assert_eq!(verified(&zone, &changed).await, [false, false], "{to}");
        }
    }
}
