//! The content: read once, hashed and scanned while it arrives, spooled to where it stays.

use email2::address::Address;
use email2::header::HeaderFacts;
use email2::limits;
use email2::rejection::Rejection;
use email2::scan::{Scan, Scanned};
use email2::verdict::foresee_signer;
use email2_smtp::server::Event;
use email2_store::{BodyReader, BodyWriter, SpooledBody, StoreError};

use super::accept::store_failed;
use super::envelope::Envelope;
use super::signer::Lookups;
use crate::session::{Caller, Session};
use crate::trace;

/// Octets of a kept message that are read at once.
const PIECE: usize = 64 * 1024;

/// A whole message, on stable storage or small enough to be committed with its row.
pub(crate) struct Spooled {
    /// What the one pass found.
    pub(crate) scanned: Scanned,
    /// The octets.
    pub(crate) body: SpooledBody,
    /// The questions about its signers, under way.
    pub(crate) lookups: Lookups,
}

/// Takes the content from the connection. `None`: the connection ended, the client took the
/// transaction back, or the machine answered already (by a refusal of its own, or by one of
/// ours that it was told on the way).
pub(crate) async fn spool(
    session: &mut Session,
    envelope: &Envelope,
    first: Event,
) -> Option<Result<Spooled, Rejection>> {
    let mut intake = Intake::begin(&session.caller, envelope).await;
    let mut event = first;
    loop {
        match event {
            Event::Content(octets) => {
                if let Err(rejection) = intake.take(&session.caller, envelope, &octets).await {
                    session.driver.machine().refuse_content(rejection.clone());
                    intake = Intake::Refused(rejection);
                }
            }
            Event::ContentEnd(_) => return Some(intake.finish(&session.caller, envelope).await),
            Event::Reset(rejection) => {
                session.forget(rejection);
                return None;
            }
            _ => return None,
        }
        event = session.driver.next().await.ok().flatten()?;
    }
}

/// Takes the content of a message that this server kept itself.
///
/// # Errors
/// The content's own rejection, or the store failed.
pub(crate) async fn again(
    caller: &Caller,
    envelope: &Envelope,
    body: &dyn BodyReader,
) -> Result<Spooled, Rejection> {
    let mut intake = Intake::begin(caller, envelope).await;
    let mut offset = 0;
    while offset < body.size() {
        let octets = body.read(offset, PIECE).await.map_err(store_failed)?;
        offset += octets.len() as u64;
        if octets.is_empty() {
            break;
        }
        intake.take(caller, envelope, &octets).await?;
    }
    intake.finish(caller, envelope).await
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
    lookups: Lookups,
    /// The top seal was judged by its signer's key.
    keyed: bool,
}

impl Intake {
    async fn begin(caller: &Caller, envelope: &Envelope) -> Intake {
        match begin_body(caller, envelope).await {
            Ok(writer) => Intake::Coming(Box::new(Coming {
                scan: Scan::new(envelope.mail.announced.is_some()),
                writer,
                headed: false,
                lookups: Lookups::default(),
                keyed: !envelope.is_large(),
            })),
            Err(error) => Intake::Refused(store_failed(error)),
        }
    }

    async fn take(
        &mut self,
        caller: &Caller,
        envelope: &Envelope,
        octets: &[u8],
    ) -> Result<(), Rejection> {
        let Intake::Coming(coming) = self else {
            return Ok(());
        };
        coming.scan.push(octets)?;
        if let Some(header) = coming.scan.header().filter(|_| !coming.headed) {
            coming.headed = true;
            look_at(caller, envelope, header)?;
            coming.lookups.begin(caller, envelope, header);
        }
        coming.look_at_signer()?;
        coming.writer.push(octets).await.map_err(store_failed)
    }

    async fn finish(self, caller: &Caller, envelope: &Envelope) -> Result<Spooled, Rejection> {
        match self {
            Intake::Refused(rejection) => Err(rejection),
            Intake::Coming(mut coming) => {
                let scanned = coming.scan.finish()?;
                // A message without a body: its header ends with it.
                if !coming.headed {
                    look_at(caller, envelope, &scanned.header)?;
                    coming.lookups.begin(caller, envelope, &scanned.header);
                }
                let body = coming.writer.finish().await.map_err(store_failed)?;
                Ok(Spooled {
                    scanned,
                    body,
                    lookups: coming.lookups,
                })
            }
        }
    }
}

impl Coming {
    /// Refuses a large message whose top seal is forged as soon as that can be told
    /// (spec §4.12).
    fn look_at_signer(&mut self) -> Result<(), Rejection> {
        let Some(header) = self.scan.header().filter(|_| self.headed && !self.keyed) else {
            return Ok(());
        };
        let Some(signer) = self.lookups.at_hand() else {
            return Ok(());
        };
        self.keyed = true;
        foresee_signer(header, signer)
    }
}

/// What is carried on begins with our trace field; the octets below it stay as they came
/// (spec §4.7.1, §3.10.1).
async fn begin_body(
    caller: &Caller,
    envelope: &Envelope,
) -> Result<Box<dyn BodyWriter>, StoreError> {
    let mut writer = caller.site.store.write_body().await?;
    if let Some(onward) = &envelope.onward {
        let field = trace::carried(caller, envelope, &onward.id);
        writer.push(&field).await?;
    }
    Ok(writer)
}

/// Refuses what the header section shows by itself.
fn look_at(caller: &Caller, envelope: &Envelope, header: &HeaderFacts) -> Result<(), Rejection> {
    // RFC 5321 §6.3: a message that was received too often goes round.
    if header.received > limits::RECEIVED_FIELDS {
        return Err(Rejection::Loop);
    }
    // What came to one of these before comes round (spec §14.2.1).
    if comes_again(envelope, header) {
        return Err(Rejection::Loop);
    }
    // spec §4.7.3: below a seal nobody speaks for our own checks.
    let announced = envelope.mail.announced.is_some();
    if announced && header.claims_results_of(caller.site.config.hostname.as_str()) {
        return Err(Rejection::FieldBelowSeal {
            field: "Authentication-Results".to_owned(),
        });
    }
    // RFC 6532 §3.2: octets in a sealed header that nobody announced.
    if announced && header.non_ascii && !envelope.mail.smtputf8 {
        return Err(Rejection::HeaderOctets);
    }
    envelope.foresee(caller.site.world.now(), header)
}

/// Was it delivered to one of its recipients before?
fn comes_again(envelope: &Envelope, header: &HeaderFacts) -> bool {
    let addresses = envelope.addresses();
    let delivered = header.kept.iter();
    let mut delivered = delivered.filter(|field| field.name.eq_ignore_ascii_case("Delivered-To"));
    delivered.any(|field| {
        let to = String::from_utf8_lossy(&field.value);
        Address::parse(to.trim()).is_ok_and(|to| addresses.contains(&to))
    })
}
