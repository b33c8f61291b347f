use tickwire::prelude::*;

#[derive(Input, Clone)]
enum Wish {
    Left,
    Right,
}

fn main() {}
