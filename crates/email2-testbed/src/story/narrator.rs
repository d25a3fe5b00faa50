//! Tells the story: to a person as lines, to a program as one JSON object a line.

use std::io::Write;

use serde::Serialize;

use crate::wire::{Crossing, Direction};

/// One step: who did what, what was expected and what came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Stable name.
    pub step: String,
    /// Who acted; `mallory` for all forgers.
    pub actor: String,
    /// What was done.
    pub did: String,
    /// What should come of it.
    pub expected: String,
    /// What came of it.
    pub got: String,
    /// Whether that is the same.
    pub ok: bool,
}

/// How the story is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lines for a person.
    Text,
    /// One JSON object a step.
    Json,
    /// Nothing is told, the steps are only kept.
    Silent,
}

/// Tells steps as they happen, and keeps them.
pub struct Narrator<'a> {
    form: Form,
    out: &'a mut (dyn Write + Send),
    steps: Vec<Step>,
}

impl<'a> Narrator<'a> {
    /// A narrator that writes to `out`.
    pub fn new(form: Form, out: &'a mut (dyn Write + Send)) -> Narrator<'a> {
        Narrator {
            form,
            out,
            steps: Vec::new(),
        }
    }

    /// Tells a step. A reader who went away (closed pipe) does not stop the story.
    pub fn tell(&mut self, step: Step) {
        let text = match self.form {
            Form::Text => as_text(&step),
            Form::Json => as_json(&step),
            Form::Silent => String::new(),
        };
        self.write(&text);
        self.steps.push(step);
    }

    /// A heading between the parts of the story.
    pub fn part(&mut self, title: &str) {
        if self.form == Form::Text {
            self.write(&format!("\n{title}\n\n"));
        }
    }

    /// Lines as they crossed the wire, dialogue and header; long ones are cut.
    pub fn wire(&mut self, crossings: &[Crossing]) {
        if self.form == Form::Text {
            let lines: String = crossings.iter().map(as_wire).collect();
            self.write(&lines);
        }
    }

    /// What was told so far.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// How many steps did not go as expected.
    #[must_use]
    pub fn surprises(&self) -> usize {
        self.steps.iter().filter(|step| !step.ok).count()
    }

    fn write(&mut self, text: &str) {
        if let Err(error) = self.out.write_all(text.as_bytes()) {
            tracing::debug!(%error, "nobody listens");
        }
    }
}

fn as_text(step: &Step) -> String {
    let mark = match step.ok {
        true => "as expected",
        false => "NOT AS EXPECTED",
    };
    format!(
        "{:<8} {}\n    expected  {}\n    got       {}   [{mark}]\n",
        step.actor, step.did, step.expected, step.got
    )
}

fn as_json(step: &Step) -> String {
    let object =
        serde_json::to_string(step).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    format!("{object}\n")
}

fn as_wire(crossing: &Crossing) -> String {
    const WIDTH: usize = 100;
    let side = match crossing.direction {
        Direction::ToServer => "C:",
        Direction::ToClient => "S:",
    };
    let lock = match crossing.protected {
        true => "tls ",
        false => "    ",
    };
    let mut line: String = crossing.line.chars().take(WIDTH).collect();
    if line.len() < crossing.line.len() {
        line.push_str(" …");
    }
    format!("    {lock}{side} {line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(ok: bool) -> Step {
        let word = |word: &str| word.to_owned();
        Step {
            step: word("a"),
            actor: word("mallory"),
            did: word("tries"),
            expected: word("550"),
            got: word("250"),
            ok,
        }
    }

    #[test]
    fn a_surprise_is_counted_and_said() {
        let mut out = Vec::new();
        let mut narrator = Narrator::new(Form::Text, &mut out);
        narrator.tell(step(true));
        narrator.tell(step(false));
        assert_eq!(narrator.surprises(), 1);
        let told = String::from_utf8(out).unwrap();
        assert_eq!(told.matches("NOT AS EXPECTED").count(), 1);
    }

    #[test]
    fn json_is_one_object_a_line() {
        let mut out = Vec::new();
        Narrator::new(Form::Json, &mut out).tell(step(true));
        let object: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(object["actor"], "mallory");
        assert_eq!(object["ok"], true);
        assert_eq!(out.iter().filter(|&&octet| octet == b'\n').count(), 1);
    }
}
