use tickwire::prelude::*;

#[derive(Entity)]
struct Bird(u8);

fn main() {}
