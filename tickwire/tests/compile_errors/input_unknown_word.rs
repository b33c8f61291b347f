use tickwire::prelude::*;

#[derive(Input, Clone)]
struct Wish {
    #[input(private)]
    dash: bool,
}

fn main() {}
