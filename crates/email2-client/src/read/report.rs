//! A delivery report (RFC 3464) of a server: only its status is shown, for whoever made it may
//! write whatever else stands in it (spec §12.6.11).

use email2::content::Parts;

use super::part::Section;
use super::verdict::Verdict;

/// Octets of the status that are looked at.
const STATUS_OCTETS: usize = 64 * 1024;
/// Recipients that are told of, at most.
const RECIPIENTS: usize = 100;
/// The kind of the part that says it.
const STATUS: &str = "message/delivery-status";

/// The status that a report tells; `None` when the message is no report of a server.
pub(super) fn status(verdict: &Verdict, body: &[u8]) -> Option<Section> {
    let report = Parts::of(body);
    if report.kind != "multipart/report" || !verdict.may_be_report() {
        return None;
    }
    let is_status = |part: &&&[u8]| Parts::kind_of(part) == STATUS;
    let told = report.parts.iter().find(is_status);
    let told = told.map(|part| lines(part)).unwrap_or_default();
    Some(Section {
        part: 1,
        kind: STATUS.to_owned(),
        text: match told.is_empty() {
            true => "A report that tells no status.\n".to_owned(),
            false => told,
        },
        note: Some("a delivery report; only its status is shown".to_owned()),
    })
}

/// One line a recipient.
fn lines(part: &[u8]) -> String {
    let part = part.get(..STATUS_OCTETS).unwrap_or(part);
    let text = String::from_utf8_lossy(part).replace("\r\n", "\n");
    let unfolded = text.replace("\n ", " ").replace("\n\t", " ");
    // The part's own header, then the fields of the message, then a group a recipient.
    let groups = unfolded.split("\n\n").map(recipient);
    groups.flatten().take(RECIPIENTS).collect()
}

fn recipient(group: &str) -> Option<String> {
    let value = |name: &str| {
        group.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    // `rfc822; alice@example.com`
    let untyped = |value: &'_ str| match value.split_once(';') {
        Some((_, value)) => value.trim().to_owned(),
        None => value.to_owned(),
    };
    let who = untyped(value("Final-Recipient").or(value("Original-Recipient"))?);
    let action = value("Action").unwrap_or("no action");
    let status = value("Status").unwrap_or("no status");
    let why = value("Diagnostic-Code").map(untyped);
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    Some(format!("{who}: {action} ({status}){why}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
        --b\r\n\r\nPlease pay at https://evil.example\r\n--b\r\n\
        Content-Type: message/delivery-status\r\n\r\n\
        Reporting-MTA: dns; mx.example.net\r\n\r\n\
        Final-Recipient: rfc822; alice@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\
        Diagnostic-Code: smtp; 550 5.1.1\r\n unknown user\r\n--b--\r\n";

    fn shown(words: &str, body: &str) -> Option<String> {
        let (verdict, _) = Verdict::take(words.as_bytes());
        status(&verdict, body.as_bytes()).map(|section| section.text)
    }

    #[test]
    fn of_a_report_only_the_status_is_shown() {
        for words in [
            "Email2-Verdict: unverified; reason=report; at=1\r\n",
            "Email2-Verdict: service; domain=example.com; at=1\r\n",
        ] {
            let text = shown(words, REPORT).unwrap();
            assert_eq!(
                text,
                "alice@example.com: failed (5.1.1): 550 5.1.1 unknown user\n"
            );
        }
    }

    #[test]
    fn a_report_without_a_status_tells_none_and_people_are_heard() {
        let words = "Email2-Verdict: unverified; reason=unsealed; at=1\r\n";
        let none = REPORT.replace("delivery-status\r\n", "other\r\n");
        assert_eq!(
            shown(words, &none).unwrap(),
            "A report that tells no status.\n"
        );
        assert_eq!(shown(words, "Content-Type: text/plain\r\n\r\nHi\r\n"), None);
        let sealed = "Email2-Verdict: verified; author=b@example.org; assurance=dnssec; at=1\r\n";
        assert_eq!(
            shown(sealed, REPORT),
            None,
            "a person may write as they like"
        );
    }
}
