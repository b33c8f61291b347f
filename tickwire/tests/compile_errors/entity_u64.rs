use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    feathers: u64,
}

fn main() {}
