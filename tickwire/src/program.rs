//! The program of a typed game's server.

use crate::game::Game;
use crate::room_game::RoomGame;
use std::marker::PhantomData;
use std::process::ExitCode;
use tickwire_server::PageFile;

/// The whole program of a server that plays a game: `fn main() -> ExitCode { tickwire::main::<Tag>() }`. It has all flags of
/// `tickwire-server` but `--game`. [`Program`] is the form for a game with a page.
#[must_use]
pub fn main<G: Game>() -> ExitCode {
    Program::<G>::new().run()
}

/// The whole program of a server that plays a game and serves its page:
/// `tickwire::Program::<Tag>::new().page(tickwire::page!()).run()`.
#[must_use = "a program does nothing until it is run"]
pub struct Program<G> {
    program: tickwire_server::Program,
    game: PhantomData<fn() -> G>,
}

impl<G: Game> Program<G> {
    /// A program without a page.
    pub fn new() -> Self {
        Self {
            program: tickwire_server::Program::new(|settings| {
                Box::new(RoomGame::<G>::new(settings))
            }),
            game: PhantomData,
        }
    }

    /// Serves these files, usually [`page!()`](crate::page!): the page at `/`, and what it loads.
    pub fn page(mut self, files: &'static [PageFile]) -> Self {
        self.program = self.program.page(files);
        self
    }

    /// Runs the program until it is asked to drain, and returns its exit code: 0 after a drain, 1 if the server cannot start, 2 for a
    /// wrong configuration.
    #[must_use]
    pub fn run(self) -> ExitCode {
        self.program.run()
    }
}

impl<G: Game> Default for Program<G> {
    fn default() -> Self {
        Self::new()
    }
}
