use tickwire::prelude::*;

#[derive(Choice)]
enum Team {
    Red = 1,
    Blue = 2,
}

fn main() {}
