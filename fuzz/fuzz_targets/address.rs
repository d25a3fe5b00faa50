#![no_main]
//! `scripts/fuzz address`

libfuzzer_sys::fuzz_target!(|octets: &[u8]| email2_testbed::fuzzing::run("address", octets));
