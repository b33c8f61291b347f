use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    #[entity(continuous, discrete)]
    height: i32,
}

fn main() {}
