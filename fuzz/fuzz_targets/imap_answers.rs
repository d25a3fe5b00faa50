#![no_main]
//! `scripts/fuzz imap_answers`

libfuzzer_sys::fuzz_target!(|octets: &[u8]| email2_testbed::fuzzing::run("imap_answers", octets));
