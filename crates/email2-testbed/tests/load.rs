//! `email2-bench` measures the real server: a run of a few seconds.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::process::Command;

use serde_json::Value;

/// Runs `email2-bench`; its JSON. `None` where `email2d` was not built beside it.
fn measured(arguments: &[&str]) -> Option<Value> {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_email2-bench"));
    if !program.with_file_name("email2d").is_file() {
        eprintln!("email2d is not there: scripts/test builds it");
        return None;
    }
    let output = Command::new(program)
        .args(arguments)
        .arg("--json")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn every_message_of_a_load_is_delivered_and_counted() {
    let load = [
        "--sessions",
        "4",
        "--sizes",
        "2,40",
        "--per-connection",
        "5",
    ];
    let part = ["--part", "0.02", "--idle", "20", "--no-cold"];
    let Some(report) = measured(&[&load[..], &part[..]].concat()) else {
        return;
    };
    let rows = report["rows"].as_array().unwrap();
    let programs: Vec<_> = rows
        .iter()
        .map(|row| row["program"].as_str().unwrap())
        .collect();
    assert_eq!(
        programs,
        [
            "email2d",
            "email2d",
            "email2d, ordinary mail, rsa",
            "email2d, ordinary mail, rsa",
            "email2d, ordinary mail, ed25519",
            "email2d, ordinary mail, ed25519",
            "sink: TLS, SMTP",
            "sink: TLS, SMTP",
            "sink: nothing",
            "sink: nothing"
        ]
    );
    for row in rows {
        assert_eq!(row["messages"], 40, "{row}");
        assert!(row["rate"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["p99"].as_f64() >= row["p50"].as_f64(), "{row}");
    }
    assert!(
        rows[0]["memory"].as_u64().unwrap() > 1024 * 1024,
        "{report}"
    );
    assert!(
        report["limits"]["fsyncs"].as_f64().unwrap() > 0.0,
        "{report}"
    );
    let memory = report["memory"].as_array().unwrap();
    assert_eq!(memory.len(), 2, "{report}");
    assert_eq!(memory[0]["idle"], 20);
}

/// A sender whose key was never asked for is found by DNS, asked and verified.
#[test]
fn strangers_are_looked_up_while_they_deliver() {
    let load = ["--sessions", "2", "--sizes", "2", "--per-connection", "1"];
    let part = ["--part", "0.02", "--idle", "0", "--no-sinks"];
    let Some(report) = measured(&[&load[..], &part[..]].concat()) else {
        return;
    };
    let rows = report["rows"].as_array().unwrap();
    let cold: Vec<_> = rows.iter().filter(|row| row["cold"] == true).collect();
    assert_eq!(cold.len(), 1, "{report}");
    assert_eq!(cold[0]["messages"], 4);
}
