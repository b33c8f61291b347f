//! What is to be drawn of the arena in one frame, as a flat list of numbers: cheaper to hand over than objects.
//!
//! In: the client core and the time. Out: ships and pellets as the screen shows them, the own ship as it is predicted, and
//! where a spectator looks. Remembers where each player's ship was last, for its explosion.

use crate::client::Client;
use crate::wasm::rows::for_each_shown;
use std::collections::HashMap;
use tickwire_game::arena::{
    self, Beam, BeamEnd, CLEAR_LEAD, Map, Target, UNIT, kind, player_lane, ship_lane,
};
use tickwire_sync::{CellId, EntityId, Micros};

/// Numbers per entity: kind, slot, generation, x, y (units), heading (radians), health or worth, player slot (-1: none).
pub(super) const STRIDE: usize = 8;
const RADIANS: f32 = std::f32::consts::TAU / arena::TURN as f32;

/// The latest frame.
#[derive(Debug, Default)]
pub(super) struct Screen {
    entities: Vec<f32>,
    own_index: Option<usize>,
    /// The ships in `entities`: which, and whose.
    ships: Vec<(EntityId, u32)>,
    /// Where each player's ship was last seen, in lane units.
    places: HashMap<u32, [i32; 2]>,
    /// The player whom a spectator follows.
    followed: Option<Followed>,
}

#[derive(Clone, Copy, Debug)]
struct Followed {
    player: u32,
    ship: EntityId,
    /// How often that player had died when the ship was first seen.
    deaths: i32,
    seen_at: Micros,
}

/// So long a spectator waits for a ship that was shot down: a little longer than it takes to come again.
const MOURNING: Micros = Micros::from_millis(3_000);

impl Screen {
    /// Makes the list for `now`. The client's shown moment must have been moved there.
    pub fn look(&mut self, client: &Client, now: Micros) {
        self.entities.clear();
        self.ships.clear();
        self.own_index = None;
        let own_player = client.entity().map(|id| id.slot);
        let view = client.view();
        for_each_shown(client, view, kind::PELLET, &mut |shown| {
            if let [x, y, worth] = *shown.lanes {
                self.push(shown.id, [x, y, 0], worth, None);
            }
        });
        for_each_shown(client, view, kind::SHIP, &mut |shown| {
            let player = shown.lanes.get(ship_lane::PLAYER).map(|slot| *slot as u32);
            // The own ship is predicted; its past is of no interest.
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
        let place = [
            lanes[ship_lane::X],
            lanes[ship_lane::Y],
            lanes[ship_lane::HEADING],
        ];
        let player = lanes[ship_lane::PLAYER] as u32;
        self.ships.push((id, player));
        self.places.insert(player, [place[0], place[1]]);
        self.push(id, place, lanes[ship_lane::HEALTH], Some(player));
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

    /// A spectator follows whoever leads clearly of those in sight, as the server moves the view with the leader of all, and waits
    /// where that one was shot down.
    fn follow(&mut self, client: &Client, now: Micros) {
        if !client.is_spectator() {
            return;
        }
        let lane = |player: u32, lane: usize| {
            let mut rows = scores(client);
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
                // The points are newer than what the screen shows: of a death one knows before the ship is gone.
                if *ship != followed.ship {
                    (followed.ship, followed.deaths) = (*ship, deaths);
                }
            }
            let has_died = deaths != followed.deaths;
            let waits = has_died && now.since(followed.seen_at) < MOURNING;
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

    /// Where a beam of the own ship ends, against the map and the ships on the screen.
    pub fn cast(client: &Client, map: &Map, own: EntityId, beam: Beam) -> BeamEnd {
        let mut targets = Vec::new();
        for_each_shown(client, client.view(), kind::SHIP, &mut |shown| {
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

    /// The list that [`Self::look`] made.
    pub fn entities(&self) -> &[f32] {
        &self.entities
    }

    /// Which entity of the list is the own ship.
    pub fn own_index(&self) -> Option<usize> {
        self.own_index
    }

    /// The own ship's place, or that of the ship that a spectator follows; in units.
    pub fn focus(&self) -> Option<[f32; 2]> {
        let of_own = self
            .own_index
            .and_then(|index| self.entities.get(index * STRIDE..)?.get(3..5));
        if let Some(&[x, y]) = of_own {
            return Some([x, y]);
        }
        let followed = self.places.get(&self.followed?.player)?;
        Some(followed.map(|value| value as f32 / UNIT as f32))
    }

    /// Whose a ship on the screen is.
    pub fn player_of(&self, ship: EntityId) -> Option<u32> {
        self.ships
            .iter()
            .find(|(id, _)| *id == ship)
            .map(|(_, player)| *player)
    }

    /// Where a player's ship was last seen, in lane units.
    pub fn last_place(&self, player: u32) -> Option<[i32; 2]> {
        self.places.get(&player).copied()
    }

    /// Another session, another world.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The rows of all players, with as many lanes as they must have.
pub(super) fn scores(client: &Client) -> impl Iterator<Item = &tickwire_sync::replica::Row> {
    let rows = client
        .replica()
        .map_or(&[][..], |replica| replica.rows(CellId::GLOBAL));
    rows.iter()
        .filter(|row| row.id.kind == kind::PLAYER && row.lanes.len() == player_lane::COUNT)
}
