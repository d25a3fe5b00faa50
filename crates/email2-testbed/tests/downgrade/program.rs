//! The real program `email2d` beside a running server: what its administrator sees.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use email2_testbed::domain::Place;
use serde_json::Value;

/// One entry that waits, as the program shows it.
#[derive(Debug)]
pub(crate) struct Shown {
    /// `queue show`.
    pub(crate) text: String,
    /// What is said of its first recipient.
    pub(crate) reply: String,
}

/// `email2d --config …`.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    configuration: PathBuf,
}

impl Program {
    pub(crate) fn of(place: &Place) -> Program {
        Program {
            configuration: place.configuration(),
        }
    }

    /// What it prints; it must succeed.
    async fn run(&self, arguments: &[&str]) -> String {
        // `scripts/test` builds it, beside the programs of this crate.
        let program = Path::new(env!("CARGO_BIN_EXE_email2-demo")).with_file_name("email2d");
        assert!(program.is_file(), "build it first: cargo build -p email2d");
        let mut command = Command::new(program);
        command.arg("--config").arg(&self.configuration);
        command.args(arguments).env_remove("EMAIL2_CONFIG");
        let output = tokio::task::spawn_blocking(move || command.output());
        let output = output.await.unwrap().unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {complaints}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// `queue list --json`.
    pub(crate) async fn list(&self) -> Vec<Value> {
        let listed = self.run(&["queue", "list", "--json"]).await;
        let lines = listed.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }

    /// By domain what `queue list --json` says of the entries that were tried.
    pub(crate) async fn reasons(&self) -> BTreeMap<String, String> {
        let listed = self.list().await;
        let tried = listed.iter().filter_map(|entry| {
            let reply = entry["recipients"][0]["reply"].as_str()?;
            Some((entry["domain"].as_str()?.to_owned(), reply.to_owned()))
        });
        tried.collect()
    }

    /// `queue show`, `queue show --json` and `queue domains`, which say the same of the one entry
    /// that waits; `None` before its first attempt is over.
    pub(crate) async fn show(&self) -> Option<Shown> {
        let listed = self.list().await;
        let first = listed.first()?;
        let reply = first["recipients"][0]["reply"].as_str()?.to_owned();
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!(first["recipients"][0]["state"], "waiting", "{first}");
        let id = first["id"].to_string();
        let text = self.run(&["queue", "show", &id]).await;
        let address = first["recipients"][0]["address"].as_str()?;
        let waits = format!("{address}: waiting: {reply}");
        assert!(text.contains(&waits), "{text}\nlacks: {waits}");
        let whole = self.run(&["queue", "show", &id, "--json"]).await;
        let whole: Value = serde_json::from_str(&whole).unwrap();
        assert_eq!(whole["recipients"], first["recipients"]);
        let attempts = whole["attempts_failed"].to_string();
        assert!(attempts.contains(&reply), "{attempts}\nlacks: {reply}");
        let domains = self.run(&["queue", "domains"]).await;
        assert!(domains.contains(&reply), "{domains}\nlacks: {reply}");
        Some(Shown { text, reply })
    }

    /// `queue retry`.
    pub(crate) async fn retry(&self) {
        self.run(&["queue", "retry"]).await;
    }
}
