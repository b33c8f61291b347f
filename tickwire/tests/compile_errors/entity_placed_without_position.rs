use tickwire::prelude::*;

#[derive(Entity)]
#[entity(placed)]
struct Bird {
    x: i32,
    y: i32,
}

fn main() {}
