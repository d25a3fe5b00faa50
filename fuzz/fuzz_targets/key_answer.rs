#![no_main]
//! `scripts/fuzz key_answer`

libfuzzer_sys::fuzz_target!(|octets: &[u8]| email2_testbed::fuzzing::run("key_answer", octets));
