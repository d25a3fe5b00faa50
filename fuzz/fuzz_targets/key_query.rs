#![no_main]
//! `scripts/fuzz key_query`

libfuzzer_sys::fuzz_target!(|octets: &[u8]| email2_testbed::fuzzing::run("key_query", octets));
