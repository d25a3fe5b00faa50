//! The content: read once, hashed and scanned while it arrives, its signers asked meanwhile.

use email2::address::Address;
use email2::header::HeaderFacts;
use email2::rejection::Rejection;
use email2::scan::Scanned;
use email2::verdict::foresee_signer;
use email2_smtp::server::Event;
use email2_store::{BodyReader, BodyWriter, SpooledBody, StoreError};

use super::accept::store_failed;
use super::envelope::{AT_ONCE, Envelope};
use super::signer::Lookups;
use crate::content::{Content, Intake, Received, Watch};
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
/// transaction back, or the machine answered already.
pub(crate) async fn spool(
    session: &mut Session,
    envelope: &Envelope,
    first: Event,
) -> Option<Result<Spooled, Rejection>> {
    let intake = begin(&session.caller, envelope).await;
    match intake.receive(&mut session.driver, first).await {
        Received::Whole(content) => Some((*content).map(Spooled::from)),
        Received::Reset(rejection) => {
            session.forget(rejection);
            None
        }
        Received::Ended => None,
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
    let mut intake = begin(caller, envelope).await;
    let mut offset = 0;
    while offset < body.size() {
        let octets = body.read(offset, PIECE).await.map_err(store_failed)?;
        offset += octets.len() as u64;
        if octets.is_empty() {
            break;
        }
        intake.take(&octets, false).await?;
    }
    Ok(Spooled::from(intake.finish().await?))
}

async fn begin<'a>(caller: &'a Caller, envelope: &'a Envelope) -> Intake<Arriving<'a>> {
    let arriving = Arriving {
        caller,
        envelope,
        lookups: Lookups::default(),
        keyed: !envelope.is_large(),
    };
    let writer = begin_body(caller, envelope).await;
    Intake::begin(writer, envelope.mail.announced.is_some(), arriving)
}

/// Asks for the keys of who signed, and refuses what can be told to be forged.
struct Arriving<'a> {
    caller: &'a Caller,
    envelope: &'a Envelope,
    lookups: Lookups,
    /// The top seal was judged by its signer's key.
    keyed: bool,
}

impl Watch for Arriving<'_> {
    fn look_at(&mut self, header: &HeaderFacts) -> Result<(), Rejection> {
        look_at(self.caller, self.envelope, header)?;
        self.lookups.begin(self.caller, self.envelope, header);
        Ok(())
    }

    /// Refuses a message whose top seal is forged as soon as that can be told and is worth it: a
    /// small one is judged, and its seal verified, when it is whole (spec §4.12).
    fn look_again(
        &mut self,
        header: &HeaderFacts,
        here: u64,
        early: bool,
    ) -> Result<(), Rejection> {
        if self.keyed || !(early || here > AT_ONCE) {
            return Ok(());
        }
        let Some(signer) = self.lookups.at_hand() else {
            return Ok(());
        };
        self.keyed = true;
        foresee_signer(header, signer)
    }

    fn takes_utf8(&self) -> bool {
        let mail = &self.envelope.mail;
        mail.announced.is_none() || mail.smtputf8
    }
}

impl From<Content<Arriving<'_>>> for Spooled {
    fn from(content: Content<Arriving<'_>>) -> Spooled {
        Spooled {
            scanned: content.scanned,
            body: content.body,
            lookups: content.watch.lookups,
        }
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
