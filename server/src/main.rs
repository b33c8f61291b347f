//! The binary: a server of the games that ship.

use std::process::ExitCode;
use std::sync::Arc;
use tickwire_game::SHIPPED;
use tickwire_server::NewGame;

fn main() -> ExitCode {
    tickwire_server::main_of(|config| match tickwire_game::shipped(&config.game) {
        Some(new_game) => Ok(Arc::new(new_game) as NewGame),
        None => {
            let (game, known) = (&config.game, SHIPPED.join(", "));
            Err(format!("--game {game} is not shipped; there are: {known}"))
        }
    })
}
