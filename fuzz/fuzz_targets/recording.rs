//! See `tickwire_fuzz::recording`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tickwire_fuzz::recording::run(input));
