use tickwire::prelude::*;

#[derive(Input, Clone)]
struct Wish {
    line: Text,
}

fn main() {}
