//! See `tickwire_fuzz::rules_module`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tickwire_fuzz::rules_module::run(input));
