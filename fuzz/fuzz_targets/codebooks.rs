//! See `tickwire_fuzz::codebooks`.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use tickwire_fuzz::messages::mutate;

fuzz_target!(|input: &[u8]| tickwire_fuzz::codebooks::run(input));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(data, size, max_size, seed, fuzzer_mutate)
});
