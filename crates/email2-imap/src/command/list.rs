//! LIST and LSUB (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154).

use std::collections::BTreeSet;

use crate::command::status::{self, Item};
use crate::command::{Input, Run, Step};
use crate::grammar::{Bad, Cursor, Parsed};
use crate::request::{Answer, MailboxInfo, Request, SpecialUse};
use crate::session::Desk;
use crate::writer::mailbox;

/// Most patterns, and most options, of one command.
const PATTERNS: usize = 16;

/// `LIST [(selection)] reference pattern [RETURN (options)]`
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    let mut list = List {
        verb: "LIST",
        ..List::default()
    };
    cursor.space()?;
    if cursor.peek() == Some(b'(') {
        cursor.list(PATTERNS, |cursor| list.select(cursor.atom()?))?;
        cursor.space()?;
    }
    list.reference(cursor)?;
    if cursor.skip_word(" RETURN ") {
        cursor.list(PATTERNS, |cursor| list.option(cursor))?;
    }
    cursor.end()?;
    Ok(Box::new(list))
}

/// `LSUB reference pattern` (RFC 3501 §6.3.9)
pub(crate) fn parse_lsub(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    let mut list = List {
        verb: "LSUB",
        subscribed_only: true,
        ..List::default()
    };
    cursor.space()?;
    list.reference(cursor)?;
    cursor.end()?;
    Ok(Box::new(list))
}

#[derive(Debug, Default)]
struct List {
    verb: &'static str,
    patterns: Vec<String>,
    subscribed_only: bool,
    special_only: bool,
    tell_subscribed: bool,
    status: Vec<Item>,
}

impl List {
    fn select(&mut self, option: &str) -> Parsed<()> {
        match option.to_ascii_uppercase().as_str() {
            "SUBSCRIBED" => {
                self.subscribed_only = true;
                self.tell_subscribed = true;
            }
            "SPECIAL-USE" => self.special_only = true,
            "REMOTE" | "RECURSIVEMATCH" => {}
            _ => return Err(Bad("that cannot be selected by LIST")),
        }
        Ok(())
    }

    fn option(&mut self, cursor: &mut Cursor<'_>) -> Parsed<()> {
        match cursor.atom()?.to_ascii_uppercase().as_str() {
            "SUBSCRIBED" => self.tell_subscribed = true,
            // Told always (RFC 3348, RFC 6154 §2).
            "CHILDREN" | "SPECIAL-USE" => {}
            "STATUS" => {
                cursor.space()?;
                self.status = cursor.list(status::ITEMS, Item::parse)?;
            }
            _ => return Err(Bad("that cannot be returned by LIST")),
        }
        Ok(())
    }

    fn reference(&mut self, cursor: &mut Cursor<'_>) -> Parsed<()> {
        let reference = cursor.mailbox()?;
        cursor.space()?;
        let patterns = if cursor.peek() == Some(b'(') {
            cursor.list(PATTERNS, Cursor::pattern)?
        } else {
            vec![cursor.pattern()?]
        };
        let whole = |pattern: &String| format!("{reference}{pattern}");
        self.patterns = patterns.iter().map(whole).collect();
        Ok(())
    }

    fn selects(&self, info: &MailboxInfo) -> bool {
        (!self.subscribed_only || info.subscribed)
            && (!self.special_only || info.special_use.is_some())
    }

    fn wants(&self, info: &MailboxInfo) -> bool {
        let name = info.name.as_str();
        self.selects(info) && self.patterns.iter().any(|pattern| matches(pattern, name))
    }

    /// Names above those that are told, where nothing is to be told itself: whoever looks level
    /// by level with `%` would else not find what lies below (RFC 3501 §6.3.8, §6.3.9).
    fn levels<'a>(&self, all: &'a [MailboxInfo]) -> BTreeSet<&'a str> {
        let by_level = self.patterns.iter().any(|pattern| pattern.contains('%'));
        let selective = self.subscribed_only || self.special_only;
        let told = all.iter().filter(|info| self.selects(info));
        let told: BTreeSet<&str> = told.map(|info| info.name.as_str()).collect();
        let above = told.iter().flat_map(|name| {
            let ends = name.match_indices('/');
            ends.filter_map(|(end, _)| name.get(..end))
        });
        above
            .filter(|_| by_level && (self.verb == "LSUB" || !selective))
            .filter(|name| !told.contains(name))
            .filter(|name| self.patterns.iter().any(|pattern| matches(pattern, name)))
            .collect()
    }

    fn write(&self, all: &[MailboxInfo], desk: &mut Desk) {
        // An empty pattern asks for the separator (RFC 9051 §6.3.9).
        if self.patterns.iter().all(String::is_empty) {
            return desk
                .out
                .untagged(&format!("{} (\\Noselect) \"/\" \"\"", self.verb));
        }
        for level in self.levels(all) {
            self.tell(level, "\\Noselect \\HasChildren", desk);
        }
        for info in all.iter().filter(|info| self.wants(info)) {
            self.tell(&info.name, &self.attributes(info, all), desk);
            if !self.status.is_empty() {
                status::write(info, &self.status, &mut desk.out);
            }
        }
    }

    fn tell(&self, name: &str, attributes: &str, desk: &mut Desk) {
        let line = format!("* {} ({attributes}) \"/\" ", self.verb);
        desk.out.raw(line.as_bytes());
        desk.out.raw(&mailbox(name));
        desk.out.line("");
    }

    fn attributes(&self, info: &MailboxInfo, all: &[MailboxInfo]) -> String {
        let prefix = format!("{}/", info.name);
        let has_children = all.iter().any(|other| other.name.starts_with(&prefix));
        let children = if has_children {
            "\\HasChildren"
        } else {
            "\\HasNoChildren"
        };
        let subscribed = (self.tell_subscribed && info.subscribed).then_some("\\Subscribed");
        let special = info.special_use.map(attribute);
        let all = [Some(children), special, subscribed];
        let told: Vec<&str> = all.into_iter().flatten().collect();
        told.join(" ")
    }
}

fn attribute(special: SpecialUse) -> &'static str {
    match special {
        SpecialUse::Archive => "\\Archive",
        SpecialUse::Drafts => "\\Drafts",
        SpecialUse::Junk => "\\Junk",
        SpecialUse::Sent => "\\Sent",
        SpecialUse::Trash => "\\Trash",
    }
}

/// `*` is any run of characters, `%` one without a separator. Row by row, so
/// that no pattern takes more than pattern times name.
fn matches(pattern: &str, name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    // Which beginnings of the name the pattern read so far matches.
    let mut reached = vec![false; name.len() + 1];
    if let Some(first) = reached.first_mut() {
        *first = true;
    }
    for wanted in pattern.chars() {
        let mut next = vec![false; name.len() + 1];
        let mut before = false;
        for (index, slot) in next.iter_mut().enumerate() {
            let last = index.checked_sub(1).and_then(|at| name.get(at)).copied();
            let here = reached.get(index).copied().unwrap_or_default();
            let shorter = index.checked_sub(1).and_then(|at| reached.get(at)).copied();
            *slot = match wanted {
                '*' => here || before,
                '%' => here || (before && last != Some('/')),
                _ => last == Some(wanted) && shorter.unwrap_or_default(),
            };
            before = *slot;
        }
        reached = next;
    }
    reached.last().copied().unwrap_or_default()
}

impl Run for List {
    fn step(&mut self, input: Input, desk: &mut Desk) -> Step {
        match input {
            Input::Answer(Answer::Mailboxes(all)) => {
                self.write(&all, desk);
                Step::ok("done")
            }
            Input::Answer(answer) => desk.refused(answer),
            _ => Step::Ask(Request::Mailboxes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match() {
        assert!(matches("*", "a/b"));
        assert!(!matches("%", "a/b"));
        assert!(matches("%/%", "a/b"));
        assert!(matches("a*b", "a/x/b"));
        assert!(matches("INBOX", "INBOX"));
        assert!(!matches("INBO", "INBOX"));
        assert!(!matches("", "INBOX"));
        assert!(matches(&"*".repeat(250), &"a".repeat(250)));
    }
}
