//! Crowds of the simulated game: many walkers at once in one cell, which come over some ticks and are gone after a while.
//!
//! In: how many come at once, and randomness. Out: walkers that come, go, cross the borders of cells, and change between the global
//! cell and the field, so that a cell becomes large for a thin line and small again.

use super::rows::{FIELD, Walker};
use serde::{Deserialize, Serialize};
use tickwire::prelude::*;

/// Ticks from one crowd to the next.
const PAUSE_TICKS: std::ops::Range<i32> = 300..900;
/// Ticks over which a crowd comes.
const ARRIVAL_TICKS: u16 = 8;
/// How long a walker stays, in ticks.
const STAY_TICKS: std::ops::Range<i32> = 30..420;
/// How far around the middle of a crowd its walkers are, in units: within a cell or two.
const SPREAD: i32 = 60;

/// The crowd that comes now or came last.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Crowd {
    /// The middle, in units.
    middle: (i32, i32),
    /// Whether it comes to the global cell.
    is_global: bool,
    /// Ticks for which walkers still come.
    arrives: u16,
    /// Ticks until the next crowd comes.
    pause: u16,
}

impl Crowd {
    /// One tick: walkers move and go, and a crowd of `size` comes when it is time. `near` is somebody in whose sight it is.
    pub fn step(
        &mut self,
        walkers: &mut Entities<Walker>,
        random: &mut Random,
        size: u32,
        near: Option<(PlayerId, Pos<16>)>,
    ) {
        self.walk(walkers, random);
        if size == 0 {
            return;
        }
        if self.pause == 0 {
            self.pause = random.int(PAUSE_TICKS) as u16;
            self.arrives = ARRIVAL_TICKS;
            self.is_global = random.chance(0.5);
            self.middle = match near {
                Some((_, pos)) => (pos.x() as i32, pos.y() as i32),
                None => (FIELD / 2, FIELD / 2),
            };
        }
        self.pause -= 1;
        if self.arrives > 0 {
            self.arrives -= 1;
            for _ in 0..size / u32::from(ARRIVAL_TICKS) {
                self.arrive(walkers, random, near.map(|(player, _)| player));
            }
        }
    }

    fn arrive(&self, walkers: &mut Entities<Walker>, random: &mut Random, owner: Option<PlayerId>) {
        let mut along = |middle: i32| middle + random.int(-SPREAD..SPREAD);
        let pos = on_field(Vec2::new(
            along(self.middle.0) as f32,
            along(self.middle.1) as f32,
        ));
        let walker = Walker {
            pos,
            is_global: self.is_global,
            stays: random.int(STAY_TICKS) as u16,
            hidden: random.int(0..i32::MAX) as u32,
            name: Text::from(if random.chance(0.1) { "walker" } else { "" }),
        };
        let id = match owner.filter(|_| random.chance(0.02)) {
            Some(owner) => walkers.insert_owned(owner, walker),
            None => walkers.insert(walker),
        };
        show(walkers, id, self.is_global);
    }

    fn walk(&self, walkers: &mut Entities<Walker>, random: &mut Random) {
        let mut changed = Vec::new();
        walkers.retain(|id, walker| {
            if random.chance(0.5) {
                let by = Vec2::new(random.int(-9..10) as f32, random.int(-9..10) as f32);
                walker.pos = on_field(walker.pos.to_vec2() + by);
            }
            if random.chance(0.002) {
                walker.is_global = !walker.is_global;
                changed.push((id, walker.is_global));
            }
            walker.stays = walker.stays.saturating_sub(1);
            walker.stays > 0
        });
        for (id, is_global) in changed {
            show(walkers, id, is_global);
        }
    }
}

fn show(walkers: &mut Entities<Walker>, id: Id<Walker>, is_global: bool) {
    if is_global {
        walkers.show_to_all(id);
    } else {
        walkers.set_layer(id, Layer(0));
    }
}

fn on_field(at: Vec2) -> Pos<16> {
    let last = FIELD as f32 - 1.0;
    Pos::from_vec2(at.clamp(Vec2::ZERO, Vec2::splat(last)))
}
