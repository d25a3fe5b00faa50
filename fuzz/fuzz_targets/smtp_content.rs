#![no_main]
//! `scripts/fuzz smtp_content`

libfuzzer_sys::fuzz_target!(|octets: &[u8]| email2_testbed::fuzzing::run("smtp_content", octets));
