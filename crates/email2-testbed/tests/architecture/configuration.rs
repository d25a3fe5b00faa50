//! Configuration keys and their reference say the same.

use std::path::Path;

use email2d::config::Config;
use toml::{Table, Value};

use crate::tree;
use crate::{hold, source::production};

/// Where the keys are read, and the part of the reference that explains them.
const READ: [(&str, &str); 2] = [
    ("crates/email2d/src/config.rs", "Server"),
    ("crates/email2-io/src/world.rs", "Network"),
];

const REFERENCE: &str = "docs/configuration.md";

/// The keys of the structs that derive `Deserialize`.
fn keys(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut reads, mut inside, mut renamed) = (false, false, None);
    for line in production(source).lines() {
        let line = line.trim();
        if line.starts_with("#[derive(") {
            reads = line.contains("Deserialize");
        } else if line.starts_with("pub struct ") && line.ends_with('{') {
            inside = reads;
        } else if line == "}" {
            (inside, reads) = (false, false);
        } else if let Some((_, name)) = line.split_once("rename = \"") {
            renamed = name.split('"').next().map(str::to_owned);
        } else if let Some((name, _)) = line.strip_prefix("pub ").and_then(|l| l.split_once(':')) {
            let name = renamed.take().unwrap_or_else(|| name.to_owned());
            found.extend(inside.then_some(name));
        }
    }
    found
}

/// The keys that a part of the reference explains: the first cells of its tables.
fn explained(reference: &str, part: &str) -> Vec<String> {
    let parts = reference.split("\n## ");
    let rows = parts
        .filter(|text| text.starts_with(part))
        .flat_map(|text| text.lines());
    rows.filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next())
        .map(str::to_owned)
        .collect()
}

fn differences(read: &[String], explained: &[String]) -> Vec<String> {
    let unexplained = read.iter().filter(|key| !explained.contains(key));
    let mut found: Vec<String> = unexplained
        .map(|key| format!("`{key}` is read and not explained"))
        .collect();
    let unread = explained.iter().filter(|key| !read.contains(key));
    found.extend(unread.map(|key| format!("`{key}` is explained and not read")));
    found
}

#[test]
fn keys_and_reference_say_the_same() {
    let reference = tree::text(REFERENCE);
    for (source, part) in READ {
        let read = keys(&tree::text(source));
        assert!(!read.is_empty(), "{source} reads nothing");
        hold(source, &differences(&read, &explained(&reference, part)));
    }
}

#[test]
fn a_key_too_many_and_one_too_few_are_seen() {
    let source = "#[derive(Debug, Deserialize)]\npub struct A {\n    pub a: u8,\n    \
                  #[serde(rename = \"c\")]\n    pub b: u8,\n}\npub struct B {\n    pub d: u8,\n}\n";
    assert_eq!(keys(source), ["a", "c"]);
    let reference = "# X\n## Server\n| `a` | x |\n| `e` | x |\n";
    let found = differences(&keys(source), &explained(reference, "Server"));
    assert_eq!(found.len(), 2, "{found:?}");
}

/// What a server, and a smarthost, cannot do without.
const LEAST: &str = "hostname = 'mx.example.org'\ndata_directory = 'data'\n\
    [[domain]]\nname = 'example.org'\n[listen]\nmx = ['127.0.0.1:25']\n\
    [[smarthost]]\nlisten = ['127.0.0.1:26']\nnetworks = ['127.0.0.0/8']\n\
    domains = ['example.org']\n[[tls]]\ncertificate = 'c'\nkey = 'k'\n";

/// A row of the reference: the table in which its key stands, its key and its default.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    table: Option<String>,
    key: String,
    default: String,
}

/// The rows of the two parts; the table is named in the line above them, or is the part's.
fn rows(reference: &str) -> Vec<Row> {
    let mut found = Vec::new();
    for (part, own) in [("Server", None), ("Network", Some("[network]"))] {
        let mut parts = reference.split("\n## ");
        let text = parts.find(|text| text.starts_with(part));
        let mut table = own.map(str::to_owned);
        for line in text.unwrap_or_default().lines() {
            let named = line.split_once("In `[").or(line.split_once("In every `["));
            if let Some((_, name)) = named {
                table = name.split_once('`').map(|(name, _)| format!("[{name}"));
            }
            let mut cells = line.split(" | ");
            let key = cells.next().and_then(|cell| cell.strip_prefix("| `"));
            let default = cells.next().map(str::to_owned);
            if let (Some(key), Some(default)) = (key, default) {
                found.push(Row {
                    table: table.clone(),
                    key: key.trim_end_matches('`').to_owned(),
                    default,
                });
            }
        }
    }
    found
}

/// The least configuration with this value for the key, or without the key.
fn varied(row: &Row, value: Option<Value>) -> Option<Table> {
    let mut least: Table = toml::from_str(LEAST).ok()?;
    let name = row.table.as_deref();
    let name = name.map(|name| name.trim_matches(['[', ']']));
    let named = name.map(|name| least.entry(name).or_insert(Table::new().into()));
    let table = match named {
        None => &mut least,
        Some(Value::Array(tables)) => tables.first_mut()?.as_table_mut()?,
        Some(table) => table.as_table_mut()?,
    };
    table.remove(&row.key);
    table.extend(value.map(|value| (row.key.clone(), value)));
    Some(least)
}

/// What is wrong with the default that a row names.
fn fault(row: &Row) -> Option<String> {
    (!holds(row)).then(|| format!("{row:?}"))
}

fn holds(row: &Row) -> bool {
    let literal = row.default.strip_prefix('`');
    match literal.and_then(|literal| literal.strip_suffix('`')) {
        Some(literal) => {
            let said: Result<Table, _> = toml::from_str(&format!("value = {literal}"));
            let value = said.ok().and_then(|said| said.get("value").cloned());
            let unsaid = varied(row, None).and_then(debugged);
            value.is_some() && unsaid.is_some() && varied(row, value).and_then(debugged) == unsaid
        }
        None => {
            let text = varied(row, None).and_then(|table| toml::to_string(&table).ok());
            let read = text.map(|text| Config::parse(&text, Path::new("config.toml")).is_ok());
            match &*row.default {
                "required" => read == Some(false),
                "none" => read == Some(true),
                _ => false,
            }
        }
    }
}

fn debugged(configuration: Table) -> Option<String> {
    let config: Config = configuration.try_into().ok()?;
    Some(format!("{config:?}"))
}

#[test]
fn every_key_has_its_default_and_it_is_the_true_one() {
    let rows = rows(&tree::text(REFERENCE));
    assert!(rows.len() > 20, "{rows:?}");
    let found: Vec<String> = rows.iter().filter_map(fault).collect();
    hold("defaults", &found);
}

#[test]
fn a_wrong_default_is_seen() {
    let row = |table: Option<&str>, key: &str, default: &str| Row {
        table: table.map(str::to_owned),
        key: key.to_owned(),
        default: default.to_owned(),
    };
    let right = [
        row(None, "hostname", "required"),
        row(None, "limits", "none"),
        row(None, "tls", "required"),
        row(Some("[[domain]]"), "memory", "`2592000`"),
        row(Some("[[tls]]"), "key", "required"),
        row(Some("[limits]"), "drain_seconds", "`30`"),
    ];
    assert_eq!(right.iter().filter_map(fault).count(), 0);
    let wrong = [
        row(None, "limits", "required"),
        row(None, "tls", "none"),
        row(Some("[limits]"), "drain_seconds", "`31`"),
        row(Some("[[domain]]"), "local", "`true`"),
        row(Some("[[domain]]"), "name", "none"),
        row(Some("[listen]"), "mx", "mail from elsewhere"),
    ];
    assert_eq!(wrong.iter().filter_map(fault).count(), wrong.len());
    let reference =
        "# X\n## Server\n| `a` | x | y |\n\nIn every `[[b]]`, c:\n\n| `d` | `1` | y |\n";
    let found = rows(reference);
    assert_eq!(found, [row(None, "a", "x"), row(Some("[[b]]"), "d", "`1`")]);
}
