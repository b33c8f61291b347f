use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    #[entity(wrap = 0)]
    hour: u8,
}

fn main() {}
