//! See `tickwire_fuzz::frame_decoder`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tickwire_fuzz::frame_decoder::run(input));
