//! The program of a typed game's server.

use crate::game::Game;
use crate::room_game::RoomGame;
use std::process::ExitCode;

/// The whole program of a server that plays a game: `fn main() -> ExitCode { tickwire::main::<Tag>() }`. It has all flags of
/// `tickwire-server` but `--game`.
#[must_use]
pub fn main<G: Game>() -> ExitCode {
    tickwire_server::main(|settings| Box::new(RoomGame::<G>::new(settings)))
}
