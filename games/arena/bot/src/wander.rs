//! Flies in one direction for a while, then in another.

use tickwire_arena::{ArenaEvent, ArenaInput, Heading};
use tickwire_bot::{Player, Screen};

/// Flies in one direction for a while, then in another.
#[derive(Clone, Debug)]
pub struct Wander {
    pub(crate) random: fastrand::Rng,
    /// The thrusters that burn.
    thrust: ArenaInput,
    heading: Heading,
    /// In steps of heading.
    turn_per_tick: i32,
    ticks_left: u32,
}

impl Wander {
    /// A pilot whose flight repeats with its seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            thrust: ArenaInput::default(),
            heading: Heading::default(),
            turn_per_tick: 0,
            ticks_left: 0,
        }
    }

    pub(crate) fn drift(&mut self) -> ArenaInput {
        if self.ticks_left == 0 {
            self.ticks_left = self.random.u32(20..90);
            let (vertical, horizontal) = (self.random.u8(0..3), self.random.u8(0..3));
            self.thrust = ArenaInput {
                up: vertical == 1,
                down: vertical == 2,
                left: horizontal == 1,
                right: horizontal == 2,
                ..ArenaInput::default()
            };
            self.turn_per_tick = self.random.i32(-6..=6);
        }
        self.ticks_left -= 1;
        self.heading = Heading::from_steps(self.heading.steps() + self.turn_per_tick);
        self.thrust.pointing(self.heading)
    }
}

impl Player for Wander {
    type Input = ArenaInput;
    type Event = ArenaEvent;

    fn input(&mut self, _: &Screen<'_>) -> ArenaInput {
        self.drift()
    }
}
