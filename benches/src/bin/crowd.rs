//! The server of web/bench: one room of 200 entities that move on fixed paths, all of them in every player's view.
//!
//! The Colyseus server beside it (web/bench/colyseus/server.mjs) moves the same entities on the same paths. web/bench/run.mjs starts
//! both, and checks that the paths agree.

use std::f64::consts::TAU;
use tickwire::glam::IVec2;
use tickwire::prelude::*;

const ENTITIES: u32 = 200;
/// Steps of a position in a unit, and of a heading in a turn.
const STEPS: i32 = 16;
const HEADINGS: i32 = 256;

/// What moves.
#[derive(Entity, Clone, PartialEq, Debug)]
#[entity(placed)]
struct Walker {
    pos: Pos<STEPS>,
    heading: Angle<HEADINGS>,
}

/// What a player wants. The room reads it, and nothing moves by it.
#[derive(Input, Clone)]
struct Wish {
    #[input(range = -1..=1)]
    dx: i8,
    #[input(range = -1..=1)]
    dy: i8,
}

#[derive(World, Default)]
struct Crowd {
    walkers: Entities<Walker>,
    players: Vec<PlayerId>,
    /// Keeps the inputs read.
    wished: i32,
}

#[game]
impl Game for Crowd {
    const NAME: &str = "crowd";
    const SPACE: Space = Space::new(STEPS, 1600, 900);
    type Input = Wish;

    fn new(_: &Setup) -> Self {
        let mut crowd = Self::default();
        for number in 0..ENTITIES {
            crowd.walkers.insert(walker(number, 0));
        }
        crowd
    }

    fn join(&mut self, player: PlayerId, _: &Identity) -> Result<(), Refusal> {
        self.players.push(player);
        Ok(())
    }

    fn leave(&mut self, player: PlayerId) {
        self.players.retain(|&other| other != player);
    }

    fn step(&mut self, step: &mut Step<'_, Self>) {
        for &player in &self.players {
            let Wish { dx, dy } = step.input(player);
            self.wished = self.wished.wrapping_add(i32::from(dx) + i32::from(dy));
        }
        for (number, (_, one)) in (0..).zip(self.walkers.iter_mut()) {
            *one = walker(number, step.tick().0);
        }
    }
}

/// Where an entity is at a tick, and where it looks: a small circle on a large one. web/bench/paths.mjs has the same formula.
fn walker(number: u32, tick: u32) -> Walker {
    let n = f64::from(number);
    let seconds = f64::from(tick) / 60.0;
    let start = n * 0.618;
    let direction = if number.is_multiple_of(2) { 1.0 } else { -1.0 };
    let circles = [
        (120.0 + n % 5.0 * 15.0, direction * TAU / (8.0 + n % 7.0)),
        (20.0 + n % 4.0 * 10.0, -direction * TAU / (2.0 + n % 3.0)),
    ];
    let [mut x, mut y] = [300.0 + n * 613.0 % 1000.0, 250.0 + n * 379.0 % 400.0];
    let [mut vx, mut vy] = [0.0, 0.0];
    for (radius, speed) in circles {
        let (sin, cos) = (start + speed * seconds).sin_cos();
        x += radius * cos;
        y += radius * sin;
        vx -= radius * speed * sin;
        vy += radius * speed * cos;
    }
    let steps = |units: f64| (units * f64::from(STEPS)).round() as i32;
    let turn = vy.atan2(vx) / TAU;
    Walker {
        pos: Pos::from_steps(IVec2::new(steps(x), steps(y))),
        heading: Angle::from_steps((turn * f64::from(HEADINGS)).round() as i32),
    }
}

fn main() -> std::process::ExitCode {
    tickwire::main::<Crowd>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire::testing::{self, TestRoom};

    #[test]
    fn everybody_sees_all_entities_move() {
        testing::assert_schema_is_valid::<Crowd>();
        let mut room = TestRoom::<Crowd>::new();
        room.join("Ann");
        room.step(2); // in the first tick four turn back, and stay within a step
        let before = room.rows::<Walker>();
        room.step(1);
        let after = room.rows::<Walker>();
        assert_eq!((before.len(), after.len()), (200, 200));
        let moved = before
            .iter()
            .zip(&after)
            .filter(|(a, b)| a.1.pos != b.1.pos);
        assert_eq!(moved.count(), 200);
    }
}
