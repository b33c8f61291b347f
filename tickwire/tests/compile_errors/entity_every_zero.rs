use tickwire::prelude::*;

#[derive(Entity)]
#[entity(every = 0)]
struct Bird {
    eggs: u8,
}

fn main() {}
