use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    eggs: Vec<u8>,
}

fn main() {}
