//! The tables of the specification that are made from the code: every refusal
//! (spec §7.1), every number (spec §8.1) and which command is allowed when (spec §3.11).

use std::fs;
use std::path::Path;

use email2::rejection::Rejection;
use email2_smtp::server::command_table;

use crate::failure::{Outcome, Step};

/// The source of the numbers: each constant with its sentence.
const LIMITS: &str = include_str!("../../email2/src/limits.rs");

/// Makes a table.
type Maker = fn() -> Outcome<String>;

/// A table, and the chapter in which it stands between its two marks.
const TABLES: [(&str, &str, Maker); 3] = [
    ("03-smtp.md", "commands", commands),
    ("07-replies.md", "rejections", rejections),
    ("08-limits.md", "limits", limits),
];

/// Writes the tables into the chapters in `folder`.
///
/// # Errors
/// A chapter cannot be read or written, or has no marks.
pub fn write(folder: &Path) -> Outcome<()> {
    for (chapter, name, table) in TABLES {
        let path = folder.join(chapter);
        let text = fs::read_to_string(&path).step(chapter)?;
        fs::write(&path, filled(&text, name, &table()?)?).step(chapter)?;
    }
    Ok(())
}

/// Names the chapters whose table is not the code's.
///
/// # Errors
/// As [`write()`].
pub fn differing(folder: &Path) -> Outcome<Vec<String>> {
    let mut differing = Vec::new();
    for (chapter, name, table) in TABLES {
        let text = fs::read_to_string(folder.join(chapter)).step(chapter)?;
        if filled(&text, name, &table()?)? != text {
            differing.push(chapter.to_owned());
        }
    }
    Ok(differing)
}

/// Puts a table between the marks of that name.
fn filled(chapter: &str, name: &str, table: &str) -> Outcome<String> {
    let (begin, end) = (
        format!("<!-- {name}: generated -->"),
        format!("<!-- end of {name} -->"),
    );
    let (before, rest) = chapter.split_once(&begin).step(begin.as_str())?;
    let (_, behind) = rest.split_once(&end).step(end.as_str())?;
    Ok(format!("{before}{begin}\n{table}{end}{behind}"))
}

fn commands() -> Outcome<String> {
    let head = "| command | while the server waits for | and demands |\n|---|---|---|\n";
    let rows = command_table().into_iter().map(|row| {
        let phases = match row.phases.as_slice() {
            [] => "anything".to_owned(),
            phases => phases.join(", "),
        };
        let needs = if row.needs.is_empty() {
            "–"
        } else {
            row.needs
        };
        format!("| `{}` | {phases} | {needs} |\n", row.verb)
    });
    Ok(std::iter::once(head.to_owned()).chain(rows).collect())
}

fn rejections() -> Outcome<String> {
    let head = "| reply | id | sentence | section |\n|---|---|---|---|\n";
    let rows = Rejection::table().into_iter().map(|row| {
        let (code, enhanced) = (row.code, row.enhanced);
        let section = row.section.strip_prefix("spec ").unwrap_or(row.section);
        format!(
            "| {code} {enhanced} | `{}` | {} | {section} |\n",
            row.id, row.sentence
        )
    });
    Ok(std::iter::once(head.to_owned()).chain(rows).collect())
}

fn limits() -> Outcome<String> {
    let mut table = "| name | number | what |\n|---|--:|---|\n".to_owned();
    let mut sentence = Vec::new();
    for line in LIMITS.lines() {
        if let Some(text) = line.strip_prefix("///") {
            sentence.push(text.trim());
        } else if let Some(constant) = line.strip_prefix("pub const ") {
            let (name, number) = constant.split_once(':').step(constant)?;
            let (_, number) = number.split_once('=').step(constant)?;
            let number = grouped(product(number)?);
            let what = sentence.join(" ").replace("spec §", "§");
            table.push_str(&format!("| `{name}` | {number} | {what} |\n"));
            sentence.clear();
        } else {
            sentence.clear();
        }
    }
    Ok(table)
}

/// The value of `50 * MIB;`.
fn product(expression: &str) -> Outcome<u64> {
    let factors = expression.trim().trim_end_matches(';').split('*');
    factors
        .map(|factor| match factor.trim() {
            "MIB" => Ok(1_048_576),
            "DAY" => Ok(86_400),
            number => number.replace('_', "").parse::<u64>().step(number),
        })
        .product()
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_multiplied_and_grouped() {
        assert_eq!(product(" 50 * MIB;").unwrap(), 52_428_800);
        assert_eq!(grouped(52_428_800), "52,428,800");
        assert_eq!(grouped(998), "998");
    }

    #[test]
    fn a_table_replaces_the_last_one() {
        let chapter = "a\n<!-- x: generated -->\nold\n<!-- end of x -->\nb\n";
        let new = filled(chapter, "x", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- x: generated -->\nnew\n<!-- end of x -->\nb\n");
        assert_eq!(filled(&new, "x", "new\n").unwrap(), new);
        assert!(filled(chapter, "y", "new\n").is_err());
    }
}
