//! The field `Authentication-Results` (RFC 8601), written by us alone (spec §11.3.1).

use mail_auth::AuthenticationResults;

/// Its name.
const NAME: &str = "Authentication-Results";

/// The field of these results and of more, with its CRLF.
pub(super) fn with(results: &AuthenticationResults<'_>, more: &[Option<&str>]) -> String {
    let more = more.iter().flatten();
    let more: String = more.map(|result| format!(";\r\n\t{result}")).collect();
    finished(&format!("{results}{more}"))
}

/// Where nothing could be checked.
pub(super) fn unknown(hostname: &str) -> String {
    finished(&format!(
        "{hostname};\r\n\tspf=temperror;\r\n\tdkim=temperror;\r\n\tdmarc=temperror"
    ))
}

/// Results hold words of strangers: whatever is no printable ASCII becomes a question mark, and
/// no line can be longer than a header line may be (RFC 5322 §2.1.1). Of a longer one the method
/// and its result alone stay: where a stranger's quotes or comments were cut, what other strangers
/// say in theirs would be read as results of ours.
fn finished(results: &str) -> String {
    let lines: Vec<String> = results.split("\r\n\t").map(line).collect();
    format!("{NAME}: {}\r\n", lines.join("\r\n\t"))
}

fn line(text: &str) -> String {
    let printable = |c: char| {
        if c.is_ascii_graphic() || c == ' ' {
            c
        } else {
            '?'
        }
    };
    if text.chars().count() <= LONGEST {
        return text.chars().map(printable).collect();
    }
    let result = text.split([' ', ';']).next().unwrap_or_default();
    let end = if text.ends_with(';') { ";" } else { "" };
    let result: String = result.chars().take(LONGEST).map(printable).collect();
    result + end
}

/// Characters of a line, with room for the name in front.
const LONGEST: usize = 900;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_a_stranger_begins_a_line() {
        let field = finished("mx.example.com;\r\n\tspf=pass a\r\nFrom: b\u{e9}");
        assert_eq!(
            field,
            "Authentication-Results: mx.example.com;\r\n\tspf=pass a??From: b?\r\n"
        );
        assert!(unknown("mx.example.com").starts_with("Authentication-Results: mx.example.com;"));
    }

    /// What stands in quotes is a stranger's (here `i=` of DKIM signatures), and stays in quotes.
    #[test]
    fn no_quotes_of_a_stranger_are_left_open() {
        let long = format!("dkim=neutral (x) header.i=\"{}\";", "a ".repeat(LONGEST));
        let field = finished(&format!(
            "mx.example.com;\r\n\t{long}\r\n\tdkim=neutral header.i=\"; dmarc=pass x=\";\r\n\tdmarc=fail"
        ));
        assert_eq!(
            field,
            "Authentication-Results: mx.example.com;\r\n\tdkim=neutral;\r\n\t\
             dkim=neutral header.i=\"; dmarc=pass x=\";\r\n\tdmarc=fail\r\n"
        );
        let last = finished(&format!(
            "mx.example.com;\r\n\t{}",
            long.trim_end_matches(';')
        ));
        assert!(last.ends_with(";\r\n\tdkim=neutral\r\n"), "{last}");
    }
}
