//! The Web Key Directory (draft-koch-openpgp-webkey-service §3.1): where an address has its
//! certificate, and whether what was answered there agrees with what its mail host answers
//! (spec §2.2, way d).

use email2::certificate::Certificate;
use email2::certificate::succession::{Succession, succeed};
use email2::wkd::Method;
use email2::{Address, Identity};
use email2_io::aside::aside;

use crate::https::{FetchError, Page};
use crate::remote::Remote;

/// What a directory says of an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoEntry {
    /// There is no directory: its host does not exist.
    #[error("{0}")]
    NoDirectory(String),
    /// The directory, or the host in its place, has nothing for the address.
    #[error("{0}")]
    Nothing(String),
    /// Its host shows a certificate of another name.
    #[error("{0}")]
    WrongName(String),
    /// It cannot be asked, or answers what is none.
    #[error("{0}")]
    Failed(String),
}

/// What the advanced host of a directory has for an address, for way (d) of spec §2.2.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// These certificates bind the address.
    Has(Vec<Certificate>),
    /// Definitely nothing (spec §2.2.2).
    Absent(String),
    /// It could not be asked.
    Unasked(String),
}

impl Remote {
    /// The certificates that the directory of the address has for it: by the advanced method; by
    /// the direct one only where the advanced host does not exist in DNS (spec §12.3.2).
    pub(super) async fn in_directory(
        &self,
        address: &Address,
    ) -> Result<Vec<Certificate>, NoEntry> {
        match self.entry_by(Method::Advanced, address).await {
            Err(NoEntry::NoDirectory(_)) => self.entry_by(Method::Direct, address).await,
            other => other,
        }
    }

    /// What the directory's advanced host has for `address`; the direct method, which any web host
    /// of the domain could answer, authenticates nothing (spec §2.2.6).
    pub(super) async fn directory_entry(&self, address: &Address) -> Entry {
        match self.entry_by(Method::Advanced, address).await {
            Ok(there) => Entry::Has(there),
            Err(NoEntry::Failed(why)) => Entry::Unasked(why),
            Err(absent) => Entry::Absent(absent.to_string()),
        }
    }

    async fn entry_by(
        &self,
        method: Method,
        address: &Address,
    ) -> Result<Vec<Certificate>, NoEntry> {
        let page = page(method, address)?;
        let host = page.host.clone();
        let answered = self.fetch(&page).await?;
        let failed = |why: &str| NoEntry::Failed(format!("https://{host}: {why}"));
        let kind = answered.media_type.as_deref().unwrap_or_default();
        if kind.starts_with("text/html") {
            return Err(failed("a web page, not a key"));
        }
        let found = bound(answered.body, address).await;
        let found = found.map_err(|why| failed(&why))?;
        if found.is_empty() {
            let why = format!("https://{host}: its key is not one of {address}");
            return Err(NoEntry::Failed(why));
        }
        Ok(found)
    }
}

/// The certificates in `octets` that bind `address`, each reduced to that User ID; read away from
/// the I/O threads.
pub(super) async fn bound(octets: Vec<u8>, address: &Address) -> Result<Vec<Certificate>, String> {
    let who = Identity::Address(address.clone());
    let read = aside(move || {
        let all = Certificate::parse_all(&octets)?;
        Ok(all.iter().filter_map(|one| one.reduced_to(&who)).collect())
    });
    match read.await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err::<_, email2::certificate::CertificateError>(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

impl From<FetchError> for NoEntry {
    fn from(error: FetchError) -> Self {
        let why = error.to_string();
        match error {
            FetchError::NoHost(_) => NoEntry::NoDirectory(why),
            FetchError::NoPage(_) => NoEntry::Nothing(why),
            FetchError::WrongName { .. } => NoEntry::WrongName(why),
            FetchError::Fenced { .. } | FetchError::Failed { .. } => NoEntry::Failed(why),
        }
    }
}

/// Whether one of `there` has the primary key of `here`, or a signed transition links them.
pub(super) fn is_linked_to_any(there: &[Certificate], here: &Certificate) -> bool {
    let leads = |old, new| matches!(succeed(old, new), Ok(Succession::Transition(_)));
    there
        .iter()
        .any(|there| there.primary() == here.primary() || leads(there, here) || leads(here, there))
}

/// Where `method` finds the entry of `address`.
fn page(method: Method, address: &Address) -> Result<Page, NoEntry> {
    let collides = || NoEntry::Failed(format!("{address} is made to collide under SHA-1"));
    Ok(Page {
        host: method.host(address.domain()),
        path: method.target(address).ok_or_else(collides)?,
        domain: address.domain().clone(),
        exact: method == Method::Advanced,
    })
}
