//! A bot's book of shots: what its screen showed when it fired, held against what the server says of the same shot.
//!
//! In: each fired shot, each beam that the server reports, each kill. Out: counts. A shot at someone who was dead on the
//! server by then is counted apart, and so is one whose shooter was: no netcode can honour them, and kills are never predicted.

use serde::Serialize;
use std::collections::VecDeque;
use tickwire_client::Client;
use tickwire_game::arena::{
    Beam, BeamFired, Kill, Map, Target, cast, kind, ship_lane, ship_private,
};
use tickwire_sync::{EntityId, RowKey, Tick, ViewTick};

/// The server's word on a shot comes with the snapshot of its tick. If it has not come this many ticks later, it will not
/// come: events are kept for 64.
const PATIENCE: u32 = 96;
/// A player who was shot down has another ship after two seconds at the earliest. So one killed less than that before a
/// shot, in ticks, is not its target any more. Ticks at 60 Hz; slower rooms only forgive a little less.
const RESPAWN: u32 = 120;
/// Kills that are remembered: far more than happen in the time that a shot waits.
const MEMORY: usize = 1024;

/// What became of a bot's shots. `fired` is the sum of `judged`, `shooter_gone`, `unmatched` and `pending`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ShotCounts {
    /// Shots fired: the prediction says that the own ship fires.
    pub fired: u64,
    /// Of those: the server reported the shot.
    pub judged: u64,
    /// Of the judged ones: the screen showed a hit, and the target lived on the server.
    pub hit_on_screen: u64,
    /// Of those: the server says that the same ship was hit.
    pub confirmed: u64,
    /// Of the judged ones: the server says hit, and the screen showed a miss or (living) another target.
    pub false_hits: u64,
    /// Of the judged ones: the screen showed a hit, and the target was dead or had left before the shot's tick.
    pub target_gone: u64,
    /// Of the judged ones: the server's beam started elsewhere or pointed elsewhere than the predicted one.
    pub from_elsewhere: u64,
    /// The server never reported the shot, as the shooter was dead before its tick.
    pub shooter_gone: u64,
    /// The server never reported the shot, for another reason: e.g. the input came too late.
    pub unmatched: u64,
    /// Of the unmatched ones: the screen showed a hit.
    pub unmatched_hits: u64,
    /// The run ended before the server's word could come.
    pub pending: u64,
    /// Not among the fired ones: the server reports a shot of the own ship that was not predicted.
    pub unpredicted: u64,
}

/// How one shot ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShotEnd {
    /// The screen showed a hit, and the server says the same.
    Confirmed,
    /// The screen showed a hit on somebody who lived, and the server says miss.
    Lost,
    /// The server says hit, and the screen showed a miss or another target.
    False {
        /// Whether the screen showed a hit at all.
        hit_on_screen: bool,
    },
    /// Both say miss.
    Miss,
    /// The target was dead or had left before the shot's tick.
    TargetGone,
    /// The shooter was dead before the shot's tick.
    ShooterGone,
    /// The server never reported the shot.
    Unmatched {
        /// Whether the screen showed a hit.
        hit_on_screen: bool,
    },
}

/// One shot, settled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShotRecord {
    /// The number of the input that fired it.
    pub seq: u32,
    /// The tick that it was for.
    pub tick: Tick,
    /// The moment that the input claimed.
    pub view: ViewTick,
    /// The ship that the screen showed as hit.
    pub target: Option<EntityId>,
    /// What became of it.
    pub end: ShotEnd,
    /// The server's word.
    pub beam: Option<BeamFired>,
}

#[derive(Clone, Copy, Debug)]
struct Fired {
    seq: u32,
    tick: Tick,
    view: ViewTick,
    shooter: EntityId,
    /// Slot of the own player.
    player: u32,
    beam: Beam,
    /// The ship that was hit on the screen, and its player's slot.
    hit: Option<(EntityId, u32)>,
}

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct ShotBook {
    pending: VecDeque<Fired>,
    map: Option<Map>,
    /// Slots of players who lost their ship, and when; oldest first.
    kills: VecDeque<(u32, Tick)>,
    counts: ShotCounts,
    /// `None`: records are not kept.
    records: Option<Vec<ShotRecord>>,
}

impl ShotBook {
    /// The counts at the end, when the newest snapshot was of `tick`.
    pub fn counts(mut self, tick: Tick) -> ShotCounts {
        self.give_up(tick);
        self.counts.pending += self.pending.len() as u64;
        self.counts
    }

    /// From now on keeps a record of every shot.
    pub fn keep_records(&mut self) {
        self.records.get_or_insert_default();
    }

    /// The records of the shots that were settled since the last call.
    pub fn take_records(&mut self) -> Vec<ShotRecord> {
        self.records
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// The session has (again) a place in a room. If it is another one, the old one's shots will never be judged.
    pub fn joined(&mut self, client: &Client, is_resumed: bool) {
        if !is_resumed {
            self.counts.pending += self.pending.drain(..).len() as u64;
            self.kills.clear();
        }
        self.map = Map::decode(client.map());
    }

    /// Notes a shot, if the input just made fired one: then the predicted cool-down was set to its full length. A cheat that
    /// aims at an older screen (by so many ticks) is judged by that one.
    pub fn note(
        &mut self,
        client: &Client,
        cooldown_before: Option<(EntityId, i32)>,
        aims_older: Option<f64>,
    ) {
        self.give_up(client.newest_snapshot().0);
        let (Some(own), Some(map), Some((id, before))) = (client.own(), &self.map, cooldown_before)
        else {
            return;
        };
        let cooldown = own.private_lanes.get(ship_private::COOLDOWN).copied();
        if own.id != id || cooldown.is_none_or(|cooldown| cooldown <= before) {
            return;
        }
        let beam = Beam {
            x: own.lanes[ship_lane::X],
            y: own.lanes[ship_lane::Y],
            heading: own.lanes[ship_lane::HEADING],
        };
        let mut targets = Vec::new();
        let older = ViewTick::from_ticks(aims_older.unwrap_or_default());
        let view = ViewTick(client.view().0.saturating_sub(older.0));
        client.for_each_shown_at(view, Some(kind::SHIP), |shown| {
            if shown.id != own.id {
                let target = Target {
                    id: shown.id,
                    x: shown.lanes[ship_lane::X],
                    y: shown.lanes[ship_lane::Y],
                };
                targets.push((target, shown.lanes[ship_lane::PLAYER] as u32));
            }
        });
        let hit = cast(map, beam, targets.iter().map(|(target, _)| *target)).hit;
        self.counts.fired += 1;
        self.pending.push_back(Fired {
            seq: client.seq(),
            tick: own.tick,
            view,
            shooter: own.id,
            player: own.lanes[ship_lane::PLAYER] as u32,
            beam,
            hit: hit.and_then(|hit| {
                let found = targets.iter().find(|(target, _)| target.id == hit);
                found.map(|(_, player)| (hit, *player))
            }),
        });
    }

    /// Takes the server's word on a kill.
    pub fn killed(&mut self, kill: &Kill, tick: Tick) {
        if self.kills.len() == MEMORY {
            self.kills.pop_front();
        }
        self.kills.push_back((kill.victim, tick));
    }

    /// Takes the server's word on a beam, if it is of one of the bot's shots. All kills before it must have been taken.
    pub fn judged(&mut self, client: &Client, beam: &BeamFired) {
        let is_it = |fired: &Fired| fired.seq == beam.seq && fired.shooter == beam.shooter;
        let Some(fired) = self
            .pending
            .iter()
            .position(is_it)
            .and_then(|position| self.pending.remove(position))
        else {
            let is_own = client.own().is_some_and(|own| own.id == beam.shooter);
            self.counts.unpredicted += u64::from(is_own);
            return;
        };
        let is_gone = fired.hit.is_some_and(|(_, player)| {
            // Players are in the cell that everybody sees: who is not there has left.
            let key = RowKey::new(kind::PLAYER, player);
            let row = client.replica().and_then(|replica| replica.find(key));
            row.is_none() || self.is_dead(player, fired.tick)
        });
        let seen = fired.hit.map(|(ship, _)| ship);
        let line = [beam.line[0], beam.line[1]];
        self.counts.judged += 1;
        self.counts.from_elsewhere += u64::from(line != [fired.beam.x, fired.beam.y]);
        let hit_on_screen = seen.is_some();
        let end = match (seen, beam.hit) {
            (Some(seen), Some(judged)) if seen == judged => ShotEnd::Confirmed,
            (Some(_), _) if is_gone => ShotEnd::TargetGone,
            (_, Some(_)) => ShotEnd::False { hit_on_screen },
            (Some(_), None) => ShotEnd::Lost,
            (None, None) => ShotEnd::Miss,
        };
        self.settle(&fired, end, Some(*beam));
    }

    fn settle(&mut self, fired: &Fired, end: ShotEnd, beam: Option<BeamFired>) {
        let counts = &mut self.counts;
        match end {
            ShotEnd::Confirmed => {
                counts.hit_on_screen += 1;
                counts.confirmed += 1;
            }
            ShotEnd::Lost => counts.hit_on_screen += 1,
            ShotEnd::False { hit_on_screen } => {
                counts.hit_on_screen += u64::from(hit_on_screen);
                counts.false_hits += 1;
            }
            ShotEnd::Miss => {}
            ShotEnd::TargetGone => counts.target_gone += 1,
            ShotEnd::ShooterGone => counts.shooter_gone += 1,
            ShotEnd::Unmatched { hit_on_screen } => {
                counts.unmatched += 1;
                counts.unmatched_hits += u64::from(hit_on_screen);
            }
        }
        if let Some(records) = &mut self.records {
            records.push(ShotRecord {
                seq: fired.seq,
                tick: fired.tick,
                view: fired.view,
                target: fired.hit.map(|(ship, _)| ship),
                end,
                beam,
            });
        }
    }

    /// Whether this player's ship was lost before a tick, and the next one cannot have come. Who dies in the very tick still
    /// takes part in it.
    fn is_dead(&self, player: u32, tick: Tick) -> bool {
        let mut kills = self.kills.iter().rev();
        kills.any(|(victim, at)| *victim == player && *at < tick && tick.since(*at) < RESPAWN)
    }

    /// Counts the shots of which nothing will be heard any more, now that the newest snapshot is of `now`.
    fn give_up(&mut self, now: Tick) {
        while let Some(fired) = self.pending.front().copied() {
            if now.since(fired.tick) <= PATIENCE {
                return;
            }
            self.pending.pop_front();
            let end = if self.is_dead(fired.player, fired.tick) {
                ShotEnd::ShooterGone
            } else {
                let hit_on_screen = fired.hit.is_some();
                ShotEnd::Unmatched { hit_on_screen }
            };
            self.settle(&fired, end, None);
        }
    }
}

impl std::ops::AddAssign for ShotCounts {
    fn add_assign(&mut self, other: Self) {
        self.fired += other.fired;
        self.judged += other.judged;
        self.hit_on_screen += other.hit_on_screen;
        self.confirmed += other.confirmed;
        self.false_hits += other.false_hits;
        self.target_gone += other.target_gone;
        self.from_elsewhere += other.from_elsewhere;
        self.shooter_gone += other.shooter_gone;
        self.unmatched += other.unmatched;
        self.unmatched_hits += other.unmatched_hits;
        self.pending += other.pending;
        self.unpredicted += other.unpredicted;
    }
}
