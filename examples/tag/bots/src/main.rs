//! `cargo run -p tag-bots -- --bots 20`: the flags are those of `tickwire-bot`.

use std::process::ExitCode;
use std::sync::Arc;
use tag_bots::TagBots;

fn main() -> ExitCode {
    tickwire_bot::main(Some(Arc::new(TagBots)))
}
