//! Signing, and encrypting where it can be done, for users whose key this server holds
//! (spec §13.4): off the I/O threads.

use email2::address::Address;
use email2::capability;
use email2::certificate::Certificate;
use email2::content::{self, Audience, ContentError, Mode, OuterTo, Protect};
use email2::secret::SecretKey;
use email2_io::aside::aside;

use super::prepare::header_of;
use crate::site::Site;

/// Why a message cannot be protected.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProtectError {
    /// The message, or a key, does not allow it.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The work was given up.
    #[error("the work was given up: {0}")]
    Aside(#[from] tokio::task::JoinError),
}

/// A recipient whose certificate is encrypted to.
#[derive(Clone, Debug)]
pub(crate) struct Keyed {
    /// Who.
    pub(crate) address: Address,
    /// To what.
    pub(crate) certificate: Certificate,
}

/// A ciphertext, and to which of those given.
#[derive(Debug)]
pub(crate) struct Encrypted {
    /// Who reads it: places in what was given.
    pub(crate) audience: Audience,
    /// The octets.
    pub(crate) octets: Vec<u8>,
}

/// The message, signed only (spec §5.1).
///
/// # Errors
/// See [`ProtectError`].
pub(crate) async fn signed(
    site: &Site,
    key: SecretKey,
    from: Address,
    message: Vec<u8>,
) -> Result<Vec<u8>, ProtectError> {
    let (now, mut rng) = (site.world.now(), site.world.rng());
    let work = move || {
        let request = Protect {
            message: &message,
            author: &key,
            from: &from,
            mode: Mode::SignOnly,
            outer_to: OuterTo::Hidden,
            outside: &[],
            now,
        };
        content::protect(&request, &mut rng)
    };
    Ok(aside(work).await??)
}

/// The message, signed and encrypted: a ciphertext for each audience (spec §5.8.1).
///
/// # Errors
/// See [`ProtectError`].
pub(crate) async fn encrypted(
    site: &Site,
    key: SecretKey,
    from: Address,
    message: Vec<u8>,
    (to, outer_to): (Vec<Keyed>, OuterTo),
) -> Result<Vec<Encrypted>, ProtectError> {
    let (now, mut rng) = (site.world.now(), site.world.rng());
    // Inside the ciphertext the demand would bind nobody (spec §12.5.2).
    let outside = match capability::is_required(header_of(&message)) {
        true => capability::required_field(),
        false => String::new(),
    };
    let work = move || {
        let certificates: Vec<_> = to.iter().map(|to| to.certificate.clone()).collect();
        let audiences = content::audiences(&certificates, now).into_iter();
        let each = audiences.map(|audience| {
            let members: Vec<&Keyed> = audience
                .members
                .iter()
                .filter_map(|at| to.get(*at))
                .collect();
            let certificates: Vec<_> = members.iter().map(|to| to.certificate.clone()).collect();
            let request = Protect {
                message: &[known_keys(&members).as_bytes(), &message].concat(),
                author: &key,
                from: &from,
                mode: Mode::Encrypt {
                    to: &certificates,
                    also_self: false,
                    container: audience.container,
                },
                outer_to: outer_to.clone(),
                outside: outside.as_bytes(),
                now,
            };
            let octets = content::protect(&request, &mut rng)?;
            Ok(Encrypted { audience, octets })
        });
        each.collect::<Result<Vec<_>, ContentError>>()
    };
    Ok(aside(work).await??)
}

/// By which keys the author knows those who read this copy (spec §5.3.4).
fn known_keys(members: &[&Keyed]) -> String {
    let lines = members.iter().map(|to| {
        let (field, primary) = (capability::KNOWN_KEY_FIELD, to.certificate.primary());
        format!("{field}: {}; {primary}\r\n", to.address)
    });
    lines.filter(|line| line.is_ascii()).collect()
}
