use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    #[entity(wrap = 24)]
    hours: [u8; 2],
}

fn main() {}
