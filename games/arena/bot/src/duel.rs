//! Chases the nearest ship on the screen and shoots at it.

use crate::wander::Wander;
use tickwire::{Id, glam::Vec2};
use tickwire_arena::{
    ArenaEvent, ArenaInput, BEAM_RANGE, Beam, Heading, Rocks, SHIP_RADIUS, Ship, TURN, Target, cast,
};
use tickwire_bot::{Own, Player, Screen};
use tickwire_sync::ViewTick;

/// Chases the nearest ship on its screen and shoots at it. About every fourth shot misses on purpose, so that false hits would show
/// as well as lost ones.
#[derive(Debug)]
pub struct Duel {
    wander: Wander,
    rocks: Option<Rocks>,
    /// Other ships on the screen, as of the latest scan.
    ships: Vec<Target>,
    ticks_since_scan: u32,
    /// By how much the next shot misses on purpose, in steps of heading.
    aim_error: i32,
    /// Cheat: how many ticks to search back for a moment at which a shot would have hit, when none hits now.
    hindsight_ticks: u32,
    forgery_ticks: u32,
}

impl Duel {
    /// Ticks between two scans of the screen while the beam is not ready: a scan costs more than all the rest, and then only steers.
    const SCAN_INTERVAL_TICKS: u32 = 6;

    /// Creates a bot that plays fair.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_hindsight(seed, 0)
    }

    /// Creates a bot that cheats with its claims: when no shot hits now, it fires one that would have hit up to `ticks` ticks ago, and
    /// claims that its screen showed that moment.
    #[must_use]
    pub fn with_hindsight(seed: u64, ticks: u32) -> Self {
        Self {
            wander: Wander::new(seed),
            rocks: None,
            ships: Vec::new(),
            ticks_since_scan: Self::SCAN_INTERVAL_TICKS,
            aim_error: 0,
            hindsight_ticks: ticks,
            forgery_ticks: 0,
        }
    }

    fn scan(&mut self, screen: &Screen<'_>, own: Id<Ship>) {
        self.ticks_since_scan = 0;
        self.scan_at(screen, own, screen.client().view_tick());
    }

    fn scan_at(&mut self, screen: &Screen<'_>, own: Id<Ship>, view: ViewTick) {
        self.ships.clear();
        let ships = &mut self.ships;
        screen.for_each_at::<Ship>(view, |id, ship| {
            if id != own {
                ships.push(Target { id, pos: ship.pos });
            }
        });
    }

    fn fight(&mut self, own: &Ship, fly: ArenaInput, is_ready: bool) -> ArenaInput {
        let Some(rocks) = &self.rocks else {
            return fly;
        };
        let here = own.pos.to_vec2();
        let distance = |ship: &Target| ship.pos.to_vec2().distance_squared(here);
        let nearest = self
            .ships
            .iter()
            .min_by(|a, b| distance(a).total_cmp(&distance(b)));
        let Some(nearest) = nearest.copied() else {
            return fly;
        };
        let there = nearest.pos.to_vec2();
        let towards = there - here;
        // Approaches a distant ship, and keeps wandering near a close one.
        let mut input = if towards.length() > BEAM_RANGE * 0.7 {
            ArenaInput {
                up: towards.y < 0.0,
                down: towards.y > 0.0,
                left: towards.x < 0.0,
                right: towards.x > 0.0,
                ..fly
            }
        } else {
            fly
        };
        // The beam starts where the ship is after this tick, so the aim is computed from there.
        let mut flown = own.clone();
        flown.fly(input, rocks);
        let from = flown.pos;
        let aim = Heading::of(there - from.to_vec2());
        let hits = |heading| {
            let beam = Beam { from, heading };
            cast(rocks, beam, self.ships.iter().copied()).hit == Some(nearest.id)
        };
        input = input.pointing(Heading::from_steps(aim.steps() + self.aim_error));
        // Judged without the deliberate error: a shot that cannot hit anyway would prove nothing.
        if is_ready && hits(aim) {
            input.fire = true;
            self.aim_error = aim_error(&mut self.wander.random, from.to_vec2(), there);
        }
        input
    }
}

/// By how much the shot after this one misses on purpose: three of four times not at all.
fn aim_error(random: &mut fastrand::Rng, from: Vec2, to: Vec2) -> i32 {
    let range = from.distance(to).max(SHIP_RADIUS);
    // From just inside the ship's edge to well outside it.
    let edge = (SHIP_RADIUS / range).atan() * (TURN as f32 / std::f32::consts::TAU);
    let side = if random.bool() { 1.0 } else { -1.0 };
    match random.u8(0..4) {
        0 => (edge * (0.8 + 1.2 * random.f32()) * side) as i32,
        _ => 0,
    }
}

impl Player for Duel {
    type Input = ArenaInput;
    type Event = ArenaEvent;

    fn joined(&mut self, screen: &Screen<'_>, _: bool) {
        self.rocks = screen.map();
    }

    fn input(&mut self, screen: &Screen<'_>) -> ArenaInput {
        let fly = self.wander.drift();
        let Some(Own {
            id, entity: own, ..
        }) = screen.own::<Ship>()
        else {
            return fly;
        };
        self.ticks_since_scan += 1;
        let is_ready = own.is_ready();
        if is_ready || self.ticks_since_scan >= Self::SCAN_INTERVAL_TICKS {
            self.scan(screen, id);
        }
        self.forgery_ticks = 0;
        let input = self.fight(&own, fly, is_ready);
        if is_ready && !input.fire && self.hindsight_ticks > 0 {
            for ticks_ago in 1..=self.hindsight_ticks {
                let view = ViewTick(
                    (screen.client().view_tick())
                        .0
                        .saturating_sub(u64::from(ticks_ago) * ViewTick::FRACTIONS),
                );
                self.scan_at(screen, id, view);
                let late = self.fight(&own, fly, true);
                if late.fire {
                    self.forgery_ticks = ticks_ago;
                    return late;
                }
            }
            self.scan(screen, id);
        }
        input
    }

    fn view_forgery_ticks(&self) -> Option<f64> {
        (self.hindsight_ticks > 0).then(|| f64::from(self.forgery_ticks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire::Pos;

    fn ship(slot: u32, x: f32, y: f32) -> Target {
        Target {
            id: Id::new(slot, 1),
            pos: Pos::new(x, y),
        }
    }

    #[test]
    fn a_duel_mostly_hits_what_it_sees() {
        let mut duel = Duel::new(3);
        let rocks = Rocks::default();
        duel.rocks = Some(rocks.clone());
        duel.ships = vec![ship(1, 1250.0, 875.0), ship(2, 3750.0, 3750.0)];
        let own = Ship {
            pos: Pos::new(1000.0, 1000.0),
            velocity_x: tickwire::Fixed::from_steps(300),
            velocity_y: tickwire::Fixed::from_steps(-200),
            ..Ship::default()
        };
        let (mut hits, mut misses) = (0, 0);
        for _ in 0..1000 {
            let fly = duel.wander.drift();
            let input = duel.fight(&own, fly, true);
            assert!(input.fire);
            let mut flown = own.clone();
            flown.fly(input, &rocks);
            let beam = Beam {
                from: flown.pos,
                heading: flown.heading,
            };
            match cast(&rocks, beam, duel.ships.iter().copied()).hit {
                Some(hit) if hit.slot() == 1 => hits += 1,
                _ => misses += 1,
            }
        }
        assert!(hits > 700 && misses > 50, "{hits} hits, {misses} misses");
        // A ship out of range is no target.
        duel.ships = vec![ship(2, 3750.0, 3750.0)];
        let fly = duel.wander.drift();
        assert!(!duel.fight(&own, fly, true).fire);
    }
}
