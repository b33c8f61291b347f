use tickwire::prelude::*;

#[derive(Choice)]
struct Team {
    red: bool,
}

fn main() {}
