//! The server of the games that ship with Tickwire: the arena.

use std::process::ExitCode;
use std::sync::Arc;
use tickwire_arena::Arena;
use tickwire_game::{Game, GameSettings};
use tickwire_server::Program;

fn main() -> ExitCode {
    let program = Program::choosing(|config| match config.game.as_str() {
        tickwire_arena::NAME => Ok(Arc::new(arena)),
        game => {
            let known = tickwire_arena::NAME;
            Err(format!("--game {game} is not shipped; there are: {known}"))
        }
    });
    program.page(tickwire_server::page!()).run()
}

fn arena(settings: &GameSettings) -> Box<dyn Game> {
    Box::new(Arena::new(settings))
}
