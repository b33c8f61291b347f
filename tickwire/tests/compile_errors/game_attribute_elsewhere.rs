use tickwire::prelude::*;

struct Pond;

#[game]
impl Clone for Pond {
    fn clone(&self) -> Self {
        Self
    }
}

fn main() {}
