use tickwire::prelude::*;

#[derive(Event)]
enum Happening {
    Hit {
        damage: f32,
    },
}

fn main() {}
