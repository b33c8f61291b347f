use tickwire::prelude::*;

#[derive(Message)]
struct Word<T> {
    text: T,
}

fn main() {}
