#![no_main]
//! `scripts/fuzz imap_structure`

libfuzzer_sys::fuzz_target!(|octets: &[u8]| email2_testbed::fuzzing::run("imap_structure", octets));
