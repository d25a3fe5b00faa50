//! DKIM2 (draft-ietf-dkim-dkim2-spec-04) beside DKIM, for domains that want it while it is a draft
//! (spec §13.5.4). The fields are the library's; its signer reads the system's clock and wants the
//! message whole, so that they are filled and signed here.

use email2::address::Domain;
use email2_store::queue::QueueEntry;
use mail_auth::AuthenticatedMessage;
use mail_auth::common::crypto::Algorithm;
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::dkim2::{ChainBinding, MessageInstance, Signature, SignatureValue};

use crate::dkim_key::{DkimKeyError, Keys, Signer};
use crate::outbound::deliver::waiting_of;
use crate::site::Site;

/// The first hop of a message: who gives it to whom, and when.
#[derive(Debug)]
pub(super) struct FirstHop {
    /// `d`.
    pub(super) domain: Domain,
    /// `t`, Unix seconds.
    pub(super) time: u64,
    /// The reverse-path in its brackets.
    pub(super) mail_from: String,
    /// The recipients of this attempt in theirs.
    pub(super) recipients: Vec<String>,
}

impl FirstHop {
    /// That of an entry, where the domain wants DKIM2 and the reverse-path is its own, as a
    /// verifier demands.
    pub(super) fn of(site: &Site, entry: &QueueEntry, domain: &Domain) -> Option<FirstHop> {
        let wanted = site.config.domain(domain).is_some_and(|known| known.dkim2);
        let from = entry.mail_from.address();
        let own = from.is_none_or(|address| address.domain() == domain);
        let recipients = waiting_of(entry).into_iter();
        (wanted && own).then(|| FirstHop {
            domain: domain.clone(),
            time: site.world.now(),
            mail_from: format!("<{}>", entry.mail_from),
            recipients: recipients.map(|to| format!("<{}>", to.address)).collect(),
        })
    }

    /// The fields `DKIM2-Signature` and `Message-Instance` over a header section and the hash of
    /// the body below it; none where others began a chain, which is not ours to go on with.
    ///
    /// # Errors
    /// A key refused.
    pub(super) fn signed(
        self,
        keys: &Keys,
        header: &[u8],
        body_hash: [u8; 32],
    ) -> Result<Vec<u8>, DkimKeyError> {
        let section = [header, b"\r\n"].concat();
        let parsed = AuthenticatedMessage::parse(&section);
        let parsed = parsed.filter(|parsed| parsed.dkim2_signatures.is_empty());
        let parsed = parsed.filter(|parsed| !parsed.has_dkim2_errors);
        // Only a message that has none gets one.
        let instance = parsed.and_then(|parsed| MessageInstance::from_message(&parsed, None));
        let Some(mut instance) = instance.filter(|instance| instance.m == 1) else {
            return Ok(Vec::new());
        };
        for hash in &mut instance.hashes {
            hash.body_hash = body_hash.to_vec();
        }
        let mut signature = self.unsigned(keys, instance.m);
        let input = format!(
            "message-instance:{}\r\ndkim2-signature:{}\r\n",
            without_blanks(&instance.to_string()),
            without_blanks(&signature.to_string())
        );
        for (value, signer) in signature.s.iter_mut().zip(keys.signers()) {
            value.b = signer.sign(input.as_bytes())?;
        }
        let mut fields = Vec::new();
        signature.write_header(&mut fields);
        instance.write_header(&mut fields);
        Ok(fields)
    }

    fn unsigned(self, keys: &Keys, instance: u32) -> Signature {
        let value = |signer: &Signer| SignatureValue {
            selector: signer.selector().to_owned(),
            a: match signer.algorithm() {
                "ed25519-sha256" => Algorithm::Ed25519Sha256,
                _ => Algorithm::RsaSha256,
            },
            b: Vec::new(),
        };
        Signature {
            i: 1,
            m: instance,
            t: self.time,
            d: self.domain.to_string(),
            s: keys.signers().map(value).collect(),
            chain: ChainBinding::Envelope {
                mail_from: self.mail_from,
                rcpt_to: self.recipients,
            },
            n: None,
            flags: Vec::new(),
        }
    }
}

/// The draft's canonical form of its own fields (§9.6).
fn without_blanks(value: &str) -> String {
    let octets = value.chars().filter(|c| !c.is_ascii_whitespace());
    octets.collect()
}
