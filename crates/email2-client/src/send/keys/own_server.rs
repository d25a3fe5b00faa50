//! Where the recipient's server cannot be reached from this network, one's own is asked for the
//! key, and carries the sealed message on (spec §3.10, §12.6.4).

use email2_store::StoreError;

use super::{Asking, Found, Reach, Told};
use crate::home;
use crate::learnt::Teller;
use crate::send::report::{Mail, Step};
use crate::send::route::Routed;

/// Asks one's own server, because the recipient's could not be asked: `why`. It can say which key
/// there is; that there is none is not its to say (spec §5.5.1). Whoever it knows no more of comes
/// back, with both reasons.
pub(super) async fn ask(
    asking: Asking<'_>,
    recipient: Routed,
    why: String,
    found: &mut Found,
) -> Result<Option<(Routed, String)>, StoreError> {
    let too = match home::foreign_key(asking.client, &recipient.address).await {
        Ok(key) if key.assurance.is_some() => {
            asking.watch.step(Step::ByServer {
                address: recipient.address.clone(),
                why,
            });
            let reach = Reach {
                mail: Mail::Sealed,
                by_server: true,
                doubt: None,
            };
            let told = Told::by_server(key);
            asking
                .settle(recipient, told, (Teller::OwnServer, reach), found)
                .await?;
            return Ok(None);
        }
        Ok(_) => "it does not say what authenticates the key".to_owned(),
        Err(error) => error.to_string(),
    };
    let words = format!("{why}; nor does your own server know more: {too}");
    Ok(Some((recipient, words)))
}
