//! What is looked for: `from:`, `to:`, `subject:`, `body:`, `since:`, `before:`, `is:`, and plain
//! words, all of which must hold.

use time::Date;
use time::macros::format_description;

use super::Texts;
use crate::inbox::Entry;

/// Terms of a query at most.
const TERMS: usize = 32;

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    terms: Vec<Term>,
}

/// Why a query is none. Sysexits 64.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Nothing is looked for.
    #[error("nothing to search for: give words, or from: to: subject: body: since: before: is:")]
    Empty,
    /// Too many terms.
    #[error("a search has at most {} terms", TERMS)]
    TooMany,
    /// A date.
    #[error("{0:?} is no date: write it as 2026-11-26")]
    Date(String),
    /// A state.
    #[error("{0:?} is no state: is: takes {states}", states = STATES)]
    State(String),
}

const STATES: &str = "unread, read, answered, unanswered, verified, unverified, encrypted";

#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    From(String),
    To(String),
    Subject(String),
    Body(String),
    Anywhere(String),
    Since(Date),
    Before(Date),
    Is(State),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Seen(bool),
    Answered(bool),
    Verified(bool),
    Encrypted,
}

impl Query {
    /// Reads the terms, each a word or `field:value`.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub fn parse(words: &[String]) -> Result<Query, QueryError> {
        let words = words.iter().map(|word| word.trim());
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        match words.len() {
            0 => Err(QueryError::Empty),
            many if many > TERMS => Err(QueryError::TooMany),
            _ => Ok(Query {
                terms: words.into_iter().map(term).collect::<Result<_, _>>()?,
            }),
        }
    }

    /// What the server is asked (RFC 3501 §6.4.4): nothing of it is text of the query.
    pub(super) fn criteria(&self) -> String {
        let asked: Vec<String> = self.terms.iter().filter_map(Term::criterion).collect();
        match asked.is_empty() {
            true => "ALL".to_owned(),
            false => asked.join(" "),
        }
    }

    /// Must the message be opened?
    #[must_use]
    pub fn looks_inside(&self) -> bool {
        let inside = |term: &Term| !matches!(term, Term::Since(_) | Term::Before(_) | Term::Is(_));
        self.terms.iter().any(inside)
    }

    /// Is it in the states asked for, as its line says? A keyword proves nothing by itself.
    pub(super) fn fits(&self, entry: &Entry) -> bool {
        let holds = |state: &State| match state {
            State::Seen(wanted) => entry.seen == *wanted,
            State::Answered(wanted) => entry.answered == *wanted,
            State::Verified(wanted) => entry.verified == *wanted,
            State::Encrypted => entry.encrypted,
        };
        self.terms.iter().all(|term| match term {
            Term::Is(state) => holds(state),
            _ => true,
        })
    }

    pub(super) fn matches(&self, texts: &Texts) -> bool {
        self.terms.iter().all(|term| match term {
            Term::From(wanted) => texts.from.contains(wanted),
            Term::To(wanted) => texts.to.contains(wanted),
            Term::Subject(wanted) => texts.subject.contains(wanted),
            Term::Body(wanted) => texts.body.contains(wanted),
            Term::Anywhere(wanted) => [&texts.from, &texts.to, &texts.subject, &texts.body]
                .iter()
                .any(|text| text.contains(wanted)),
            Term::Since(_) | Term::Before(_) | Term::Is(_) => true,
        })
    }
}

impl Term {
    fn criterion(&self) -> Option<String> {
        Some(match self {
            Term::Since(day) => format!("SINCE {}", imap_date(*day)),
            Term::Before(day) => format!("BEFORE {}", imap_date(*day)),
            Term::Is(State::Seen(true)) => "SEEN".to_owned(),
            Term::Is(State::Seen(false)) => "UNSEEN".to_owned(),
            Term::Is(State::Answered(true)) => "ANSWERED".to_owned(),
            Term::Is(State::Answered(false)) => "UNANSWERED".to_owned(),
            Term::Is(State::Verified(true)) => "KEYWORD $Email2Verified".to_owned(),
            _ => return None,
        })
    }
}

fn term(word: &str) -> Result<Term, QueryError> {
    let Some((field, value)) = word.split_once(':') else {
        return Ok(Term::Anywhere(word.to_lowercase()));
    };
    let text = value.to_lowercase();
    Ok(match field.to_ascii_lowercase().as_str() {
        "from" => Term::From(text),
        "to" | "cc" => Term::To(text),
        "subject" => Term::Subject(text),
        "body" => Term::Body(text),
        "since" => Term::Since(date(value)?),
        "before" => Term::Before(date(value)?),
        "is" => Term::Is(state(&text)?),
        _ => Term::Anywhere(word.to_lowercase()),
    })
}

fn date(text: &str) -> Result<Date, QueryError> {
    let form = format_description!("[year]-[month]-[day]");
    Date::parse(text, form).map_err(|_| QueryError::Date(text.to_owned()))
}

fn state(text: &str) -> Result<State, QueryError> {
    Ok(match text {
        "read" | "seen" => State::Seen(true),
        "unread" | "unseen" | "new" => State::Seen(false),
        "answered" => State::Answered(true),
        "unanswered" => State::Answered(false),
        "verified" => State::Verified(true),
        "unverified" => State::Verified(false),
        "encrypted" => State::Encrypted,
        other => return Err(QueryError::State(other.to_owned())),
    })
}

fn imap_date(day: Date) -> String {
    let form = format_description!("[day padding:none]-[month repr:short]-[year]");
    day.format(form).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(words: &[&str]) -> Result<Query, QueryError> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Query::parse(&words)
    }

    #[test]
    fn the_server_is_asked_for_dates_and_flags_and_never_told_the_words() {
        let words = ["from:bob", "is:unread", "since:2026-11-02", "is:verified"];
        let query = query(&words).unwrap();
        let asked = "UNSEEN SINCE 2-Nov-2026 KEYWORD $Email2Verified";
        assert_eq!(query.criteria(), asked);
        assert!(query.looks_inside());
        let line_break = super::Query::parse(&["x\r\nc9 DELETE INBOX".to_owned()]).unwrap();
        assert_eq!(line_break.criteria(), "ALL");
    }

    #[test]
    fn every_term_must_hold_whatever_its_case() {
        let texts = Texts {
            from: "bob <bob@example.org>".to_owned(),
            subject: "lunch".to_owned(),
            body: "at the bridge".to_owned(),
            ..Texts::default()
        };
        let matches = |words: &[&str]| query(words).unwrap().matches(&texts);
        assert!(matches(&["From:BOB", "Bridge", "subject:Lunch"]));
        assert!(!matches(&["from:bob", "body:lunch"]));
        assert!(!matches(&["to:bob"]));
    }

    #[test]
    fn what_is_no_query_is_said() {
        assert_eq!(query(&[" "]), Err(QueryError::Empty));
        assert_eq!(
            query(&["since:yesterday"]),
            Err(QueryError::Date("yesterday".to_owned()))
        );
        assert_eq!(query(&["is:red"]), Err(QueryError::State("red".to_owned())));
        assert_eq!(query(&["x"; TERMS + 1]), Err(QueryError::TooMany));
        assert!(!query(&["is:read"]).unwrap().looks_inside());
    }
}
