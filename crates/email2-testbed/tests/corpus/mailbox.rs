//! A mailbox as a strange program reads it: IMAP by hand, answers taken apart by imap-codec.

use email2_io::net::Stream;
use email2_testbed::failure::{Failure, Outcome, Step};
use email2_testbed::forger::session::Session;
use email2_testbed::loopback::IMAPS_PORT;
use email2_testbed::person::Person;
use email2_testbed::testbed::Testbed;
use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder as _;
use imap_codec::imap_types::envelope::Envelope;
use imap_codec::imap_types::fetch::MessageDataItem;
use imap_codec::imap_types::response::{Data, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A logged-in connection with a mailbox selected.
pub(crate) struct Mailbox {
    stream: Stream,
}

/// What IMAP says of a message.
pub(crate) struct Seen {
    /// Addresses in From of ENVELOPE.
    pub(crate) from: Vec<String>,
    /// BODY[].
    pub(crate) octets: Vec<u8>,
}

impl Mailbox {
    pub(crate) async fn open(testbed: &Testbed, person: &Person, name: &str) -> Outcome<Mailbox> {
        let at = testbed.door(person.address.domain().as_str(), IMAPS_PORT)?;
        let stream = Session::dial(&testbed.world, &at).await?;
        let mut mailbox = Mailbox { stream };
        let token = person.token()?;
        mailbox
            .say(&format!("LOGIN {} {token}", person.address))
            .await?;
        let _ = mailbox.say(&format!("CREATE {name}")).await;
        mailbox.say(&format!("SELECT {name}")).await?;
        Ok(mailbox)
    }

    /// Says a command; everything up to its tagged answer.
    async fn say(&mut self, command: &str) -> Outcome<Vec<u8>> {
        self.write(format!("a {command}\r\n").as_bytes()).await?;
        let heard = self.until_tagged().await?;
        let last = heard
            .rsplit(|&octet| octet == b'\n')
            .nth(1)
            .unwrap_or_default();
        match last.starts_with(b"a OK") {
            true => Ok(heard),
            false => Err(Failure {
                step: command.to_owned(),
                why: String::from_utf8_lossy(last).into_owned(),
            }),
        }
    }

    async fn write(&mut self, octets: &[u8]) -> Outcome<()> {
        self.stream.write_all(octets).await.step("writing")?;
        self.stream.flush().await.step("writing")
    }

    /// Literals may hold anything: only what stands outside ends the answer.
    async fn until_tagged(&mut self) -> Outcome<Vec<u8>> {
        let (mut heard, mut line) = (Vec::new(), 0);
        let mut block = vec![0; 64 * 1024];
        loop {
            while let Some(end) = find(heard.get(line..).unwrap_or_default(), b"\r\n") {
                let text = heard.get(line..line + end).unwrap_or_default();
                let literal = announced(text).filter(|_| !text.starts_with(b"a "));
                if text.starts_with(b"a ") {
                    return Ok(heard);
                }
                let next = line + end + 2 + literal.unwrap_or(0);
                if next > heard.len() {
                    break;
                }
                line = next;
            }
            let count = self.stream.read(&mut block).await.step("reading")?;
            if count == 0 {
                return Err(Failure {
                    step: "reading".to_owned(),
                    why: "the server closed the connection".to_owned(),
                });
            }
            heard.extend_from_slice(block.get(..count).unwrap_or_default());
        }
    }

    /// Puts a message into the mailbox, as it is.
    pub(crate) async fn append(&mut self, name: &str, octets: &[u8]) -> Outcome<()> {
        let head = format!("a APPEND {name} {{{}+}}\r\n", octets.len());
        self.write(&[head.as_bytes(), octets, b"\r\n"].concat())
            .await?;
        let heard = String::from_utf8_lossy(&self.until_tagged().await?).into_owned();
        match heard.contains("a OK") {
            true => Ok(()),
            false => Err(Failure {
                step: "APPEND".to_owned(),
                why: heard,
            }),
        }
    }

    /// BODYSTRUCTURE is understood; imap-codec takes eight levels, so what lies deeper must only
    /// be one short answer.
    async fn structure(&mut self) -> Outcome<()> {
        let heard = self.say("FETCH * BODYSTRUCTURE").await?;
        let text = String::from_utf8_lossy(&heard).to_ascii_uppercase();
        let deep = text.matches("\"RFC822\"").count() + text.matches("\"MIXED\"").count() > 7;
        match ResponseCodec::default().decode(&heard) {
            Ok(_) => Ok(()),
            Err(_) if deep && heard.len() < 64 * 1024 => Ok(()),
            Err(error) => Err(Failure {
                step: "BODYSTRUCTURE".to_owned(),
                why: format!("{error:?}: {text}"),
            }),
        }
    }

    /// The last message: everything that an ordinary program asks of it.
    pub(crate) async fn last(&mut self) -> Outcome<Seen> {
        self.say("NOOP").await?;
        self.structure().await?;
        let heard = self.say("FETCH * (ENVELOPE BODY.PEEK[])").await?;
        let mut rest = heard.as_slice();
        let mut seen = None;
        while !rest.is_empty() {
            let (behind, response) = ResponseCodec::default()
                .decode(rest)
                .map_err(|error| format!("{error:?}: {}", String::from_utf8_lossy(rest)))
                .step("imap-codec")?;
            if let Response::Data(Data::Fetch { items, .. }) = response {
                seen = Some(seen_in(items.as_ref())?);
            }
            rest = behind;
        }
        seen.step("FETCH")
    }
}

fn seen_in(items: &[MessageDataItem<'_>]) -> Outcome<Seen> {
    let (mut from, mut octets) = (None, None);
    for item in items {
        match item {
            MessageDataItem::Envelope(envelope) => from = Some(authors(envelope)),
            MessageDataItem::BodyExt { data, .. } => {
                octets = data.0.as_ref().map(|data| data.as_ref().to_vec());
            }
            _ => {}
        }
    }
    Ok(Seen {
        from: from.step("ENVELOPE")?,
        octets: octets.step("BODY[]")?,
    })
}

fn authors(envelope: &Envelope<'_>) -> Vec<String> {
    let text = |value: &imap_codec::imap_types::core::NString<'_>| {
        let octets = value.0.as_ref().map(AsRef::as_ref);
        octets.map(|octets: &[u8]| String::from_utf8_lossy(octets).into_owned())
    };
    let pair = |address: &imap_codec::imap_types::envelope::Address<'_>| {
        Some(format!(
            "{}@{}",
            text(&address.mailbox)?,
            text(&address.host)?
        ))
    };
    envelope.from.iter().filter_map(pair).collect()
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// The octets of the literal that a line announces.
fn announced(line: &[u8]) -> Option<usize> {
    let open = line.iter().rposition(|&octet| octet == b'{')?;
    let number = line.get(open + 1..)?.strip_suffix(b"}")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}
