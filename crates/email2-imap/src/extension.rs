//! Extensions, each in the file of its RFC.

pub(crate) mod rfc2177;
pub(crate) mod rfc2342;
pub(crate) mod rfc2971;
pub(crate) mod rfc4731;
pub(crate) mod rfc5161;
pub(crate) mod rfc5464;

/// What is announced, before a login too. STARTTLS is not: the connection is
/// under TLS from its first octet (RFC 8314 §3.2).
pub(crate) const CAPABILITIES: &str = "IMAP4rev1 LITERAL+ SASL-IR AUTH=SCRAM-SHA-256 AUTH=PLAIN ENABLE ID IDLE \
     NAMESPACE CHILDREN UIDPLUS MOVE UNSELECT ESEARCH LIST-EXTENDED LIST-STATUS SPECIAL-USE \
     METADATA-SERVER";

/// The capabilities with the largest message that APPEND takes (RFC 7889).
pub(crate) fn capabilities(append_limit: u64) -> String {
    format!("CAPABILITY {CAPABILITIES} APPENDLIMIT={append_limit}")
}
