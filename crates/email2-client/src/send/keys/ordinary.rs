//! A recipient whose domain does not speak Email 2.0: their key is looked for in the directories of
//! their domain (spec §12.3); else one counts that was known before, or that their mail told
//! (spec §12.6.1).

use email2::Assurance;
use email2::address::Address;
use email2_remote::KeySource;
use email2_store::StoreError;

use super::{Asking, Found, Reach, RecipientKey, Told};
use crate::learnt::{self, Teller};
use crate::pin::{self, PinError};
use crate::send::Encryption;
use crate::send::report::{Doubt, Mail, State, Step};
use crate::send::route::Routed;
use crate::{Client, autocrypt};

/// Ordinary mail goes by one's own server, always (spec §12.6.2).
const BY_SERVER: Reach = Reach {
    mail: Mail::Ordinary,
    by_server: true,
    doubt: None,
};

/// Finds the key of such a recipient. A directory that cannot be asked holds no mail (spec
/// §12.3.4): only a key that is found, or was known, is encrypted to.
pub(super) async fn find(
    asking: Asking<'_>,
    recipient: Routed,
    doubt: Option<Doubt>,
    found: &mut Found,
) -> Result<(), StoreError> {
    let (client, who) = (asking.client, &recipient.address);
    let reach = Reach { doubt, ..BY_SERVER };
    if asking.options.encryption == Encryption::Refuse {
        return asking.keyed(recipient, reach, None, found).await;
    }
    match client.remote.ordinary_key(who).await {
        Ok(Some(key)) => {
            let told = Told {
                assurance: Some(assurance(key.source)),
                certificate: key.certificate,
                etag: None,
            };
            return asking
                .settle(recipient, told, (Teller::Directory, reach), found)
                .await;
        }
        Ok(None) => {}
        Err(error) => asking.watch.step(Step::NoDirectory {
            address: who.clone(),
            why: error.to_string(),
        }),
    }
    match known(client, who).await {
        Ok(key) => asking.keyed(recipient, reach, key, found).await,
        Err(PinError::Store(error)) => Err(error),
        Err(error) => {
            let report = super::refused(recipient, State::Refused, &error);
            found.refused.push(report);
            Ok(())
        }
    }
}

fn assurance(source: KeySource) -> Assurance {
    match source {
        KeySource::Directory => Assurance::Wkd,
        KeySource::Dns => Assurance::Dnssec,
    }
}

/// The key that is known already: the one compared with a better word first.
async fn known(client: &Client, who: &Address) -> Result<Option<RecipientKey>, PinError> {
    let store = client.store();
    if let Some(certificate) = pin::known(store, who).await? {
        let source = learnt::source(store, who, certificate.primary()).await?;
        return Ok(Some(RecipientKey {
            certificate,
            etag: None,
            source,
        }));
    }
    let told = autocrypt::known(store, who).await?;
    Ok(told.map(|certificate| RecipientKey {
        certificate,
        etag: None,
        source: Teller::Autocrypt,
    }))
}
