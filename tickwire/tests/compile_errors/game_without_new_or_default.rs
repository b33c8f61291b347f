use tickwire::prelude::*;

#[derive(Entity)]
struct Duck {
    eggs: u8,
}

#[derive(World)]
struct Pond {
    ducks: Players<Duck>,
}

#[game]
impl Game for Pond {
    const NAME: &str = "pond";
    const SPACE: Space = Space::none();
    type Input = ();

    fn join(&mut self, _: PlayerId, _: &Identity) -> Result<(), Refusal> {
        Ok(())
    }

    fn step(&mut self, _: &mut Step<'_, Self>) {}
}

fn main() {}
