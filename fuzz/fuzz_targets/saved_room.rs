//! See `tickwire_fuzz::saved_room`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tickwire_fuzz::saved_room::run(input));
