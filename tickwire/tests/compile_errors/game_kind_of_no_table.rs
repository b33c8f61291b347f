#[macro_use]
#[path = "pond/mod.rs"]
mod pond;

use pond::{Fox, Pond, PondEvent};
use tickwire::prelude::*;

impl Game for Pond {
    pond_without_a_step!();

    fn step(&mut self, step: &mut Step<'_, Self>) {
        let _ = step.rewound_for(PlayerId(1)).all::<Fox>().count();
    }
}

fn main() {}
