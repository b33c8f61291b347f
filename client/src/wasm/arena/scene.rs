//! The entities of one frame, as a flat list of numbers: cheaper to hand over to JavaScript than objects.
//!
//! In: the client core and the time. Out: ships and pellets at the view tick, the player's own ship as predicted, and the point
//! that the camera follows. Remembers where each player's ship was last, for its explosion.

use crate::client::Client;
use crate::wasm::shown::for_each_shown;
use std::collections::HashMap;
use tickwire_arena::{
    self as arena, Beam, BeamEnd, CLEAR_LEAD, Map, Target, UNIT, kind, player_lane, ship_lane,
};
use tickwire_sync::{CellId, EntityId, Micros};

const RADIANS: f32 = std::f32::consts::TAU / arena::TURN as f32;

/// Numbers per entity and per effect, in their lists.
pub(in crate::wasm) const STRIDE: usize = 8;

/// The latest frame.
#[derive(Debug, Default)]
pub(in crate::wasm) struct Scene {
    /// `STRIDE` numbers each: kind, slot, generation, x, y (units), heading (radians), health or worth, player slot (-1: none).
    entities: Vec<f32>,
    own_index: Option<usize>,
    /// The ships in `entities`, each with its player's slot.
    ships: Vec<(EntityId, u32)>,
    /// Where each player's ship was last seen, in lane units.
    last_positions: HashMap<u32, [i32; 2]>,
    /// The player that a spectator follows.
    followed: Option<Followed>,
}

#[derive(Clone, Copy, Debug)]
struct Followed {
    player: u32,
    ship: EntityId,
    /// The player's deaths when the ship was first seen.
    deaths: i32,
    seen_at: Micros,
}

/// How long a spectator waits for the next ship of a player who was shot down: a little longer than the respawn takes.
const RESPAWN_WAIT: Micros = Micros::from_millis(3_000);

impl Scene {
    /// Fills the list for `now`. The client's view tick must have been moved there.
    pub fn sample(&mut self, client: &Client, now: Micros) {
        self.entities.clear();
        self.ships.clear();
        self.own_index = None;
        let own_player = client.entity().map(|id| id.slot);
        let view = client.view_tick();
        for_each_shown(client, view, kind::PELLET, &mut |shown| {
            if let [x, y, worth] = *shown.lanes {
                self.push(shown.id, [x, y, 0], worth, None);
            }
        });
        for_each_shown(client, view, kind::SHIP, &mut |shown| {
            let player = shown.lanes.get(ship_lane::PLAYER).map(|slot| *slot as u32);
            // The player's own ship is drawn as predicted, not in the past.
            if player.is_some() && player != own_player {
                self.push_ship(shown.id, shown.lanes);
            }
        });
        if let Some((id, lanes)) = client.own_on_screen(now) {
            self.own_index = Some(self.entities.len() / STRIDE);
            self.push_ship(id, &lanes);
        }
        self.follow(client, now);
    }

    fn push_ship(&mut self, id: EntityId, lanes: &[i32]) {
        if lanes.len() != ship_lane::COUNT {
            return;
        }
        let position = [
            lanes[ship_lane::X],
            lanes[ship_lane::Y],
            lanes[ship_lane::HEADING],
        ];
        let player = lanes[ship_lane::PLAYER] as u32;
        self.ships.push((id, player));
        self.last_positions
            .insert(player, [position[0], position[1]]);
        self.push(id, position, lanes[ship_lane::HEALTH], Some(player));
    }

    fn push(&mut self, id: EntityId, [x, y, heading]: [i32; 3], value: i32, player: Option<u32>) {
        let in_units = |value: i32| value as f32 / UNIT as f32;
        self.entities.extend_from_slice(&[
            f32::from(id.kind.0),
            id.slot as f32,
            id.generation as f32,
            in_units(x),
            in_units(y),
            heading as f32 * RADIANS,
            value as f32,
            player.map_or(-1.0, |player| player as f32),
        ]);
    }

    /// Makes a spectator follow the ship in view whose player clearly leads, as the server moves the view with the leader of all. If
    /// that ship is shot down, waits for the player's next one.
    fn follow(&mut self, client: &Client, now: Micros) {
        if !client.is_spectator() {
            return;
        }
        let lane = |player: u32, lane: usize| {
            let mut rows = player_rows(client);
            rows.find(|row| row.id.slot == player)
                .map_or(0, |row| row.lanes[lane])
        };
        let score = |player: u32| lane(player, player_lane::SCORE);
        let best = self
            .ships
            .iter()
            .copied()
            .max_by_key(|(_, player)| score(*player));
        if let Some(followed) = &mut self.followed {
            let deaths = lane(followed.player, player_lane::DEATHS);
            let ship = self.ships.iter().find(|(_, of)| *of == followed.player);
            if let Some((ship, _)) = ship {
                followed.seen_at = now;
                // Scores are newer than the view tick: a death is counted before the ship is gone from the screen.
                if *ship != followed.ship {
                    (followed.ship, followed.deaths) = (*ship, deaths);
                }
            }
            let has_died = deaths != followed.deaths;
            let waits = has_died && now.since(followed.seen_at) < RESPAWN_WAIT;
            let lead = best.map_or(0, |(_, best)| score(best) - score(followed.player));
            if lead < CLEAR_LEAD && (ship.is_some() || waits) {
                return;
            }
        }
        self.followed = best.map_or(self.followed, |(ship, player)| {
            Some(Followed {
                player,
                ship,
                deaths: lane(player, player_lane::DEATHS),
                seen_at: now,
            })
        });
    }

    /// Where a beam of the player's own ship ends, by the map and the ships on the screen.
    pub fn cast(client: &Client, map: &Map, own: EntityId, beam: Beam) -> BeamEnd {
        let mut targets = Vec::new();
        for_each_shown(client, client.view_tick(), kind::SHIP, &mut |shown| {
            if shown.id != own && shown.lanes.len() == ship_lane::COUNT {
                targets.push(Target {
                    id: shown.id,
                    x: shown.lanes[ship_lane::X],
                    y: shown.lanes[ship_lane::Y],
                });
            }
        });
        arena::cast(map, beam, targets)
    }

    /// The list of the latest [`Self::sample`].
    pub fn entities(&self) -> &[f32] {
        &self.entities
    }

    /// Index of the player's own ship in the list.
    pub fn own_index(&self) -> Option<usize> {
        self.own_index
    }

    /// Position of the player's own ship, or of the ship that a spectator follows; in units.
    pub fn focus(&self) -> Option<[f32; 2]> {
        let own = self
            .own_index
            .and_then(|index| self.entities.get(index * STRIDE..)?.get(3..5));
        if let Some(&[x, y]) = own {
            return Some([x, y]);
        }
        let followed = self.last_positions.get(&self.followed?.player)?;
        Some(followed.map(|value| value as f32 / UNIT as f32))
    }

    /// The slot of the player of a ship on the screen.
    pub fn player_of(&self, ship: EntityId) -> Option<u32> {
        self.ships
            .iter()
            .find(|(id, _)| *id == ship)
            .map(|(_, player)| *player)
    }

    /// Where a player's ship was last seen, in lane units.
    pub fn last_position(&self, player: u32) -> Option<[i32; 2]> {
        self.last_positions.get(&player).copied()
    }

    /// Forgets everything: the session has joined another world.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The rows of all players.
pub(in crate::wasm) fn player_rows(
    client: &Client,
) -> impl Iterator<Item = &tickwire_sync::client::Row> {
    let rows = client
        .replica()
        .map_or(&[][..], |replica| replica.rows(CellId::GLOBAL));
    rows.iter()
        .filter(|row| row.id.kind == kind::PLAYER && row.lanes.len() == player_lane::COUNT)
}
