//! Keys of people whose domain does not speak Email 2.0: those that their mail told.

use email2::certificate::Certificate;
use email2::{Address, Fingerprint};
use email2_client::learnt::{self, Teller};
use email2_client::{Client, autocrypt, pin};

use super::{Listed, show};
use crate::command::context::Context;
use crate::exit::{Code, Failure, Outcome};

/// Shows the key that somebody is known by, and who told it; with `accepted` takes the one that
/// waits in place of the earlier.
pub(super) async fn fetch(
    context: &Context,
    client: &Client,
    of: &Address,
    accepted: Option<&Fingerprint>,
) -> Outcome {
    let told = match accepted {
        Some(seen) => autocrypt::accept_held(client.store(), of, seen)
            .await?
            .map(|taken| (taken, Teller::Autocrypt)),
        None => known(client, of).await?,
    };
    let (certificate, source) = told.ok_or_else(|| {
        let line = format!("{of} does not speak Email 2.0, and no such key of theirs is known");
        Failure::new(Code::NoUser, line)
    })?;
    let now = client.world().now();
    show(context, &certificate, now, Some(source.as_str().to_owned()))
}

/// The key that somebody is known by, and who told it.
pub(super) async fn known(
    client: &Client,
    of: &Address,
) -> Result<Option<(Certificate, Teller)>, Failure> {
    let store = client.store();
    if let Some(pinned) = pin::known(store, of).await? {
        let source = learnt::source(store, of, pinned.primary()).await?;
        return Ok(Some((pinned, source)));
    }
    let told = autocrypt::known(store, of).await?;
    Ok(told.map(|certificate| (certificate, Teller::Autocrypt)))
}

/// Those keys in the list of all.
pub(super) async fn listed(client: &Client) -> Result<Vec<Listed>, Failure> {
    let told = autocrypt::all(client.store()).await?;
    let listed = told.into_iter().map(|(address, primary, held)| Listed {
        address: address.to_string(),
        primary: primary.to_string(),
        standing: if held {
            "told by mail, held"
        } else {
            "told by mail"
        },
        verified: false,
    });
    Ok(listed.collect())
}
