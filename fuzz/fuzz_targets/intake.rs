#![no_main]
//! `scripts/fuzz intake`

libfuzzer_sys::fuzz_target!(|octets: &[u8]| email2_testbed::fuzzing::run("intake", octets));
