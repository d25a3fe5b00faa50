//! An invitation as text (RFC 5545): what, when, where, by whom. Nothing is
//! answered and nothing fetched.

use super::part::Section;

/// Fields that people are told, with the words for them.
const TOLD: [(&str, &str); 5] = [
    ("SUMMARY", "What"),
    ("DTSTART", "From"),
    ("DTEND", "To"),
    ("LOCATION", "Where"),
    ("ORGANIZER", "By"),
];

/// The lines to show of the first event in a calendar.
pub(super) fn describe(calendar: &str) -> String {
    let unfolded = calendar.replace("\r\n ", "").replace("\r\n\t", "");
    let begin = unfolded
        .lines()
        .position(|line| line.trim() == "BEGIN:VEVENT");
    let Some(begin) = begin else {
        return "A calendar without an event.\n".to_owned();
    };
    let lines = unfolded.lines().skip(begin);
    let event: Vec<&str> = lines
        .take_while(|line| line.trim() != "END:VEVENT")
        .collect();
    let told = TOLD.iter().filter_map(|(name, word)| {
        let value = event.iter().find_map(|line| value(line, name))?;
        Some(format!("{word}: {value}\n"))
    });
    format!("Invitation\n{}", told.collect::<String>())
}

/// Whoever calls a meeting and is not the author is told: the invitation may be anybody's.
pub(super) fn organizers(sections: &[Section], author: &str) -> Vec<String> {
    let calendars = sections
        .iter()
        .filter(|section| section.kind == "text/calendar");
    let lines = calendars.flat_map(|section| section.text.lines());
    let others = lines
        .filter_map(|line| line.strip_prefix("By: "))
        .filter(|organizer| !organizer.eq_ignore_ascii_case(author));
    others
        .map(|organizer| format!("the invitation is by {organizer}, not by the author"))
        .collect()
}

/// The value of a line `NAME;parameters:value`.
fn value(line: &str, name: &str) -> Option<String> {
    let rest = line.strip_prefix(name)?;
    if !rest.starts_with([':', ';']) {
        return None;
    }
    let (_, value) = rest.split_once(':')?;
    let value = value.trim();
    let mailto = value
        .get(..7)
        .filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    let value = mailto.and_then(|_| value.get(7..)).unwrap_or(value);
    let unescaped = value
        .replace("\\n", " ")
        .replace("\\,", ",")
        .replace("\\;", ";");
    Some(unescaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_is_told() {
        let calendar = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Plan\r\n ning\\, all\r\n\
            DTSTART;TZID=X:20260303T090000\r\nORGANIZER;CN=a:mailto:ceo@example.net\r\n\
            END:VEVENT\r\nEND:VCALENDAR\r\n";
        let expected =
            "Invitation\nWhat: Planning, all\nFrom: 20260303T090000\nBy: ceo@example.net\n";
        assert_eq!(describe(calendar), expected);
        assert_eq!(describe("x"), "A calendar without an event.\n");
    }
}
