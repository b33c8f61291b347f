use tickwire::prelude::*;

#[derive(Entity)]
#[entity(predicted)]
struct Bird {
    eggs: u8,
}

fn main() {}
