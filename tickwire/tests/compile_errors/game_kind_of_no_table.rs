use tickwire::prelude::*;

#[derive(Entity)]
struct Duck {
    eggs: u8,
}

#[derive(Entity)]
struct Fox {
    teeth: u8,
}

#[derive(Event)]
enum PondEvent {
    Splash,
}

#[derive(Event)]
enum ForestEvent {
    Crack,
}

#[derive(World, Default)]
struct Pond {
    ducks: Players<Duck>,
}

impl Game for Pond {
    const NAME: &str = "pond";
    const SPACE: Space = Space::none();
    type Input = ();
    type Event = PondEvent;
    type Command = Nothing;
    type Message = Nothing;
    type Rules = NoRules;

    fn new(_: &Setup) -> Self {
        Self::default()
    }

    fn join(&mut self, _: PlayerId, _: &Identity) -> Result<(), Refusal> {
        Ok(())
    }

    fn step(&mut self, step: &mut Step<'_, Self>) {
        let _ = step.rewound_for(PlayerId(1)).all::<Fox>().count();
    }
}

fn main() {}
