//! Messages, sealed before the clock starts.

use std::sync::Arc;

use email2::address::Address;
use email2::seal::{ContentDigest, Seal};
use email2::secret::SecretKey;
use email2_io::world::World;

use crate::failure::{Outcome, Step};
use crate::forger::{Claim, announcement, seal_over};

/// A message as it crosses the wire, ready to be written.
#[derive(Clone, Debug)]
pub struct Letter {
    /// MAIL, RCPT and DATA, each with its CRLF.
    pub envelope: Vec<u8>,
    /// The seal, or nothing.
    pub seal: Vec<u8>,
    /// What follows, with the dot that ends it; shared by all of one text.
    pub content: Arc<Vec<u8>>,
}

/// A text that many letters carry.
#[derive(Clone, Debug)]
pub struct Text {
    digest: [u8; 32],
    wire: Arc<Vec<u8>>,
}

/// Who seals.
pub struct Sender {
    /// Whose name.
    pub address: Address,
    /// With which key.
    pub key: SecretKey,
}

/// A message of about `octets` octets, without a seal.
#[must_use]
pub fn message(from: &Address, octets: usize) -> Vec<u8> {
    let mut text = format!(
        "From: {from}\r\nTo: bench@bench.example\r\nSubject: The bridge at noon\r\n\
         Date: Thu, 26 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1.{octets}@{}>\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
        from.domain()
    );
    while text.len() < octets {
        text.push_str("So the bridge stands at noon, and whoever comes by it is seen by all.\r\n");
    }
    text.into_bytes()
}

/// What is written behind 354 for this message.
#[must_use]
pub fn ended(mut message: Vec<u8>) -> Arc<Vec<u8>> {
    message.extend_from_slice(b".\r\n");
    Arc::new(message)
}

impl Text {
    /// A text of about `octets` octets by this sender.
    ///
    /// # Errors
    /// It has no digest.
    pub fn new(from: &Address, octets: usize) -> Outcome<Text> {
        let message = message(from, octets);
        Ok(Text {
            digest: ContentDigest::of(&message).step("digest")?,
            wire: ended(message),
        })
    }
}

impl Sender {
    /// Seals `text` for `to`.
    ///
    /// # Errors
    /// The seal cannot be made.
    pub fn seal(&self, world: &World, to: &Address, text: &Text) -> Outcome<Seal> {
        let from = self.address.to_string();
        let claim = Claim::now(&self.address, &from, &self.key);
        seal_over(world, to, &claim, text.digest)
    }

    /// A sealed letter.
    ///
    /// # Errors
    /// The seal cannot be made.
    pub fn letter(&self, world: &World, to: &Address, text: &Text) -> Outcome<Letter> {
        let seal = self.seal(world, to, text)?;
        let parameter = announcement(&seal.signer);
        let from = &self.address;
        Ok(Letter {
            envelope: format!(
                "MAIL FROM:<{from}> EMAIL2={parameter}\r\nRCPT TO:<{to}>\r\nDATA\r\n"
            )
            .into_bytes(),
            seal: seal.field().into_bytes(),
            content: Arc::clone(&text.wire),
        })
    }
}

/// A letter without a seal of ours.
#[must_use]
pub fn ordinary(from: &Address, to: &Address, content: &Arc<Vec<u8>>) -> Letter {
    Letter {
        envelope: format!("MAIL FROM:<{from}>\r\nRCPT TO:<{to}>\r\nDATA\r\n").into_bytes(),
        seal: Vec::new(),
        content: Arc::clone(content),
    }
}
