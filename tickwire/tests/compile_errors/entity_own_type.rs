use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    colour: Colour,
}

fn main() {}

struct Colour;
