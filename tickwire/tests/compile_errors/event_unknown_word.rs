use tickwire::prelude::*;

#[derive(Event)]
enum Happening {
    Hit {
        #[event(once)]
        damage: u8,
    },
}

fn main() {}
