//! What must hold for any bytes, one module for each fuzz target. The targets in `fuzz_targets` only connect them to libFuzzer.
//!
//! In: bytes that libFuzzer made up, or a file of the corpus. Out: nothing, or a panic that says which promise was broken.
//! `fuzz/run.sh` builds and runs the targets; CONTRIBUTING.md says how a finding is repeated.

#![forbid(unsafe_code)]

pub mod client_message;
pub mod codebooks;
pub mod frame_decoder;
pub mod http_upgrade;
pub mod memory;
pub mod messages;
pub mod recording;
pub mod replica;
pub mod room;
pub mod rules_module;
pub mod saved_room;
pub mod tickets;
pub mod vectors;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;

/// Counts allocations, so that targets can bound them.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A target by its name, as `fuzz_targets` and the folders of the corpus have it.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 11] = [
    ("frame_decoder", frame_decoder::run),
    ("http_upgrade", http_upgrade::run),
    ("client_message", client_message::run),
    ("room", room::run),
    ("replica_packed", replica::run_packed),
    ("replica_plain", replica::run_plain),
    ("codebooks", codebooks::run),
    ("tickets", tickets::run),
    ("rules_module", rules_module::run),
    ("saved_room", saved_room::run),
    ("recording", recording::run),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Without libFuzzer and its instrumentation, so that every test run repeats what was found once.
    #[test]
    fn every_file_of_the_corpora_passes() {
        for (name, run) in TARGETS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("corpus")
                .join(name);
            let files: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
            assert!(!files.is_empty(), "{name} has a corpus");
            for file in files {
                let path = file.unwrap().path();
                eprintln!("{}", path.display());
                run(&std::fs::read(path).unwrap());
            }
        }
    }
}
