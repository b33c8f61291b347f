use tickwire::prelude::*;

#[derive(Message)]
enum Word {
    Colour(Colour),
}

struct Colour;

fn main() {}
