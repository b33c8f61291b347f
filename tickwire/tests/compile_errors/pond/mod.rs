//! What the mistaken games of ponds share.

use tickwire::prelude::*;

#[derive(Entity)]
pub struct Duck {
    pub eggs: u8,
}

#[derive(Entity)]
pub struct Fox {
    pub teeth: u8,
}

#[derive(Event)]
pub enum PondEvent {
    Splash,
}

#[derive(Event)]
pub enum ForestEvent {
    Crack,
}

#[derive(World, Default)]
pub struct Pond {
    pub ducks: Players<Duck>,
}

/// The parts of a game in which there is nothing to get wrong.
macro_rules! pond_without_a_step {
    () => {
        const NAME: &str = "pond";
        const SPACE: Space = Space::none();
        type Input = ();
        type Event = PondEvent;
        type Command = Nothing;
        type Message = Nothing;
        type RoomMessage = Nothing;
        type Rules = NoRules;

        fn new(_: &Setup) -> Self {
            Self::default()
        }

        fn join(&mut self, _: PlayerId, _: &Identity) -> Result<(), Refusal> {
            Ok(())
        }
    };
}
