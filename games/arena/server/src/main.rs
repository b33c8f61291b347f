//! The server of the games that ship with Tickwire: the arena.

use std::process::ExitCode;
use std::sync::Arc;
use tickwire_arena::Arena;
use tickwire_game::{Game, GameSettings};

fn main() -> ExitCode {
    tickwire_server::main_of(|config| match config.game.as_deref() {
        None | Some(tickwire_arena::NAME) => Ok(Arc::new(arena)),
        Some(game) => {
            let known = tickwire_arena::NAME;
            Err(format!("--game {game} is not shipped; there are: {known}"))
        }
    })
}

fn arena(settings: &GameSettings) -> Box<dyn Game> {
    Box::new(Arena::new(settings))
}
