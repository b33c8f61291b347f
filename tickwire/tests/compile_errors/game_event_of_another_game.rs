#[macro_use]
#[path = "pond/mod.rs"]
mod pond;

use pond::{ForestEvent, Pond, PondEvent};
use tickwire::prelude::*;

impl Game for Pond {
    pond_without_a_step!();

    fn step(&mut self, step: &mut Step<'_, Self>) {
        step.emit_to_all(&ForestEvent::Crack);
    }
}

fn main() {}
