use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    eggs: u8,
}

#[derive(World)]
struct Pond {
    ducks: Entities<Bird>,
    #[world(ignore)]
    depth: u32,
}

fn main() {}
