use tickwire::prelude::*;

#[derive(Entity)]
#[entity(private)]
struct Bird {
    eggs: u8,
}

fn main() {}
