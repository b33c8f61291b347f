use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    eggs: u8,
}

#[derive(World)]
enum Pond {
    Ducks(Entities<Bird>),
}

fn main() {}
