//! The bounds of structure, and protected messages as a person reads them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use email2::Address;
use email2::certificate::Certificate;
use email2::content::{ContentError, Reader, Reading, Standing, unprotect};
use email2::scan::Scan;
use email2::secret::SecretKey;
use serde_json::{Value, json};

use crate::keys::parse;
use crate::{text, texts};

pub(crate) fn structure(given: &Value) -> Value {
    match Scan::whole(false, text(given, "message").as_bytes()) {
        Ok(_) => json!({}),
        Err(rejection) => json!({ "rejection": rejection.id() }),
    }
}

pub(crate) fn protected(given: &Value) -> Value {
    let keys: Vec<SecretKey> = texts(given, "keys").iter().map(|key| unlock(key)).collect();
    let keys: Vec<&SecretKey> = keys.iter().collect();
    let known = |address: &Address| author(given, address);
    let reader = Reader {
        keys: &keys,
        known: &known,
        now: given["now"].as_u64().unwrap(),
    };
    match unprotect(text(given, "message").as_bytes(), &reader) {
        Ok(reading) => read(&reading),
        Err(ContentError::NotForTheseKeys) => json!({ "error": "not-for-these-keys" }),
        Err(error) => json!({ "error": error.to_string() }),
    }
}

fn unlock(key: &str) -> SecretKey {
    SecretKey::unlock(&STANDARD.decode(key).unwrap(), None).unwrap()
}

fn author(given: &Value, address: &Address) -> Option<Certificate> {
    let armored = given["authors"].get(address.to_string())?;
    parse(armored.as_str()?).ok()
}

fn read(reading: &Reading) -> Value {
    let subject = reading.field("Subject").map(String::from_utf8_lossy);
    json!({
        "standing": standing(&reading.standing),
        "encrypted": reading.encrypted,
        "subject": subject.map(|subject| subject.trim().to_owned()),
    })
}

fn standing(standing: &Standing) -> &'static str {
    match standing {
        Standing::Verified { .. } => "verified",
        Standing::SignedBySomebodyElse { .. } => "signed-by-somebody-else",
        Standing::UnknownKey { .. } => "unknown-key",
        Standing::Unsigned => "unsigned",
        Standing::Broken(_) => "broken",
    }
}
