//! The certification authority of the world.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};

use crate::failure::{Outcome, Step};

/// A certification authority, with its certificate in a file for `ca_file`.
pub struct Certification {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

/// A host's certificate and key, as PEM files.
#[derive(Clone, Debug)]
pub struct HostFiles {
    /// The chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl Certification {
    /// Makes an authority that keeps its files in `folder`.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn start(folder: &Path) -> Outcome<Certification> {
        std::fs::create_dir_all(folder).step(format!("folder {}", folder.display()))?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let name = "email2 testbed authority";
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().step("CA key")?;
        let issuer = CertifiedIssuer::self_signed(params, key).step("CA certificate")?;
        let authority = Certification {
            issuer,
            folder: folder.to_owned(),
        };
        write(&authority.file(), &authority.issuer.pem())?;
        Ok(authority)
    }

    /// The PEM file of the authority's own certificate.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Issues a certificate with exactly these dNSNames; the files are named `label`.
    ///
    /// # Errors
    /// A name is not one, or the files cannot be written.
    pub fn issue(&self, label: &str, names: &[&str]) -> Outcome<HostFiles> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).step(format!("certificate {label}"))?;
        params.distinguished_name.push(DnType::CommonName, label);
        let key = KeyPair::generate().step("host key")?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .step(format!("certificate {label}"))?;
        let files = HostFiles {
            certificate: self.folder.join(format!("{label}.pem")),
            key: self.folder.join(format!("{label}.key")),
        };
        write(&files.certificate, &certificate.pem())?;
        write(&files.key, &key.serialize_pem())?;
        Ok(files)
    }
}

fn write(path: &Path, text: &str) -> Outcome<()> {
    std::fs::write(path, text).step(format!("file {}", path.display()))
}
