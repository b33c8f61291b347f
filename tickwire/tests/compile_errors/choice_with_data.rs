use tickwire::prelude::*;

#[derive(Choice)]
enum Team {
    Red,
    Guest(u8),
}

fn main() {}
