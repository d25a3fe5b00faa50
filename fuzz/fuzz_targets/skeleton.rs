#![no_main]
//! `scripts/fuzz skeleton`

libfuzzer_sys::fuzz_target!(|octets: &[u8]| email2_testbed::fuzzing::run("skeleton", octets));
