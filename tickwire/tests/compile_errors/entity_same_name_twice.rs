use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    height: i32,
    #[entity(name = "height")]
    altitude: i32,
}

fn main() {}
