//! Octets become text, for showing only: the octets are kept.

use mail_parser::decoders::charsets::map::charset_decoder;

/// Decodes by the charset that was declared; else UTF-8; else windows-1252,
/// which gives every octet a sign. The second value is what the reader must be
/// told.
pub(super) fn decode(octets: &[u8], declared: Option<&str>) -> (String, Option<String>) {
    let declared = declared.unwrap_or("us-ascii").trim().to_ascii_lowercase();
    let is_utf8 = matches!(declared.as_str(), "us-ascii" | "ascii" | "utf-8" | "utf8");
    // UTF-7 hides markup from everybody who looks for it; nobody needs it.
    let decoder = charset_decoder(declared.as_bytes()).filter(|_| !declared.contains("utf-7"));
    if let (false, Some(decoder)) = (is_utf8, decoder) {
        return (decoder(octets), None);
    }
    let note = (!is_utf8).then(|| format!("the charset {declared} is not known"));
    if let Ok(text) = std::str::from_utf8(octets) {
        return (text.to_owned(), note);
    }
    let guess = "the text is not what it says; read as windows-1252".to_owned();
    let western = charset_decoder(b"windows-1252");
    let text = western.map_or_else(|| lossy(octets), |decoder| decoder(octets));
    (text, Some(guess))
}

fn lossy(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declared_charset_counts_first() {
        assert_eq!(
            decode(b"caf\xe9", Some("ISO-8859-1")),
            ("caf\u{e9}".to_owned(), None)
        );
        assert_eq!(
            decode("\u{e9}".as_bytes(), None),
            ("\u{e9}".to_owned(), None)
        );
    }

    #[test]
    fn what_is_wrong_is_shown_with_a_mark() {
        let (text, note) = decode(b"na\xefve", Some("unknown-8bit"));
        assert_eq!(text, "na\u{ef}ve");
        assert!(note.is_some());
        let (text, note) = decode(b"+ADw-script+AD4-", Some("utf-7"));
        assert_eq!(text, "+ADw-script+AD4-");
        assert!(note.is_some());
    }
}
