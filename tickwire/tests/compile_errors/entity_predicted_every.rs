use tickwire::prelude::*;

#[derive(Entity)]
#[entity(placed, predicted, every = 15)]
struct Runner {
    pos: Pos<16>,
}

fn main() {}
