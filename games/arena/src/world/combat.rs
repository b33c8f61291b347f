//! Combat: beams, damage, kills.
//!
//! In: the ships that fire in a tick. Out: beams, damage and kills. A player's shot is tested against what the player's screen showed
//! ([`Step::rewound_for`]), a computer player's against the present.

use super::{Arena, NOBODY};
use crate::beam::{Beam, BeamEnd, Target, cast};
use crate::{ArenaEvent, SHIP_RADIUS, STEPS, Ship};
use tickwire::prelude::*;

/// The health that a beam takes.
const BEAM_DAMAGE: i16 = 25;
/// Seconds from the loss of a ship to the next one.
const RESPAWN_SECONDS: u32 = 2;
/// The score for a kill.
const KILL_SCORE: i32 = 10;
/// A player whose line has been cut for so many seconds is no longer worth points. Whoever cuts it under fire still is.
const AWAY_SECONDS: u32 = 5;

impl Arena {
    /// Casts the beams of all ships that fire, and applies their damage. A ship that is hit still fires, as both pulled the trigger at
    /// once.
    pub(super) fn fire(&mut self, step: &mut Step<'_, Self>) {
        let ships = self
            .pilots
            .iter()
            .filter_map(|(player, pilot)| Some((*player, pilot.ship?)));
        let shooters: Vec<_> = ships
            .filter(|(_, id)| self.ships.get(*id).is_some_and(Ship::has_fired))
            .collect();
        for (player, shooter) in shooters {
            self.cast(player, shooter, step);
        }
        self.remove_destroyed();
    }

    fn cast(&mut self, player: PlayerId, shooter: Id<Ship>, step: &mut Step<'_, Self>) {
        let Some(ship) = self.ships.get(shooter) else {
            return;
        };
        let beam = Beam {
            from: ship.pos,
            heading: ship.heading,
        };
        let end = if is_computer(player) {
            let targets = self.ships.iter().map(|(id, ship)| (id, ship.pos));
            self.end_of(beam, shooter, targets)
        } else {
            let screen = step.rewound_for(player);
            let targets = screen.all::<Ship>().map(|(id, ship)| (id, ship.pos));
            self.end_of(beam, shooter, targets)
        };
        let outcome = if end.hit.is_some() {
            ShotOutcome::Hit
        } else {
            ShotOutcome::Miss
        };
        step.count_shot(player, outcome);
        let test = TracedRay {
            from: beam.from.into(),
            to: beam.reach().into(),
            end: end.pos.into(),
            radius: SHIP_RADIUS as u32 * STEPS as u32,
            except: Some(shooter),
            hit: end.hit,
        };
        step.trace(player, &test);
        let event = ArenaEvent::Beam {
            shooter,
            input_number: step.input_number(player),
            from: beam.from,
            to: end.pos,
            hit: end.hit,
        };
        step.emit_along(&event, beam.from, end.pos);
        if let Some(hit) = end.hit {
            self.damage(hit, player, step);
        }
    }

    /// Where a beam ends, given where each ship is or was. Only ships that still exist are hit.
    fn end_of(
        &self,
        beam: Beam,
        shooter: Id<Ship>,
        ships: impl Iterator<Item = (Id<Ship>, Pos<{ crate::STEPS }>)>,
    ) -> BeamEnd {
        let targets = ships
            .filter(|(id, _)| *id != shooter && self.ships.get(*id).is_some())
            .map(|(id, pos)| Target { id, pos });
        cast(&self.rocks, beam, targets)
    }

    /// Damages a ship that was hit, and counts a kill.
    fn damage(&mut self, hit: Id<Ship>, killer: PlayerId, step: &mut Step<'_, Self>) {
        let Some(ship) = self.ships.get_mut(hit) else {
            return;
        };
        let was_alive = ship.health > 0;
        ship.health -= BEAM_DAMAGE;
        if !was_alive || ship.health > 0 {
            return;
        }
        let victim = self.ships.owner(hit);
        let mut score = KILL_SCORE;
        if let Some(victim) = victim {
            if let Some(row) = self.players.get_mut(victim) {
                row.deaths += 1;
            }
            if let Some(pilot) = self.pilots.get_mut(&victim) {
                pilot.respawn_in = RESPAWN_SECONDS * step.tick_rate();
                let away_ticks = pilot.away_ticks.unwrap_or(0);
                if away_ticks >= AWAY_SECONDS * step.tick_rate() {
                    score = 0;
                }
            }
        }
        if let Some(row) = self.players.get_mut(killer) {
            row.kills += 1;
            row.score += score;
        }
        let slot = |player| self.players.id(player).map_or(NOBODY, Id::slot);
        step.emit_to_all(&ArenaEvent::Kill {
            killer: slot(killer),
            victim: victim.map_or(NOBODY, slot),
        });
    }

    /// Removes the ships that were shot down in this tick.
    fn remove_destroyed(&mut self) {
        for pilot in self.pilots.values_mut() {
            let Some(id) = pilot.ship else { continue };
            if self.ships.get(id).is_none_or(|ship| ship.health <= 0) {
                self.ships.remove(id);
                pilot.ship = None;
            }
        }
        for derelict in &self.derelicts {
            if self
                .ships
                .get(derelict.ship)
                .is_some_and(|ship| ship.health <= 0)
            {
                self.ships.remove(derelict.ship);
            }
        }
    }
}
