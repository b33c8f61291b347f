use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    #[entity(hidden)]
    eggs: u8,
}

fn main() {}
