//! The names of the extension, each in one place (spec §3.1): they are not
//! registered yet, so whoever registers them changes this file only.

/// The EHLO keyword, also the name of the MAIL parameter (RFC 5321 §2.2.2).
pub const KEYWORD: &str = "EMAIL2";

/// The version that this library speaks, announced behind the keyword.
pub const VERSION: u32 = 1;

/// The verb that asks for a certificate (spec §3.4).
pub const KEY_VERB: &str = "KEY";

/// The verb that publishes a certificate (spec §3.6).
pub const KEYPUT_VERB: &str = "KEYPUT";

/// The MAIL parameter that announces a sealed message (spec §3.2).
pub const MAIL_PARAMETER: &str = KEYWORD;

/// The RCPT parameter that names the certificate encrypted to (spec §3.3).
pub const RCPT_PARAMETER: &str = "EMAIL2KEY";

/// The ALPN protocol id of direct connections (spec §2.1).
pub const ALPN: &[u8] = b"email2";

/// The SRV service label in front of the mail domain (spec §2.1).
pub const SRV_LABEL: &str = "_email2._tcp";

/// The TXT label of the domain record (spec §2.3).
pub const TXT_LABEL: &str = "_email2";

/// The label of the name that a host's certificate carries for a mail domain
/// `D`: `email2.D` (spec §2.2).
pub const HOST_LABEL: &str = "email2";

/// The header field of a seal (spec §4.1).
pub const SEAL_FIELD: &str = "Email2-Seal";

/// The header field in which a forwarder puts the certificate that it verified
/// (spec §4.6).
pub const KEY_FIELD: &str = "Email2-Key";

/// The header field that IMAP shows and that no message may carry (spec §10.3).
pub const VERDICT_FIELD: &str = "Email2-Verdict";

/// The protected field of an encrypted message that says by which primary key its author knows a
/// recipient (spec §5.3.4).
pub const KNOWN_KEY_FIELD: &str = "Email2-Known-Key";

/// The critical notation of a seal's signature (spec §4.2).
pub const SEAL_NOTATION: &str = "seal@email2.invalid";

/// The field below a seal by which an author demands Email 2.0 all the way (spec §12.5.2).
pub const REQUIRED_FIELD: &str = "Email2-Required";

/// The field with its CRLF, as an author's program puts it below the seal (spec §12.5.2).
#[must_use]
pub fn required_field() -> String {
    format!("{REQUIRED_FIELD}: yes\r\n")
}

/// Whether a header section holds the field (spec §12.5.2); its body does not matter, so that no
/// spelling of it weakens the demand.
#[must_use]
pub fn is_required(header: &[u8]) -> bool {
    let name = format!("{REQUIRED_FIELD}:");
    let mut lines = header.split(|octet| *octet == b'\n');
    lines.any(|line| {
        let start = line.get(..name.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
    })
}

/// The notation of a certification by which an old primary key names its
/// successor (spec §6.5); its value is `1`.
pub const TRANSITION_NOTATION: &str = "transition@email2.invalid";

/// The notation of a self-signature that says who holds the secret key; the one
/// value that is known is `server`.
pub const KEYHOLDER_NOTATION: &str = "keyholder@email2.invalid";

/// The notation of a self-signature that says that a classic program reads the
/// mail (spec §5.8); its value is `1`.
pub const CLASSIC_READER_NOTATION: &str = "classic-reader@email2.invalid";

/// The notation of a self-signature that says that the certificate has a
/// post-quantum key, so that nobody takes it away unseen (spec §5.8); its value
/// is `1`.
pub const POST_QUANTUM_NOTATION: &str = "pq@email2.invalid";

/// Prints the EHLO line that announces the extension: `EMAIL2 1`.
pub fn ehlo_line() -> String {
    format!("{KEYWORD} {VERSION}")
}

/// Reads an EHLO line (without code) and tells which versions it announces:
/// `None` when it is another keyword. Versions that are no number are skipped,
/// so that a later version may add words (RFC 5321 §4.1.1.1).
pub fn parse_ehlo_line(line: &str) -> Option<Vec<u32>> {
    let mut words = line.split_ascii_whitespace();
    if !words.next()?.eq_ignore_ascii_case(KEYWORD) {
        return None;
    }
    Some(words.filter_map(|word| word.parse().ok()).collect())
}

/// Whether an EHLO line announces the version that this library speaks.
pub fn is_spoken(line: &str) -> bool {
    parse_ehlo_line(line).is_some_and(|versions| versions.contains(&VERSION))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_comes_back() {
        assert!(is_spoken(&ehlo_line()));
        assert!(is_spoken("email2 1 2"));
        assert!(!is_spoken("EMAIL2 2"));
        assert!(!is_spoken("EMAIL2"));
        assert_eq!(parse_ehlo_line("EMAIL2X 1"), None);
    }
}
