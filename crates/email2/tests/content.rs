//! Content protection from the outside: what is protected comes back, and every
//! trouble case from the field has its right outcome (spec §5).
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod content {
    mod cases;
    mod gnupg;
    mod hostile;
    mod people;
    mod round_trip;
}
