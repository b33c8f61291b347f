use tickwire::prelude::*;

#[derive(Flags)]
struct Keys {
    red: bool,
    blue: u8,
}

fn main() {}
