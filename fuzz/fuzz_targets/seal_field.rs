#![no_main]
//! `scripts/fuzz seal_field`

libfuzzer_sys::fuzz_target!(|octets: &[u8]| email2_testbed::fuzzing::run("seal_field", octets));
