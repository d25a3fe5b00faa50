//! Domain records (spec §2.3).

use serde_json::{Value, json};

use super::{Vector, refused};

pub(super) fn vectors() -> Vec<Vector> {
    vec![
        record(
            "strict",
            "spec §2.3.1",
            "v=EMAIL2; p=strict; sp=open; id=20251124",
            "A domain that always seals, its subdomains not.",
            Some(json!({ "p": "strict", "sp": "open", "ma": null })),
        ),
        record(
            "bare",
            "spec §2.3.1",
            "v=EMAIL2",
            "Absent, p is open and sp is p.",
            Some(json!({ "p": "open", "sp": "open", "ma": null })),
        ),
        record(
            "memory",
            "spec §2.3.7",
            "v=EMAIL2; p=open; ma=99999999; later=1",
            "More than 90 days is read as 90 days; unknown tags are ignored.",
            Some(json!({ "p": "open", "sp": "open", "ma": 7_776_000 })),
        ),
        record(
            "withdrawn",
            "spec §2.3.7",
            "v=EMAIL2; ma=0;",
            "ma=0 withdraws.",
            Some(json!({ "p": "open", "sp": "open", "ma": 0 })),
        ),
        record(
            "other",
            "spec §2.3.4",
            "v=spf1 -all",
            "Another TXT record.",
            None,
        ),
        record(
            "twice",
            "spec §2.3.4",
            "v=EMAIL2; p=open; p=strict",
            "A tag twice.",
            None,
        ),
    ]
}

fn record(
    name: &str,
    section: &'static str,
    text: &str,
    says: &'static str,
    outcome: Option<Value>,
) -> Vector {
    Vector {
        id: format!("record-{name}"),
        layer: "record",
        section,
        valid: outcome.is_some(),
        says,
        given: json!({ "record": text }),
        outcome: outcome.unwrap_or_else(refused),
    }
}
