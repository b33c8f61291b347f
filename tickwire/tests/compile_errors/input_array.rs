use tickwire::prelude::*;

#[derive(Input, Clone)]
struct Wish {
    buttons: [bool; 4],
}

fn main() {}
