//! TLS to hosts of ordinary mail, which may be anybody's certificate (RFC 7435, spec §12.2). It
//! has a type of its own: no session of Email 2.0 can be made from it, nor a password sent.

use std::sync::Arc;

use super::verifier::Demand;
use super::{AcceptedName, ClientTls, Pins, TlsAsk};
use crate::net::Stream;
use crate::tls::TlsFailure;

/// How far a host of ordinary mail must show who it is.
#[derive(Clone, Debug)]
pub enum OrdinaryTrust {
    /// Encrypted with whoever answers: better than nothing, and nothing more (RFC 7435).
    Anybody,
    /// By an authority, for the name of the host (MTA-STS, RFC 8461 §4.1).
    Named,
    /// By DNS (DANE, RFC 7672).
    Pinned(Arc<dyn Pins>),
}

/// A connection to a host of ordinary mail, encrypted.
pub struct OrdinarilySecured {
    /// The octets, in clear on our side.
    pub stream: Stream,
    /// The name that the host was authenticated for, if it was, demanded or not.
    pub matched: Option<AcceptedName>,
}

impl ClientTls {
    /// Performs the handshake with a host of ordinary mail. `ask.pins` is not looked at.
    ///
    /// # Errors
    /// As [`TlsFailure`] says.
    pub async fn connect_ordinary(
        &self,
        stream: Stream,
        ask: &TlsAsk,
        trust: &OrdinaryTrust,
    ) -> Result<OrdinarilySecured, TlsFailure> {
        let demand = match trust {
            OrdinaryTrust::Anybody => Demand::Nothing,
            OrdinaryTrust::Named => Demand::Verified(None),
            OrdinaryTrust::Pinned(pins) => Demand::Pinned(Arc::clone(pins)),
        };
        let verifier = Arc::new(self.verifier(ask.names.clone(), demand));
        let stream = self.shake_hands(stream, ask, &verifier).await?;
        Ok(OrdinarilySecured {
            stream: Box::new(stream),
            matched: verifier.matched(),
        })
    }
}
