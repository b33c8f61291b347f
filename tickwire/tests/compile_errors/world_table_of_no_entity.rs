use tickwire::prelude::*;

struct Duck;

#[derive(World)]
struct Pond {
    ducks: Entities<Duck>,
}

fn main() {}
