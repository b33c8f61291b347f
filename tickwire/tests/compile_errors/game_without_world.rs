use tickwire::prelude::*;

struct Pond;

impl Game for Pond {
    const NAME: &str = "pond";
    const SPACE: Space = Space::none();
    type Input = ();
    type Event = Nothing;
    type Command = Nothing;
    type Message = Nothing;
    type RoomMessage = Nothing;
    type Rules = NoRules;

    fn new(_: &Setup) -> Self {
        Self
    }

    fn join(&mut self, _: PlayerId, _: &Identity) -> Result<(), Refusal> {
        Ok(())
    }

    fn step(&mut self, _: &mut Step<'_, Self>) {}
}

fn main() {}
