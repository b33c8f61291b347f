use tickwire::prelude::*;

#[derive(Entity)]
enum Bird {
    Duck,
}

fn main() {}
