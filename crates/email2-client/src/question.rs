//! A question to a domain's server, as a verifier or a writer asks it.

use email2::certificate::Certificate;
use email2::evidence::SignerEvidence;
use email2::{Assurance, Fingerprint, Identity, KeyFlags};
use email2_remote::KeyError;

use crate::Client;
use crate::sysexit::{Code, Sysexit};

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The certificate.
    pub certificate: Certificate,
    /// How the answer was authenticated; `None`: not at all.
    pub assurance: Option<Assurance>,
    /// What the domain says of it.
    pub flags: KeyFlags,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// As a writer.
    #[error(transparent)]
    Writer(#[from] KeyError),
    /// As a verifier. Sysexits 69.
    #[error("{0}")]
    Verifier(String),
    /// Only a verifier can ask for a domain's own key. Sysexits 64.
    #[error("a domain's own key is asked for with the fingerprint of a key: --fpr")]
    Service,
}

impl Sysexit for QuestionError {
    fn sysexit(&self) -> Code {
        match self {
            QuestionError::Writer(error) => error.sysexit(),
            QuestionError::Verifier(_) => Code::Unavailable,
            QuestionError::Service => Code::Usage,
        }
    }
}

/// Asks: as a verifier when `key` is given, else as a writer.
///
/// # Errors
/// See [`QuestionError`].
pub async fn ask(
    client: &Client,
    who: &Identity,
    key: Option<&Fingerprint>,
) -> Result<Answer, QuestionError> {
    match (who, key) {
        (_, Some(key)) => verifier(client, who, key).await,
        (Identity::Address(address), None) => {
            let found = client.remote().fetch_for_writing(address).await?;
            Ok(Answer {
                certificate: found.certificate,
                assurance: found.assurance,
                flags: found.flags,
            })
        }
        (Identity::Service(_), None) => Err(QuestionError::Service),
    }
}

async fn verifier(
    client: &Client,
    who: &Identity,
    key: &Fingerprint,
) -> Result<Answer, QuestionError> {
    // One's own question: no stranger is charged for it.
    let own = std::net::IpAddr::from([127, 0, 0, 1]);
    match client.remote().signer(own, who, key).await {
        SignerEvidence::Known(known) => Ok(Answer {
            certificate: known.certificate,
            assurance: known.assurance,
            flags: known.flags,
        }),
        other => Err(QuestionError::Verifier(format!(
            "no answer about {who}: {other:?}"
        ))),
    }
}
