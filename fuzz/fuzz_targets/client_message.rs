//! See `tickwire_fuzz::client_message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tickwire_fuzz::client_message::run(input));
