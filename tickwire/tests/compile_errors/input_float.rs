use tickwire::prelude::*;

#[derive(Input, Clone)]
struct Wish {
    dx: f32,
}

fn main() {}
