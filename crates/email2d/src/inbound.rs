//! The steps of the incoming path, in its order; each goes from one named type to the next.

pub(crate) mod envelope;

pub(crate) mod destination;

pub(crate) mod spool;

pub(crate) mod signer;

pub(crate) mod ordinary;

pub(crate) mod evidence;

pub(crate) mod policy;

pub(crate) mod accept;
