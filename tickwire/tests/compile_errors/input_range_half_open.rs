use tickwire::prelude::*;

#[derive(Input, Clone)]
struct Wish {
    #[input(range = 0..8)]
    weapon: u8,
}

fn main() {}
