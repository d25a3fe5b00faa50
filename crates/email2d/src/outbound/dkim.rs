//! DKIM signatures on mail that leaves for ordinary domains (RFC 6376, RFC 8463, spec §13.5), over
//! sealed mail too. Ours and not a library's, whose signers read the system's clock; a body goes
//! through in pieces.

mod canonical;
mod field;
mod rotation;

use email2::address::Domain;
use email2_io::aside::aside;
use email2_store::BodyReader;
use email2_store::queue::QueueEntry;

use super::words::Words;
use crate::dkim_key::{DkimKeyError, Keys};
use crate::site::Site;
use canonical::BodyHash;
use field::{Header, Unsigned};
pub(crate) use rotation::activate_published;

/// Octets read at a time: hashing them takes less than 100 µs.
const STEP: usize = 32 * 1024;

/// Why a message cannot be signed. It does not leave unsigned: it waits.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DkimError {
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] DkimKeyError),
    /// The message cannot be read.
    #[error(transparent)]
    Store(#[from] email2_store::StoreError),
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
    body: &dyn BodyReader,
) -> Result<Vec<u8>, DkimError> {
    let Some(domain) = answers_for(site, entry) else {
        return Ok(Vec::new());
    };
    let Some(keys) = Keys::read(&site.config.data_directory, &domain)? else {
        return Ok(Vec::new());
    };
    let (header, hash) = read(body).await?;
    let unsigned = Unsigned {
        domain,
        time: site.world.now(),
        body_hash: hash,
        header,
    };
    let signed = aside(move || {
        let fields = keys.signers().map(|signer| unsigned.signed(signer));
        fields.collect::<Result<Vec<_>, _>>()
    });
    Ok(signed.await??.concat())
}

/// The domain of ours whose word stands for the message: that of its top seal, which was judged
/// here, or of the user for whom it was protected here. What a stranger wrote is never signed.
fn answers_for(site: &Site, entry: &QueueEntry) -> Option<Domain> {
    let sealed = entry.announced.as_ref().map(|(_, signer)| signer.domain());
    let held = Words::parse(&entry.details).held;
    let author = entry.mail_from.address().filter(|_| held);
    let domain = sealed.or(author.map(|address| address.domain()))?;
    site.serves(domain).then(|| domain.clone())
}

/// The header section, and the hash of the body below it.
async fn read(body: &dyn BodyReader) -> Result<(Header, [u8; 32]), DkimError> {
    let mut header = Vec::new();
    let mut hash = BodyHash::default();
    let mut offset = 0;
    let mut behind = None;
    while offset < body.size() {
        let some = body.read(offset, STEP).await?;
        if some.is_empty() {
            break;
        }
        offset += some.len() as u64;
        match behind {
            Some(()) => hash.push(&some),
            None => {
                header.extend_from_slice(&some);
                behind = begin_body(&mut header, &mut hash);
            }
        }
        if behind.is_none() && header.len() > 2 * email2::limits::HEADER_OCTETS {
            return Err(DkimError::Header);
        }
    }
    Ok((Header::parse(&header), hash.finish()))
}

/// Cuts the body off, when the header section has ended.
fn begin_body(header: &mut Vec<u8>, hash: &mut BodyHash) -> Option<()> {
    let end = header.windows(4).position(|four| four == b"\r\n\r\n")?;
    hash.push(header.get(end + 4..).unwrap_or_default());
    header.truncate(end + 2);
    Some(())
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
        AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt,
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

    fn header_and_hash(message: &str) -> (Header, [u8; 32]) {
        let mut header = message.as_bytes().to_vec();
        let mut hash = BodyHash::default();
        begin_body(&mut header, &mut hash).unwrap();
        (Header::parse(&header), hash.finish())
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
        let folder = tempfile::tempdir().unwrap();
        let domain: Domain = "example.org".parse().unwrap();
        let zone = Zone::default();
        for record in dkim_key::ensure(folder.path(), &domain, &mut OsRng).unwrap() {
            let key = DomainKey::parse(record.text.as_bytes()).unwrap();
            let name = format!("{}.", record.name).into_boxed_str();
            let mut records = zone.0.lock().unwrap();
            records.insert(name, Txt::DomainKey(Arc::new(key)));
        }
        let (header, body_hash) = header_and_hash(MESSAGE);
        let unsigned = Unsigned {
            domain: domain.clone(),
            time: SystemClock::new().now(),
            body_hash,
            header,
        };
        let keys = Keys::read(folder.path(), &domain).unwrap().unwrap();
        let fields: Vec<u8> = keys
            .signers()
            .flat_map(|signer| unsigned.signed(signer).unwrap())
            .collect();
        let signed = String::from_utf8(fields).unwrap() + MESSAGE;
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
