use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    #[entity(wrap = 360)]
    pos: Pos<16>,
}

fn main() {}
