use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    feathers: [u8; 65],
}

fn main() {}
