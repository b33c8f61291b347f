//! See `tickwire_fuzz::http_upgrade`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tickwire_fuzz::http_upgrade::run(input));
