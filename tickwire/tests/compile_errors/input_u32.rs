use tickwire::prelude::*;

#[derive(Input, Clone)]
struct Wish {
    target: u32,
}

fn main() {}
