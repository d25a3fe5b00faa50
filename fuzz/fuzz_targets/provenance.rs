#![no_main]
//! `scripts/fuzz provenance`

libfuzzer_sys::fuzz_target!(|octets: &[u8]| email2_testbed::fuzzing::run("provenance", octets));
