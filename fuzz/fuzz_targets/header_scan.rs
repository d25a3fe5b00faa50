#![no_main]
//! `scripts/fuzz header_scan`

libfuzzer_sys::fuzz_target!(|octets: &[u8]| email2_testbed::fuzzing::run("header_scan", octets));
