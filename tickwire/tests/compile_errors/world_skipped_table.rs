use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    eggs: u8,
}

#[derive(World)]
struct Pond {
    #[world(skip)]
    ducks: Entities<Bird>,
}

fn main() {}
