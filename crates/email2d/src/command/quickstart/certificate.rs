//! A TLS certificate for trying out, by an authority that signs this one and is forgotten.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

/// How long it is valid: trying out takes no longer.
const LIFE: Duration = Duration::days(90);

/// PEM texts.
pub(super) struct Made {
    pub(super) chain: String,
    pub(super) key: String,
    /// What clients give as `--ca-file`.
    pub(super) authority: String,
}

/// Makes a certificate with exactly these dNSNames. The authority's key is not kept, so that
/// nobody can make a second one.
pub(super) fn make(names: &[String], now: u64) -> Result<Made, rcgen::Error> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority
        .distinguished_name
        .push(DnType::CommonName, "email2d quickstart, for trying out");
    limit(&mut authority, now);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let mut own = CertificateParams::new(names)?;
    own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    limit(&mut own, now);
    let key = KeyPair::generate()?;
    let certificate = own.signed_by(&key, &authority)?;
    Ok(Made {
        chain: certificate.pem(),
        key: key.serialize_pem(),
        authority: authority.pem(),
    })
}

fn limit(params: &mut CertificateParams, now: u64) {
    let now = i64::try_from(now).unwrap_or(0);
    let now = OffsetDateTime::from_unix_timestamp(now).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    // An hour back, for clients whose clock is a little behind.
    params.not_before = now - Duration::hours(1);
    params.not_after = now + LIFE;
}
