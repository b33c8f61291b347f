//! Combat: beams, damage, kills.
//!
//! In: the shots of a tick. Out: beams, damage and kills. A player's shot is tested against what the player's screen showed
//! ([`Step::rewound_for`]), a computer player's against the present.

use super::{Arena, ShipKey};
use crate::beam::{Beam, Target, cast};
use crate::event::{BEAM, BeamFired, KILL, Kill};
use crate::{BEAM_DAMAGE, kind, ship_lane};
use glam::IVec2;
use tickwire_game::entity;
use tickwire_game::{PlayerInput, ShotOutcome, Step};
use tickwire_sync::{CellId, EntityId, Layer, PlayerId, Seq};

/// Seconds from the loss of a ship to the next one.
const RESPAWN_SECONDS: u32 = 2;
/// The score for a kill.
const KILL_SCORE: i32 = 10;
/// A shot that a ship fires in this tick.
pub(super) struct Shot {
    pub shooter: ShipKey,
    pub player: Option<PlayerId>,
    pub seq: Seq,
}

impl Arena {
    /// Casts a shot's beam, and applies its damage.
    pub(super) fn fire(&mut self, shot: &Shot, step: &mut Step<'_>) {
        let Some(ship) = self.ships.get(shot.shooter) else {
            return;
        };
        let beam = Beam {
            x: ship.lanes[ship_lane::X],
            y: ship.lanes[ship_lane::Y],
            heading: ship.lanes[ship_lane::HEADING],
        };
        let input = shot.player.and_then(|player| step.inputs.of(player));
        let end = match input {
            Some(input) => cast(
                self.movement.map(),
                beam,
                self.targets_on_screen(shot.shooter, &input, step),
            ),
            None => cast(self.movement.map(), beam, self.targets_now(shot.shooter)),
        };
        if let Some(input) = input {
            let outcome = if end.hit.is_some() {
                ShotOutcome::Hit
            } else {
                ShotOutcome::Miss
            };
            step.shots.count(outcome, step.tick, &input);
        }
        let shooter = entity::id(kind::SHIP, shot.shooter);
        let event = BeamFired {
            shooter,
            seq: shot.seq.0,
            line: [beam.x, beam.y, end.x, end.y],
            hit: end.hit,
        };
        let mut cells: Vec<CellId> = Vec::new();
        step.grid().for_each_cell_on_line(
            IVec2::new(beam.x, beam.y),
            IVec2::new(end.x, end.y),
            Layer(0),
            |cell| cells.push(cell),
        );
        step.events.emit(BEAM, &event.encode(), cells);
        if let Some(hit) = end.hit {
            self.damage(hit, shot.shooter, step);
        }
    }

    /// The other ships where they are now, for a computer player's shot.
    fn targets_now(&self, shooter: ShipKey) -> impl Iterator<Item = Target> {
        self.ships
            .iter()
            .filter(move |(key, _)| *key != shooter)
            .map(|(key, ship)| Target {
                id: entity::id(kind::SHIP, key),
                x: ship.lanes[ship_lane::X],
                y: ship.lanes[ship_lane::Y],
            })
    }

    /// The other ships where the shooter's screen showed them.
    fn targets_on_screen(
        &self,
        shooter: ShipKey,
        input: &PlayerInput<'_>,
        step: &Step<'_>,
    ) -> Vec<Target> {
        let rewound = step.rewound_for(input);
        let mut lanes = Vec::new();
        let living = self
            .ships
            .keys()
            .filter(|key| *key != shooter)
            .map(|key| entity::id(kind::SHIP, key));
        let mut targets = Vec::new();
        for id in living {
            if rewound.row(id, &mut lanes) {
                targets.push(Target {
                    id,
                    x: lanes[ship_lane::X],
                    y: lanes[ship_lane::Y],
                });
            }
        }
        targets
    }

    /// Damages a ship that was hit, and counts a kill.
    fn damage(&mut self, hit: EntityId, shooter: ShipKey, step: &mut Step<'_>) {
        let Some(key) = self
            .ships
            .keys()
            .find(|key| entity::id(kind::SHIP, *key) == hit)
        else {
            return;
        };
        let health = &mut self.ships[key].lanes[ship_lane::HEALTH];
        let was_alive = *health > 0;
        *health -= BEAM_DAMAGE;
        if !was_alive || *health > 0 {
            return;
        }
        let victim = self.ships[key].player;
        if let Some(victim) = self.players.get_mut(victim) {
            victim.deaths += 1;
            victim.respawn_in = RESPAWN_SECONDS * self.tick_rate;
        }
        let killer = self.ships[shooter].player;
        if let Some(player) = self.players.get_mut(killer) {
            player.kills += 1;
            player.score += KILL_SCORE;
        }
        let slot = |key| entity::id(kind::PLAYER, key).slot;
        let event = Kill {
            killer: slot(killer),
            victim: slot(victim),
        };
        step.events.emit(KILL, &event.encode(), [CellId::GLOBAL]);
    }

    /// Removes the ships shot down in this tick, after all beams: a ship that was hit still fires, as both pulled the trigger at
    /// once.
    pub(super) fn remove_destroyed(&mut self) {
        let players = &mut self.players;
        self.ships.retain(|_, ship| {
            let is_alive = ship.lanes[ship_lane::HEALTH] > 0;
            if let Some(player) = players.get_mut(ship.player).filter(|_| !is_alive) {
                player.ship = None;
            }
            is_alive
        });
    }
}
