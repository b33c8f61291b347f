use tickwire::prelude::*;

#[derive(Command)]
enum Request {
    Buy {
        items: Vec<u16>,
    },
}

fn main() {}
