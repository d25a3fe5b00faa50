//! The secrets behind what mediators write into addresses and links: 32 octets each, in a file
//! beside the keys, made when they are first needed.

use std::io;

use rand_core::RngCore as _;

use crate::service_key;
use crate::site::Site;

/// Octets of a secret.
pub(super) const OCTETS: usize = 32;

/// The secret in `keys/NAME.key`.
///
/// # Errors
/// The file cannot be read or made.
pub(super) fn octets(site: &Site, name: &str) -> io::Result<[u8; OCTETS]> {
    let folder = service_key::folder(&site.config.data_directory);
    let path = folder.join(format!("{name}.key"));
    let read = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut octets = [0; OCTETS];
            site.world.rng().fill_bytes(&mut octets);
            // Whoever comes second finds what the first one kept.
            match service_key::write(&path, &octets) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => std::fs::read(&path),
            }
        }
        read => read,
    };
    let wrong = |_| io::Error::new(io::ErrorKind::InvalidData, "it has not 32 octets");
    read?.try_into().map_err(wrong)
}
