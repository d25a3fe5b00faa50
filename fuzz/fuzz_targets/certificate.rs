#![no_main]
//! `scripts/fuzz certificate`

libfuzzer_sys::fuzz_target!(|octets: &[u8]| email2_testbed::fuzzing::run("certificate", octets));
