//! A dialogue that stays open from one message to the next (RFC 5321 §3.3): the second message to
//! a domain needs no connection of its own.

use email2::Domain;

use crate::connect::Session;
use crate::remote::Remote;
use crate::way::Spoken;

/// What a delivery left open for the next one to the same domain; [`Remote::hang_up`] ends it.
#[derive(Debug, Default)]
pub struct Line {
    kept: Option<Kept>,
}

#[derive(Debug)]
struct Kept {
    domain: Domain,
    spoken: Spoken,
    session: Session,
}

impl Remote {
    /// Says goodbye; nobody waits for that.
    pub fn hang_up(&self, line: Line) {
        if let Some(kept) = line.kept {
            self.part(kept.session);
        }
    }

    /// The dialogue that was left open, if it is one of this kind with `domain`, what
    /// authenticated its host still counts, and nothing came unasked (spec §12.5.11).
    pub(crate) fn resume(
        &self,
        line: &mut Line,
        domain: &Domain,
        spoken: Spoken,
    ) -> Option<Session> {
        let mut kept = line.kept.take()?;
        let now = self.world().clock.monotonic();
        let fits = kept.domain == *domain && kept.spoken == spoken;
        if fits && kept.session.is_young(now) && kept.session.is_quiet() {
            return Some(kept.session);
        }
        self.part(kept.session);
        None
    }

    /// Leaves `session` open for the next message.
    pub(crate) fn leave_open(
        &self,
        line: &mut Line,
        domain: &Domain,
        spoken: Spoken,
        session: Session,
    ) {
        let kept = Kept {
            domain: domain.clone(),
            spoken,
            session,
        };
        if let Some(before) = line.kept.replace(kept) {
            self.part(before.session);
        }
    }
}
