//! To whom: the recipients, each once, with whether others may see them.

use email2::address::Address;

use super::compose::Composed;

/// A recipient on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// Who.
    pub address: Address,
    /// Nobody else may learn of this recipient (spec §5.4.1).
    pub blind: bool,
}

/// The recipients of a message. Who is both visible and blind is visible.
#[must_use]
pub fn route(composed: &Composed) -> Vec<Routed> {
    let visible = composed.visible.iter().map(|address| (address, false));
    let blind = composed.bcc.iter().map(|address| (address, true));
    let mut routed: Vec<Routed> = Vec::new();
    for (address, blind) in visible.chain(blind) {
        if !routed.iter().any(|known| known.address == *address) {
            routed.push(Routed {
                address: address.clone(),
                blind,
            });
        }
    }
    routed
}
