//! See `tickwire_fuzz::room`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tickwire_fuzz::room::run(input));
