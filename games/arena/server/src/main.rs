//! The server of the games that ship with Tickwire: the arena, and the conformance game for those who write clients.

use std::process::ExitCode;
use std::sync::Arc;
use tickwire::RoomGame;
use tickwire_arena::Arena;
use tickwire_conformance::Conformance;
use tickwire_game::{Game, GameSettings};
use tickwire_server::Program;

fn main() -> ExitCode {
    let program = Program::choosing(|config| match config.game.as_deref() {
        None | Some(tickwire_arena::NAME) => Ok(Arc::new(arena)),
        Some(tickwire_conformance::NAME) => Ok(Arc::new(conformance)),
        Some(game) => {
            let known = [tickwire_arena::NAME, tickwire_conformance::NAME].join(", ");
            Err(format!("--game {game} is not shipped; there are: {known}"))
        }
    });
    program.page(tickwire_server::page!()).run()
}

fn conformance(settings: &GameSettings) -> Box<dyn Game> {
    Box::new(Conformance::new(settings))
}

fn arena(settings: &GameSettings) -> Box<dyn Game> {
    Box::new(RoomGame::<Arena>::new(settings))
}
