#![no_main]
//! `scripts/fuzz content_read`

libfuzzer_sys::fuzz_target!(|octets: &[u8]| email2_testbed::fuzzing::run("content_read", octets));
