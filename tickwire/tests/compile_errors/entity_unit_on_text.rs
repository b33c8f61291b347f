use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    #[entity(unit = "letters")]
    name: Text,
}

fn main() {}
