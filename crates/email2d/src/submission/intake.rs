//! The content of a message that is not sealed yet: scanned while it arrives, kept as it came.

use email2::header::HeaderFacts;
use email2::limits;
use email2::rejection::Rejection;
use email2::scan::{Scan, Scanned};
use email2_smtp::server::Event;
use email2_store::{BodyWriter, SpooledBody, StoreError};

use super::Written;
use super::permit::permit_written;
use crate::inbound::accept::store_failed;
use crate::session::{Caller, Session};
use crate::trace;

/// A whole message as its author's program sent it.
pub(super) struct Taken {
    /// What the one pass found.
    pub(super) scanned: Scanned,
    /// The octets.
    pub(super) body: SpooledBody,
}

/// Takes the content from the connection. `None`: the connection ended, the client took the
/// transaction back, or the machine answered already.
pub(super) async fn take(
    session: &mut Session,
    written: &Written,
    first: Event,
) -> Option<Result<Taken, Rejection>> {
    let mut intake = Intake::begin(&session.caller, written).await;
    let mut event = first;
    loop {
        match event {
            Event::Content(octets) => {
                if let Err(rejection) = intake.take(written, &octets).await {
                    session.driver.machine().refuse_content(rejection.clone());
                    intake = Intake::Refused(rejection);
                }
            }
            Event::ContentEnd(_) => return Some(intake.finish(written).await),
            Event::Reset(rejection) => {
                session.forget(rejection);
                return None;
            }
            _ => return None,
        }
        event = session.driver.next().await.ok().flatten()?;
    }
}

/// What is not protected and sealed here leaves behind our trace field; the octets below it stay
/// as they came.
async fn begin_body(caller: &Caller, written: &Written) -> Result<Box<dyn BodyWriter>, StoreError> {
    let mut writer = caller.site.store.write_body().await?;
    if written.held().is_none() {
        let field = trace::relayed(caller, &written.id);
        writer.push(&field).await?;
    }
    Ok(writer)
}

/// A message that is coming in, or why it is not wanted any more.
enum Intake {
    Coming(Box<Coming>),
    Refused(Rejection),
}

struct Coming {
    scan: Scan,
    writer: Box<dyn BodyWriter>,
    /// The header is complete and was looked at.
    headed: bool,
}

impl Intake {
    async fn begin(caller: &Caller, written: &Written) -> Intake {
        match begin_body(caller, written).await {
            Ok(writer) => Intake::Coming(Box::new(Coming {
                scan: Scan::new(false),
                writer,
                headed: false,
            })),
            Err(error) => Intake::Refused(store_failed(error)),
        }
    }

    async fn take(&mut self, written: &Written, octets: &[u8]) -> Result<(), Rejection> {
        let Intake::Coming(coming) = self else {
            return Ok(());
        };
        coming.scan.push(octets)?;
        if let Some(header) = coming.scan.header().filter(|_| !coming.headed) {
            coming.headed = true;
            look_at(written, header)?;
        }
        coming.writer.push(octets).await.map_err(store_failed)
    }

    async fn finish(self, written: &Written) -> Result<Taken, Rejection> {
        match self {
            Intake::Refused(rejection) => Err(rejection),
            Intake::Coming(coming) => {
                let scanned = coming.scan.finish()?;
                // A message without a body: its header ends with it.
                if !coming.headed {
                    look_at(written, &scanned.header)?;
                }
                let body = coming.writer.finish().await.map_err(store_failed)?;
                Ok(Taken { scanned, body })
            }
        }
    }
}

/// Refuses what the header section shows by itself, before the body comes.
fn look_at(written: &Written, header: &HeaderFacts) -> Result<(), Rejection> {
    // RFC 5321 §6.3: a message that was received too often goes round.
    if header.received > limits::RECEIVED_FIELDS {
        return Err(Rejection::Loop);
    }
    // RFC 6532 §3.2: octets in a header that nobody announced.
    if header.non_ascii && !written.mail.smtputf8 {
        return Err(Rejection::HeaderOctets);
    }
    permit_written(written, header)
}
