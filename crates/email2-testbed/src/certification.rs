//! The certification authority of the world.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SerialNumber, SignatureAlgorithm, date_time_ymd,
};

use crate::failure::{Outcome, Step};

/// A certification authority, with its certificate in a file for `ca_file`.
pub struct Certification {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
    one_size: bool,
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
        Certification::make(folder, false)
    }

    /// The same with certificates and signatures that are as long in one run as in the next, so
    /// that the octets of a handshake can be counted.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn of_one_size(folder: &Path) -> Outcome<Certification> {
        Certification::make(folder, true)
    }

    fn make(folder: &Path, one_size: bool) -> Outcome<Certification> {
        std::fs::create_dir_all(folder).step(format!("folder {}", folder.display()))?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let name = "email2 testbed authority";
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = one_size.then(|| SerialNumber::from(1));
        let key = KeyPair::generate_for(algorithm(one_size)).step("CA key")?;
        let issuer = CertifiedIssuer::self_signed(params, key).step("CA certificate")?;
        let authority = Certification {
            issuer,
            folder: folder.to_owned(),
            one_size,
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
        self.issue_until(label, names, None)
    }

    /// The same, valid until this year only.
    ///
    /// # Errors
    /// As [`Certification::issue`].
    pub fn issue_ended(&self, label: &str, names: &[&str], year: i32) -> Outcome<HostFiles> {
        self.issue_until(label, names, Some(year))
    }

    fn issue_until(&self, label: &str, names: &[&str], year: Option<i32>) -> Outcome<HostFiles> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).step(format!("certificate {label}"))?;
        params.distinguished_name.push(DnType::CommonName, label);
        params.serial_number = self.one_size.then(|| serial(label));
        if let Some(year) = year {
            params.not_before = date_time_ymd(year - 1, 1, 1);
            params.not_after = date_time_ymd(year, 1, 1);
        }
        let key = KeyPair::generate_for(algorithm(self.one_size)).step("host key")?;
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

/// ECDSA is what everybody reads; its signatures differ in length by chance.
fn algorithm(one_size: bool) -> &'static SignatureAlgorithm {
    match one_size {
        true => &PKCS_ED25519,
        false => &PKCS_ECDSA_P256_SHA256,
    }
}

/// Its length depends on nothing but the name.
fn serial(label: &str) -> SerialNumber {
    let name = label.bytes().rev().take(15);
    SerialNumber::from_slice(&[1].into_iter().chain(name).collect::<Vec<u8>>())
}

fn write(path: &Path, text: &str) -> Outcome<()> {
    std::fs::write(path, text).step(format!("file {}", path.display()))
}
