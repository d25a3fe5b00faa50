#![no_main]
//! `scripts/fuzz capability`

libfuzzer_sys::fuzz_target!(|octets: &[u8]| email2_testbed::fuzzing::run("capability", octets));
