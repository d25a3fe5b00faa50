//! METADATA (RFC 5464), for the server's entries that are a person's settings
//! (spec §10.2). Mailboxes have no entries.

use email2::limits::{SETTING_LINES, SETTING_OCTETS};

use crate::command::{Input, Run, Step};
use crate::grammar::{Bad, Cursor, Parsed};
use crate::request::{Answer, Refusal, Request, Setting};
use crate::session::Desk;
use crate::writer::{Completion, literal};

/// Most entries of one command.
const ENTRIES: usize = 32;
const FOLDER: &str = "/private/vendor/email2";
const NAMES: [(Setting, &str); 8] = [
    (Setting::Blocks, "blocks"),
    (Setting::Contacts, "contacts"),
    (Setting::Forward, "forward"),
    (Setting::Forwarders, "forwarders"),
    (Setting::Legacy, "legacy"),
    (Setting::Strangers, "strangers"),
    (Setting::Vacation, "vacation"),
    (Setting::VacationDays, "vacation-days"),
];

fn setting_named(entry: &str) -> Option<Setting> {
    let lower = entry.to_ascii_lowercase();
    let name = lower.strip_prefix(FOLDER)?.strip_prefix('/')?;
    let found = NAMES.iter().find(|(_, known)| *known == name)?;
    Some(found.0)
}

fn name_of(setting: Setting) -> &'static str {
    let found = NAMES.iter().find(|(known, _)| *known == setting);
    found.map_or("", |(_, name)| name)
}

/// `GETMETADATA [(options)] "" entry` or `… (entry …)`
pub(crate) fn parse_get(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    cursor.space()?;
    let mut get = Get::default();
    if cursor.peek() == Some(b'(') {
        cursor.list(2, |cursor| get.option(cursor))?;
        cursor.space()?;
    }
    get.mailbox = !cursor.astring()?.is_empty();
    cursor.space()?;
    get.entries = if cursor.peek() == Some(b'(') {
        cursor.list(ENTRIES, Cursor::astring_text)?
    } else {
        vec![cursor.astring_text()?]
    };
    cursor.end()?;
    Ok(Box::new(get))
}

#[derive(Debug, Default)]
struct Get {
    mailbox: bool,
    entries: Vec<String>,
    /// Entries below those named are meant too.
    deep: bool,
    largest: Option<u64>,
    asked: Vec<Setting>,
}

impl Get {
    fn option(&mut self, cursor: &mut Cursor<'_>) -> Parsed<()> {
        if cursor.skip_word("MAXSIZE ") {
            self.largest = Some(cursor.number64()?);
        } else if cursor.skip_word("DEPTH ") {
            self.deep = cursor.atom()? != "0";
        } else {
            return Err(Bad("an option of GETMETADATA is MAXSIZE or DEPTH"));
        }
        Ok(())
    }

    fn settings(&self) -> Vec<Setting> {
        let meant = |setting: &Setting| {
            self.entries.iter().any(|entry| {
                let below = self.deep && is_above(entry);
                below || setting_named(entry) == Some(*setting)
            })
        };
        let all = NAMES.iter().map(|(setting, _)| *setting);
        all.filter(meant).collect()
    }

    fn write(&self, values: &[Option<Vec<u8>>], desk: &mut Desk) -> Step {
        let mut text = Vec::new();
        let mut longest = 0;
        for (setting, value) in self.asked.iter().zip(values) {
            let size = value.as_ref().map_or(0, Vec::len) as u64;
            if self.largest.is_some_and(|largest| size > largest) {
                longest = longest.max(size);
                continue;
            }
            text.push(if text.is_empty() { b'(' } else { b' ' });
            text.extend_from_slice(format!("{FOLDER}/{} ", name_of(*setting)).as_bytes());
            text.extend(
                value
                    .as_ref()
                    .map_or(b"NIL".to_vec(), |value| literal(value)),
            );
        }
        if !text.is_empty() {
            desk.out.raw(b"* METADATA \"\" ");
            desk.out.raw(&text);
            desk.out.line(")");
        }
        if longest > 0 {
            let code = format!("METADATA LONGENTRIES {longest}");
            return Step::Finish(Completion::ok_with(code, "done"));
        }
        Step::ok("done")
    }
}

fn is_above(entry: &str) -> bool {
    let entry = entry.trim_end_matches('/').to_ascii_lowercase();
    let below = FOLDER.strip_prefix(entry.as_str());
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Run for Get {
    fn step(&mut self, input: Input, desk: &mut Desk) -> Step {
        match input {
            Input::Answer(Answer::Settings(values)) => self.write(&values, desk),
            Input::Answer(answer) => desk.refused(answer),
            _ if self.mailbox => Step::ok("mailboxes have no entries"),
            _ => {
                self.asked = self.settings();
                Step::Ask(Request::Settings(self.asked.clone()))
            }
        }
    }
}

/// `SETMETADATA "" (entry value …)`
pub(crate) fn parse_set(cursor: &mut Cursor<'_>) -> Parsed<Box<dyn Run>> {
    cursor.space()?;
    let mailbox = !cursor.astring()?.is_empty();
    cursor.space()?;
    let entries = cursor.list(ENTRIES, |cursor| {
        let entry = cursor.astring_text()?;
        cursor.space()?;
        let value = cursor.nstring()?.map(|value| value.to_vec());
        Ok((entry, value))
    })?;
    cursor.end()?;
    Ok(Box::new(Set { mailbox, entries }))
}

#[derive(Debug)]
struct Set {
    mailbox: bool,
    entries: Vec<(String, Option<Vec<u8>>)>,
}

impl Set {
    fn check(&mut self) -> Result<Request, Completion> {
        if self.mailbox {
            return Err(Completion::no("CANNOT", "mailboxes have no entries here"));
        }
        let mut settings = Vec::new();
        for (entry, value) in std::mem::take(&mut self.entries) {
            let Some(setting) = setting_named(&entry) else {
                return Err(Completion::no("CANNOT", "there is no such entry"));
            };
            if value.as_ref().is_some_and(|value| is_too_large(value)) {
                return Err(too_large());
            }
            settings.push((setting, value));
        }
        Ok(Request::SetSettings(settings))
    }
}

impl Run for Set {
    fn step(&mut self, input: Input, desk: &mut Desk) -> Step {
        match input {
            Input::Answer(Answer::Done) => Step::ok("kept"),
            Input::Answer(Answer::Refused(Refusal::TooLarge)) => Step::Finish(too_large()),
            Input::Answer(answer) => desk.refused(answer),
            _ => self.check().map_or_else(Step::Finish, Step::Ask),
        }
    }
}

/// spec §10.2.1
fn is_too_large(value: &[u8]) -> bool {
    value.len() > SETTING_OCTETS || value.split(|&octet| octet == b'\n').count() > SETTING_LINES + 1
}

/// The answer to an entry that is too large.
pub(crate) fn too_large() -> Completion {
    let code = format!("METADATA MAXSIZE {SETTING_OCTETS}");
    Completion::no(&code, "an entry has at most 64 KiB and 2,000 lines")
}
