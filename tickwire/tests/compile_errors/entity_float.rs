use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    height: f32,
}

fn main() {}
