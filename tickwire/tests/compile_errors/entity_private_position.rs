use tickwire::prelude::*;

#[derive(Entity)]
#[entity(placed)]
struct Bird {
    #[entity(private)]
    pos: Pos<16>,
}

fn main() {}
