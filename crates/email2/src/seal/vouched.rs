//! The field `Email2-Key`: the certificate by which a mediator verified the
//! author, directly below its own seal (spec §4.6.5).
//!
//! `v=1; a=<assurance>; g=<flags>; t=<fetched>; c=<base64 of the certificate>`,
//! with the white space rules of a seal.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::read::{Tags, seconds, unfold};
use super::{SealError, fold};
use crate::assurance::Assurance;
use crate::capability::KEY_FIELD;
use crate::certificate::Certificate;
use crate::key_query::KeyFlags;

/// What a mediator says that it verified by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// How it learnt the certificate.
    pub assurance: Assurance,
    /// The flags of the answer.
    pub flags: KeyFlags,
    /// When it learnt it, Unix seconds.
    pub fetched: u64,
    /// The certificate.
    pub certificate: Certificate,
}

impl Vouched {
    /// Reads the value of the field.
    ///
    /// # Errors
    /// [`SealError::Grammar`], [`SealError::Version`].
    pub fn parse(value: &[u8]) -> Result<Self, SealError> {
        let text = unfold(value.strip_suffix(b"\r\n").unwrap_or(value))?;
        let mut tags = Tags::new(&text);
        if tags.take("v")? != "1" {
            return Err(SealError::Version);
        }
        let wrong = |what| move |_| SealError::Grammar(what);
        let assurance = tags
            .take("a")?
            .parse()
            .map_err(|_| SealError::Grammar("a"))?;
        let flags = tags
            .take("g")?
            .parse()
            .map_err(|_| SealError::Grammar("g"))?;
        let fetched = seconds(tags.take("t")?)?;
        let octets = STANDARD
            .decode(tags.take("c")?)
            .map_err(wrong("c is not base64"))?;
        tags.end()?;
        let certificate = Certificate::parse(&octets)
            .map_err(|_| SealError::Grammar("c is not a certificate"))?;
        Ok(Self {
            assurance,
            flags,
            fetched,
            certificate,
        })
    }

    /// The whole field, folded, with its final CRLF.
    pub fn field(&self) -> String {
        let text = format!(
            "v=1;a={};g={};t={};c={}",
            self.assurance,
            self.flags,
            self.fetched,
            STANDARD.encode(self.certificate.octets()),
        );
        fold(KEY_FIELD, &text)
    }
}
