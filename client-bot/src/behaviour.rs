//! What bots do: from what a bot's screen shows to the input of one tick.

use crate::options::BehaviourName;
use glam::Vec2;
use tickwire_client::Client;
use tickwire_game::arena::{ArenaInput, BEAM_RANGE, UNIT, heading_to, kind, ship_lane};

/// A bot's mind.
pub trait Behaviour: Send {
    /// The input of the next tick.
    fn think(&mut self, client: &Client) -> ArenaInput;
}

/// The mind for a behaviour.
#[must_use]
pub fn mind(name: BehaviourName, seed: u64) -> Box<dyn Behaviour> {
    let wander = Wander::new(seed);
    match name {
        BehaviourName::Duel => Box::new(Duel { wander }),
        BehaviourName::Idle | BehaviourName::Spectate => Box::new(Idle),
        BehaviourName::Wander
        | BehaviourName::SlowReader
        | BehaviourName::Flapper
        | BehaviourName::Mixed => Box::new(wander),
    }
}

/// Flies in one direction for a while, then in another.
#[derive(Clone, Debug)]
pub struct Wander {
    random: fastrand::Rng,
    direction: (bool, bool, bool, bool),
    heading: i32,
    turn: i32,
    ticks_left: u32,
}

impl Wander {
    fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            direction: (false, false, false, false),
            heading: 0,
            turn: 0,
            ticks_left: 0,
        }
    }
}

impl Behaviour for Wander {
    fn think(&mut self, _: &Client) -> ArenaInput {
        if self.ticks_left == 0 {
            self.ticks_left = self.random.u32(20..90);
            let (vertical, horizontal) = (self.random.u8(0..3), self.random.u8(0..3));
            self.direction = (
                vertical == 1,
                vertical == 2,
                horizontal == 1,
                horizontal == 2,
            );
            self.turn = self.random.i32(-6..=6);
        }
        self.ticks_left -= 1;
        self.heading = (self.heading + self.turn).rem_euclid(1024);
        let (up, down, left, right) = self.direction;
        ArenaInput {
            up,
            down,
            left,
            right,
            fire: false,
            heading: Some(self.heading),
        }
    }
}

/// Shoots at the nearest ship on its screen, and now and then past it.
#[derive(Clone, Debug)]
pub struct Duel {
    wander: Wander,
}

impl Behaviour for Duel {
    fn think(&mut self, client: &Client) -> ArenaInput {
        let input = self.wander.think(client);
        let Some(own) = client.own() else {
            return input;
        };
        let here = place(&own.lanes);
        let mut nearest: Option<Vec2> = None;
        client.for_each_shown(Some(kind::SHIP), |shown| {
            let there = place(shown.lanes);
            let is_nearer = nearest.is_none_or(|nearest| {
                nearest.distance_squared(here) > there.distance_squared(here)
            });
            if shown.id != own.id && is_nearer {
                nearest = Some(there);
            }
        });
        let Some(target) = nearest else { return input };
        let distance = target.distance(here);
        let aim = heading_to(here, target)
            + if self.wander.random.u8(0..5) == 0 {
                self.wander.random.i32(-40..=40)
            } else {
                0
            };
        let towards = target - here;
        // Closes in from afar, and keeps moving sideways when near.
        let chases = distance > BEAM_RANGE * 0.7;
        ArenaInput {
            up: if chases { towards.y < 0.0 } else { input.up },
            down: if chases { towards.y > 0.0 } else { input.down },
            left: if chases { towards.x < 0.0 } else { input.left },
            right: if chases { towards.x > 0.0 } else { input.right },
            fire: distance < BEAM_RANGE * 0.95,
            heading: Some(aim.rem_euclid(1024)),
        }
    }
}

/// Does nothing.
#[derive(Clone, Copy, Debug)]
pub struct Idle;

impl Behaviour for Idle {
    fn think(&mut self, _: &Client) -> ArenaInput {
        ArenaInput {
            heading: Some(0),
            ..ArenaInput::default()
        }
    }
}

fn place(lanes: &[i32]) -> Vec2 {
    Vec2::new(lanes[ship_lane::X] as f32, lanes[ship_lane::Y] as f32) / UNIT as f32
}
