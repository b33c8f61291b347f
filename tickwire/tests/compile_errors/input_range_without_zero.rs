use tickwire::prelude::*;

#[derive(Input, Clone)]
struct Wish {
    #[input(range = 1..=8)]
    weapon: u8,
}

fn main() {}
