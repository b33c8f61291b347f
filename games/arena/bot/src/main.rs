//! The bots program: a swarm that plays the arena, and any other game by its schema.

use std::process::ExitCode;
use std::sync::Arc;
use tickwire_arena_bots::ArenaPlaybook;

fn main() -> ExitCode {
    tickwire_bot::main(Some(Arc::new(ArenaPlaybook)))
}
