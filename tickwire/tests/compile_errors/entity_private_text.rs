use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    #[entity(private)]
    name: Text,
}

fn main() {}
