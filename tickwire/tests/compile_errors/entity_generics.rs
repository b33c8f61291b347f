use tickwire::prelude::*;

#[derive(Entity)]
struct Bird<T> {
    eggs: T,
}

fn main() {}
