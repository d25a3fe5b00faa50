//! The certificates a server shows, and the files they come from.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::CertificateFiles;
use crate::clock::Clock;
use crate::tls::{TlsError, dns_names, validity};

/// Files are looked at no more often than this.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A certificate that ends within this time is warned of, seconds: 14 days.
const SOON: u64 = 14 * 86_400;

/// One pair of files as it was read.
#[derive(Debug)]
struct Pair {
    files: CertificateFiles,
    stamp: Stamp,
    names: Vec<String>,
    not_after: Option<u64>,
    certified: Arc<CertifiedKey>,
}

/// How two files looked: changes when either is replaced or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp([Option<(SystemTime, u64)>; 2]);

/// What a server shows, by name.
#[derive(Debug)]
pub(super) struct Certificates {
    provider: Arc<CryptoProvider>,
    clock: Arc<dyn Clock>,
    pairs: RwLock<Vec<Pair>>,
    looked: Mutex<Duration>,
}

impl Certificates {
    pub(super) fn read(
        files: &[CertificateFiles],
        provider: Arc<CryptoProvider>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TlsError> {
        let pairs: Result<Vec<Pair>, TlsError> = files
            .iter()
            .map(|files| Pair::read(files, &provider))
            .collect();
        let pairs = pairs?;
        if pairs.is_empty() {
            let none = "no TLS certificate is configured".to_owned();
            return Err(TlsError::Library(rustls::Error::General(none)));
        }
        for pair in &pairs {
            pair.warn_of_its_end(clock.now());
        }
        Ok(Certificates {
            looked: Mutex::new(clock.monotonic()),
            pairs: RwLock::new(pairs),
            provider,
            clock,
        })
    }

    /// The first certificate that ends, and when (Unix seconds).
    pub(super) fn first_end(&self) -> Option<(String, u64)> {
        let pairs = self.pairs.read().unwrap_or_else(PoisonError::into_inner);
        let ends = pairs.iter().filter_map(|pair| {
            let file = pair.files.certificate.display().to_string();
            pair.not_after.map(|end| (file, end))
        });
        ends.min_by_key(|(_, end)| *end)
    }

    /// The first that is valid for `name`, lower case; else the first of all.
    pub(super) fn shown(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let pairs = self.pairs.read().unwrap_or_else(PoisonError::into_inner);
        let named = name.and_then(|name| pairs.iter().find(|pair| pair.is_for(name)));
        named
            .or(pairs.first())
            .map(|pair| Arc::clone(&pair.certified))
    }

    /// Reads again what changed on disk: a renewed certificate is served without a restart.
    pub(super) fn reload_if_changed(&self) {
        if !self.is_time_to_look() {
            return;
        }
        let mut pairs = self.pairs.write().unwrap_or_else(PoisonError::into_inner);
        for pair in pairs.iter_mut() {
            let stamp = Stamp::of(&pair.files);
            if stamp == pair.stamp {
                continue;
            }
            let file = pair.files.certificate.display().to_string();
            match Pair::read(&pair.files, &self.provider) {
                Ok(renewed) => {
                    renewed.warn_of_its_end(self.clock.now());
                    tracing::info!(%file, "TLS certificate changed on disk: serving the new one");
                    *pair = renewed;
                }
                Err(error) => {
                    tracing::warn!(%file, %error, "TLS certificate changed, but is not usable: still serving the old one");
                    pair.stamp = stamp;
                }
            }
        }
    }

    fn is_time_to_look(&self) -> bool {
        let now = self.clock.monotonic();
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = now.saturating_sub(*looked) >= LOOK_AGAIN;
        if is_time {
            *looked = now;
        }
        is_time
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        self.shown(name.as_deref())
    }
}

impl Pair {
    fn read(files: &CertificateFiles, provider: &CryptoProvider) -> Result<Pair, TlsError> {
        let stamp = Stamp::of(files);
        let chain: Result<Vec<CertificateDer<'static>>, _> =
            CertificateDer::pem_slice_iter(&octets(&files.certificate)?).collect();
        let chain =
            chain.map_err(|error| wrong(&files.certificate, &format!("not PEM: {error}")))?;
        let Some(own) = chain.first() else {
            return Err(wrong(
                &files.certificate,
                "no certificate in it: put the server's certificate first, then its issuers, as PEM",
            ));
        };
        let names = dns_names(own);
        let not_after = validity::not_after(own);
        let key = PrivateKeyDer::from_pem_slice(&octets(&files.key)?)
            .map_err(|error| wrong(&files.key, &format!("no private key in PEM: {error}")))?;
        let certified = CertifiedKey::from_der(chain, key, provider).map_err(|error| {
            let with = files.certificate.display();
            wrong(&files.key, &format!("does not fit {with}: {error}"))
        })?;
        Ok(Pair {
            files: files.clone(),
            stamp,
            names,
            not_after,
            certified: Arc::new(certified),
        })
    }

    /// A renewal that fails silently stops mail months later: say it while there is time.
    fn warn_of_its_end(&self, now: u64) {
        let file = self.files.certificate.display().to_string();
        match self.not_after {
            Some(end) if end <= now => {
                tracing::error!(%file, "TLS certificate has expired: nobody can reach this server; renew it, the new one is served at once");
            }
            Some(end) if end <= now + SOON => {
                let days = (end - now) / 86_400;
                tracing::warn!(%file, days, "TLS certificate expires soon: renew it, the new one is served at once");
            }
            _ => {}
        }
    }

    /// Whether the certificate is for `name`, a wildcard standing for one label (RFC 9525 §6.3).
    fn is_for(&self, name: &str) -> bool {
        let parent = name.split_once('.').map(|(_, parent)| parent);
        self.names
            .iter()
            .any(|own| own == name || (parent.is_some() && own.strip_prefix("*.") == parent))
    }
}

impl Stamp {
    fn of(files: &CertificateFiles) -> Stamp {
        let look = |path: &Path| {
            let data = std::fs::metadata(path).ok()?;
            Some((data.modified().ok()?, data.len()))
        };
        Stamp([look(&files.certificate), look(&files.key)])
    }
}

fn octets(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError::File {
        path: path.to_owned(),
        error,
    })
}

fn wrong(path: &Path, reason: &str) -> TlsError {
    TlsError::Content {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}
