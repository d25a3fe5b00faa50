#![no_main]
//! `scripts/fuzz policy_record`

libfuzzer_sys::fuzz_target!(|octets: &[u8]| email2_testbed::fuzzing::run("policy_record", octets));
