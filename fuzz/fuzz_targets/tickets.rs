//! See `tickwire_fuzz::tickets`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tickwire_fuzz::tickets::run(input));
