use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    ring: Option<u16>,
}

fn main() {}
