//! The content of a message that is not sealed yet: kept as it came, if its author may send it.

use email2::header::HeaderFacts;
use email2::rejection::Rejection;
use email2_smtp::server::Event;
use email2_store::{BodyWriter, StoreError};

use super::Written;
use super::permit::permit_written;
use crate::content::{Content, Intake, Received, Watch};
use crate::session::{Caller, Session};
use crate::trace;

/// A whole message as its author's program sent it.
pub(super) type Taken<'a> = Content<&'a Written>;

/// Takes the content from the connection. `None`: the connection ended, the client took the
/// transaction back, or the machine answered already.
pub(super) async fn take<'a>(
    session: &mut Session,
    written: &'a Written,
    first: Event,
) -> Option<Result<Taken<'a>, Rejection>> {
    let writer = begin_body(&session.caller, written).await;
    let intake = Intake::begin(writer, false, written);
    match intake.receive(&mut session.driver, first).await {
        Received::Whole(content) => Some(*content),
        Received::Reset(rejection) => {
            session.forget(rejection);
            None
        }
        Received::Ended => None,
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

impl Watch for &Written {
    fn look_at(&mut self, header: &HeaderFacts) -> Result<(), Rejection> {
        permit_written(self, header)
    }

    fn takes_utf8(&self) -> bool {
        self.mail.smtputf8
    }
}
