use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    name: String,
}

fn main() {}
