//! What a mailing list says of itself (RFC 2369, RFC 2919, RFC 8058). It stands outside of what the
//! author protected, and nothing proves it but the seal of a list that the reader takes mail from.

use email2::Address;
use email2::wkd::unescaped;
use mail_parser::{Message, MessageParser};
use serde::Serialize;

/// Characters of a name or a subject that are shown.
const CHARACTERS: usize = 200;

/// A list, and how to leave it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MailingList {
    /// Its `List-Id`, without brackets.
    pub id: Option<String>,
    /// To whom a letter is written that leaves it.
    pub leave: Option<Leave>,
    /// The link that leaves it with one click, for programs that post (RFC 8058).
    pub one_click: Option<String>,
}

/// A letter that leaves a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leave {
    /// To whom.
    pub to: String,
    /// Its subject.
    pub subject: String,
}

/// Of a message as it came; `None` when no list says anything.
pub(super) fn of(message: &[u8]) -> Option<MailingList> {
    let parsed = MessageParser::new().parse_headers(message)?;
    let links = value(&parsed, "List-Unsubscribe").unwrap_or_default();
    let links = || links.split(',').filter_map(bracketed);
    let posts = value(&parsed, "List-Unsubscribe-Post");
    let posts = posts.is_some_and(|value| value.trim() == "List-Unsubscribe=One-Click");
    let list = MailingList {
        id: value(&parsed, "List-Id").and_then(|id| bracketed(&id).map(cut)),
        leave: links().find_map(leave),
        one_click: links()
            .find(|link| posts && link.starts_with("https://"))
            .map(str::to_owned),
    };
    (list != MailingList::default()).then_some(list)
}

fn value(message: &Message<'_>, name: &'static str) -> Option<String> {
    let raw = message.header_raw(name)?;
    Some(raw.chars().filter(|c| !matches!(c, '\r' | '\n')).collect())
}

/// What stands between the last brackets.
fn bracketed(text: &str) -> Option<&str> {
    let (_, rest) = text.rsplit_once('<')?;
    let (inner, _) = rest.split_once('>')?;
    Some(inner.trim())
}

/// RFC 6068, as far as it is needed here.
fn leave(link: &str) -> Option<Leave> {
    let rest = link.strip_prefix("mailto:")?;
    let (to, query) = rest.split_once('?').unwrap_or((rest, ""));
    let to = Address::parse(&unescaped(to)?).ok()?;
    let mut fields = query.split('&').filter_map(|field| field.split_once('='));
    let subject = fields.find(|(name, _)| name.eq_ignore_ascii_case("subject"));
    let subject = match subject {
        Some((_, value)) => cut(&unescaped(value)?),
        None => "unsubscribe".to_owned(),
    };
    Some(Leave {
        to: to.to_string(),
        subject,
    })
}

fn cut(text: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(CHARACTERS).map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_how_to_leave_it() {
        let raw = b"List-Id: The club <club.example.com>\r\nList-Unsubscribe: \
            <mailto:club-request@example.com?subject=un%73ubscribe>,\r\n \
            <https://mx.example.com/unsubscribe/x>\r\n\
            List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nSubject: x\r\n\r\n";
        let list = of(raw).unwrap();
        assert_eq!(list.id.as_deref(), Some("club.example.com"));
        let leave = list.leave.unwrap();
        assert_eq!(leave.to, "club-request@example.com");
        assert_eq!(leave.subject, "unsubscribe");
        let link = "https://mx.example.com/unsubscribe/x";
        assert_eq!(list.one_click.as_deref(), Some(link));
    }

    #[test]
    fn a_link_that_nobody_may_post_to_is_no_one_click() {
        let list = of(b"List-Unsubscribe: <https://x.example/>, <mailto:a>\r\n\r\n");
        assert_eq!(list, None);
        let list = of(b"List-Unsubscribe: <mailto:a@b.example?subject=a%0d%0ab>\r\n\r\n");
        assert_eq!(
            list.unwrap().leave.unwrap().subject,
            "a  b",
            "no line of its own"
        );
        assert_eq!(of(b"Subject: x\r\n\r\n"), None);
    }
}
