use tickwire::prelude::*;

#[derive(Event)]
enum Happening {}

fn main() {}
