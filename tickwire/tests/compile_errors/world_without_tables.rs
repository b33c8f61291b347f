use tickwire::prelude::*;

#[derive(World)]
struct Pond {
    depth: u32,
}

fn main() {}
