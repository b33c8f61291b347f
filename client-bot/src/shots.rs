//! A bot's book of shots: what its screen showed when it fired, held against what the server says of the same shot.
//!
//! In: each fired shot, and each beam that the server reports. Out: counts. A shot at someone who was dead on the server by
//! then is counted apart: no netcode can honour it, and kills are never predicted.

use serde::Serialize;
use std::collections::VecDeque;
use tickwire_client::Client;
use tickwire_game::arena::{Beam, BeamFired, Map, Target, cast, kind, ship_lane, ship_private};
use tickwire_sync::{EntityId, Micros};

/// The server's word on a shot that has not come after this long will not come: the shooter was dead by then.
const PATIENCE: Micros = Micros::from_millis(3_000);

/// What became of a bot's shots.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ShotCounts {
    /// Shots fired.
    pub fired: u64,
    /// Of those that the server judged: the screen showed a hit, and the target lived on the server.
    pub hit_on_screen: u64,
    /// Of those: the server says the same.
    pub confirmed: u64,
    /// The server says hit, and the screen showed a miss or another target.
    pub false_hits: u64,
    /// The screen showed a hit, and the target was dead on the server by then.
    pub target_gone: u64,
    /// The server never judged it: the shooter was dead by then, or the input came too late.
    pub unmatched: u64,
}

#[derive(Clone, Copy, Debug)]
struct Fired {
    seq: u32,
    at: Micros,
    hit: Option<EntityId>,
}

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct ShotBook {
    pending: VecDeque<Fired>,
    map: Option<Map>,
    counts: ShotCounts,
}

impl ShotBook {
    pub fn counts(&self) -> ShotCounts {
        ShotCounts {
            unmatched: self.counts.unmatched + self.pending.len() as u64,
            ..self.counts
        }
    }

    /// Takes the map of a room that was joined.
    pub fn joined(&mut self, map: &[u8]) {
        self.map = Map::decode(map);
    }

    /// Notes a shot, if the input just made fired one: then the predicted cool-down was set to its full length.
    pub fn note(&mut self, client: &Client, cooldown_before: Option<(EntityId, i32)>, now: Micros) {
        let (Some(own), Some(map)) = (client.own(), &self.map) else {
            return;
        };
        let Some((id, before)) = cooldown_before else {
            return;
        };
        let cooldown = own
            .private_lanes
            .get(ship_private::COOLDOWN)
            .copied()
            .unwrap_or(0);
        if own.id != id || cooldown <= before {
            return;
        }
        let beam = Beam {
            x: own.lanes[ship_lane::X],
            y: own.lanes[ship_lane::Y],
            heading: own.lanes[ship_lane::HEADING],
        };
        let mut targets = Vec::new();
        client.for_each_shown(Some(kind::SHIP), |shown| {
            if shown.id != own.id {
                targets.push(Target {
                    id: shown.id,
                    x: shown.lanes[ship_lane::X],
                    y: shown.lanes[ship_lane::Y],
                });
            }
        });
        self.counts.fired += 1;
        self.pending.push_back(Fired {
            seq: client.seq(),
            at: now,
            hit: cast(map, beam, targets).hit,
        });
        while self
            .pending
            .front()
            .is_some_and(|fired| now.since(fired.at) > PATIENCE)
        {
            self.pending.pop_front();
            self.counts.unmatched += 1;
        }
    }

    /// Takes the server's word on a beam, if it is of one of the bot's shots.
    pub fn judged(&mut self, client: &Client, beam: &BeamFired) {
        let Some(position) = self.pending.iter().position(|fired| fired.seq == beam.seq) else {
            return;
        };
        let is_own = client.own().is_none_or(|own| own.id == beam.shooter);
        if beam.seq == 0 || !is_own {
            return;
        }
        let Some(fired) = self.pending.remove(position) else {
            return;
        };
        let is_dead = |id: EntityId| {
            let found = client.replica().and_then(|replica| replica.find(id.key()));
            found.is_none_or(|row| row.id != id)
        };
        match (fired.hit, beam.hit) {
            (Some(seen), Some(judged)) if seen == judged => {
                self.counts.hit_on_screen += 1;
                self.counts.confirmed += 1;
            }
            (Some(seen), _) if is_dead(seen) => self.counts.target_gone += 1,
            (Some(_), judged) => {
                self.counts.hit_on_screen += 1;
                self.counts.false_hits += u64::from(judged.is_some());
            }
            (None, Some(_)) => self.counts.false_hits += 1,
            (None, None) => {}
        }
    }
}

impl std::ops::AddAssign for ShotCounts {
    fn add_assign(&mut self, other: Self) {
        self.fired += other.fired;
        self.hit_on_screen += other.hit_on_screen;
        self.confirmed += other.confirmed;
        self.false_hits += other.false_hits;
        self.target_gone += other.target_gone;
        self.unmatched += other.unmatched;
    }
}
