//! What waits for a moderator of a list.

use email2::scan::Scan;
use email2_store::{List, StoreError, Waiting};
use serde_json::json;

use super::{Desk, Failure};
use crate::mediator::list;
use crate::trace;

/// Octets of a letter in which its header is sought.
const HEADER_OCTETS: usize = 256 * 1024;
/// Characters of a subject that are shown.
const SUBJECT: usize = 200;

/// One line a letter.
pub(super) async fn show(desk: &Desk, list: &List) -> Result<(), Failure> {
    for waiting in desk.store.waiting(&list.address).await? {
        let (from, subject) = about(desk, &waiting).await?;
        let (came, until) = (trace::date(waiting.created), trace::date(waiting.expires));
        let text = format!(
            "{} of {came}, until {until}\n  {from}: {subject}",
            waiting.group
        );
        let object = json!({
            "list": list.address.to_string(),
            "number": waiting.group,
            "from": from,
            "subject": subject,
            "created": waiting.created,
            "expires": waiting.expires,
            "copies": waiting.entries,
        });
        desk.output.print(&text, &object)?;
    }
    Ok(())
}

/// Its author, which was proved when it came, and its subject, a stranger's words.
async fn about(desk: &Desk, waiting: &Waiting) -> Result<(String, String), StoreError> {
    let body = desk.store.entry_body(waiting.entry).await?;
    let octets = body.read(0, HEADER_OCTETS).await?;
    let end = octets.windows(4).position(|four| four == b"\r\n\r\n");
    let header = octets.get(..end.map_or(octets.len(), |end| end + 2));
    let Ok(scanned) = Scan::whole(false, header.unwrap_or_default()) else {
        return Ok((String::new(), String::new()));
    };
    let from = scanned.header.from.as_ref();
    let from = from.map_or(String::new(), |from| from.address.to_string());
    let subject = scanned.header.value("Subject").unwrap_or_default();
    let subject = String::from_utf8_lossy(subject);
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let subject: String = subject.trim().chars().take(SUBJECT).map(visible).collect();
    Ok((from, subject))
}

/// Sends it to the list, or drops it.
pub(super) async fn decide(
    desk: &Desk,
    list: &List,
    number: &str,
    approved: bool,
) -> Result<(), Failure> {
    let said = list::decide(&desk.store, &list.address, number, approved, desk.now).await?;
    if said == list::NOTHING_WAITS {
        return Err(Failure::no_user(format!(
            "{said} for {}; `email2d list waiting {0}` shows what does",
            list.address
        )));
    }
    let object = json!({"list": list.address.to_string(), "number": number, "approved": approved});
    desk.output.print(&format!("{number}: {said}."), &object)
}
