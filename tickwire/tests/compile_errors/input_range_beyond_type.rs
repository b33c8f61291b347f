use tickwire::prelude::*;

#[derive(Input, Clone)]
struct Wish {
    #[input(range = -300..=300)]
    dx: i8,
}

fn main() {}
