//! Who told a correspondent's key, where it was not the correspondent's own domain: kept beside the
//! pin, and shown (spec §12.6.5).

use email2::Fingerprint;
use email2::address::Address;
use email2_store::block::Scope;
use email2_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

/// Who told a key; the later in this list, the less it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Teller {
    /// The correspondent's own domain, by `KEY`.
    Domain,
    /// A directory of the correspondent's domain for ordinary mail: WKD or OPENPGPKEY.
    Directory,
    /// One's own server, which asked in one's place (spec §3.10.5).
    OwnServer,
    /// A field of an ordinary message: nothing vouches for it.
    Autocrypt,
}

impl Teller {
    /// The stable word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Teller::Domain => "domain",
            Teller::Directory => "directory",
            Teller::OwnServer => "own-server",
            Teller::Autocrypt => "autocrypt",
        }
    }
}

/// A key was told, and settled: what is said of it from now on. The better word counts: a key that
/// its own domain told is not worth less because somebody else says the same.
///
/// # Errors
/// The store failed.
pub async fn note(
    store: &Store,
    who: &Address,
    primary: &Fingerprint,
    told: Teller,
) -> Result<Teller, StoreError> {
    let before = read(store, who, primary).await?;
    if let Some(before) = before.filter(|before| *before <= told) {
        return Ok(before);
    }
    let value = format!("{} {primary}", told.as_str()).into_bytes();
    let kept = vec![(name(who), Some(value))];
    store.set(Scope::Server, kept).await?;
    Ok(told)
}

/// Who told the key that a correspondent is known by.
///
/// # Errors
/// The store failed.
pub async fn source(
    store: &Store,
    who: &Address,
    primary: &Fingerprint,
) -> Result<Teller, StoreError> {
    let noted = read(store, who, primary).await?;
    Ok(noted.unwrap_or(Teller::Domain))
}

async fn read(
    store: &Store,
    who: &Address,
    primary: &Fingerprint,
) -> Result<Option<Teller>, StoreError> {
    let kept = store.setting(Scope::Server, &name(who)).await?;
    let text = String::from_utf8(kept.unwrap_or_default()).unwrap_or_default();
    let all = [
        Teller::Domain,
        Teller::Directory,
        Teller::OwnServer,
        Teller::Autocrypt,
    ];
    let found = all.into_iter().find(|source| {
        let noted = text.strip_prefix(source.as_str());
        noted.and_then(|rest| rest.strip_prefix(' ')) == Some(&primary.to_string())
    });
    Ok(found)
}

fn name(who: &Address) -> String {
    format!("learnt/{who}")
}
