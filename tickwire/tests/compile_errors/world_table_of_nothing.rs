use tickwire::prelude::*;

#[derive(World)]
struct Pond {
    ducks: Entities,
}

fn main() {}
