//! The content of a message, whoever sends it: read once, scanned while it arrives, kept where
//! it stays. Who wants it looks at it on the way and may refuse it.

use email2::header::HeaderFacts;
use email2::limits;
use email2::rejection::Rejection;
use email2::scan::{Scan, Scanned};
use email2_io::drive::Driver;
use email2_smtp::server::{Event, Server};
use email2_store::{BodyWriter, SpooledBody, StoreError};

use crate::inbound::accept::store_failed;

/// Who looks at a message while it arrives.
pub(crate) trait Watch {
    /// Looks at the complete header section, once, before the body is kept.
    ///
    /// # Errors
    /// The message is refused for what its header shows.
    fn look_at(&mut self, header: &HeaderFacts) -> Result<(), Rejection>;

    /// Looks again with each piece of the body: at a message of which so much is `here`; `early`:
    /// its sender hears of a refusal before all of it came.
    ///
    /// # Errors
    /// The message is refused for what is known by now.
    fn look_again(
        &mut self,
        _header: &HeaderFacts,
        _here: u64,
        _early: bool,
    ) -> Result<(), Rejection> {
        Ok(())
    }

    /// May its header hold octets outside of ASCII (RFC 6532 §3.2)?
    fn takes_utf8(&self) -> bool;
}

/// A whole message, on stable storage or small enough to be committed with its row.
pub(crate) struct Content<W> {
    /// What the one pass found.
    pub(crate) scanned: Scanned,
    /// The octets.
    pub(crate) body: SpooledBody,
    /// Who looked at it.
    pub(crate) watch: W,
}

/// How the content on a connection ended.
pub(crate) enum Received<W> {
    /// Whole, wanted or not.
    Whole(Box<Result<Content<W>, Rejection>>),
    /// The client took the transaction back, or broke a rule.
    Reset(Option<Rejection>),
    /// The connection ended, or the machine answered already (by a refusal of its own, or by
    /// one of ours that it was told on the way).
    Ended,
}

/// A message that is coming in, or why it is not wanted any more.
pub(crate) enum Intake<W> {
    Coming(Box<Coming<W>>),
    Refused(Rejection),
}

pub(crate) struct Coming<W> {
    scan: Scan,
    writer: Box<dyn BodyWriter>,
    /// The header is complete and was looked at.
    headed: bool,
    watch: W,
}

impl<W: Watch> Intake<W> {
    /// For content that `watch` looks at and `writer` keeps; `announced`: with a seal
    /// (spec §3.5).
    pub(crate) fn begin(
        writer: Result<Box<dyn BodyWriter>, StoreError>,
        announced: bool,
        watch: W,
    ) -> Intake<W> {
        match writer {
            Ok(writer) => Intake::Coming(Box::new(Coming {
                scan: Scan::new(announced),
                writer,
                headed: false,
                watch,
            })),
            Err(error) => Intake::Refused(store_failed(error)),
        }
    }

    /// Takes the content that begins with `first` from a connection.
    pub(crate) async fn receive(
        mut self,
        driver: &mut Driver<Server>,
        first: Event,
    ) -> Received<W> {
        let mut event = first;
        loop {
            match event {
                Event::Content(octets) => {
                    let early = driver.machine().hears_early();
                    if let Err(rejection) = self.take(&octets, early).await {
                        driver.machine().refuse_content(rejection.clone());
                        self = Intake::Refused(rejection);
                    }
                }
                Event::ContentEnd(_) => {
                    return Received::Whole(Box::new(self.finish().await));
                }
                Event::Reset(rejection) => return Received::Reset(rejection),
                _ => return Received::Ended,
            }
            event = match driver.next().await {
                Ok(Some(event)) => event,
                Ok(None) | Err(_) => return Received::Ended,
            };
        }
    }

    /// Takes the next octets, nothing more once it was refused; `early`: their sender hears of a
    /// refusal before all came.
    ///
    /// # Errors
    /// The message is refused, or the store failed.
    pub(crate) async fn take(&mut self, octets: &[u8], early: bool) -> Result<(), Rejection> {
        let Intake::Coming(coming) = self else {
            return Ok(());
        };
        coming.scan.push(octets)?;
        if let Some(header) = coming.scan.header() {
            if !coming.headed {
                coming.headed = true;
                look_at(&mut coming.watch, header)?;
            }
            let here = coming.scan.size();
            coming.watch.look_again(header, here, early)?;
        }
        coming.writer.push(octets).await.map_err(store_failed)
    }

    /// Ends it: what was taken is kept.
    ///
    /// # Errors
    /// The message is refused, or the store failed.
    pub(crate) async fn finish(self) -> Result<Content<W>, Rejection> {
        match self {
            Intake::Refused(rejection) => Err(rejection),
            Intake::Coming(coming) => {
                let Coming {
                    scan,
                    writer,
                    headed,
                    mut watch,
                } = *coming;
                let scanned = scan.finish()?;
                // A message without a body: its header ends with it.
                if !headed {
                    look_at(&mut watch, &scanned.header)?;
                }
                let body = writer.finish().await.map_err(store_failed)?;
                Ok(Content {
                    scanned,
                    body,
                    watch,
                })
            }
        }
    }
}

/// Refuses what no header section may show, then asks who looks.
fn look_at(watch: &mut impl Watch, header: &HeaderFacts) -> Result<(), Rejection> {
    // RFC 5321 §6.3: a message that was received too often goes round.
    if header.received > limits::RECEIVED_FIELDS {
        return Err(Rejection::Loop);
    }
    // RFC 6532 §3.2: octets in a header that nobody announced.
    if header.non_ascii && !watch.takes_utf8() {
        return Err(Rejection::HeaderOctets);
    }
    watch.look_at(header)
}
