//! A bot's shots: what its screen showed when it fired, compared with the server's report of the same shot.
//!
//! In: each shot fired, each beam that the server reports, each kill. Out: counts. Shots whose target or shooter was dead on the
//! server by then are counted apart: no netcode can honour them, as kills are never predicted.

use serde::Serialize;
use std::collections::VecDeque;
use tickwire_arena::{Beam, BeamFired, Kill, Map, Target, cast, kind, ship_lane, ship_private};
use tickwire_client::Client;
use tickwire_sync::{EntityId, RowKey, Tick, ViewTick};

/// The server reports a shot with the snapshot of its tick. A report that has not arrived this many ticks later will not arrive:
/// the server keeps events for 64 ticks.
const REPORT_TIMEOUT_TICKS: u32 = 96;
/// A player who was shot down gets the next ship after two seconds at the earliest, so a player killed less than this before a shot
/// cannot be its target. In ticks at 60 Hz; at lower tick rates a few such shots are missed.
const RESPAWN_TICKS: u32 = 120;
/// Kills kept: far more than happen while a shot waits for its report.
const MAX_KILLS: usize = 1024;

/// Outcomes of a bot's shots. `fired` is the sum of `judged`, `shooter_gone`, `unmatched` and `pending`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ShotCounts {
    /// Shots fired, by the prediction of the bot's own ship.
    pub fired: u64,
    /// Of the fired shots: those that the server reported.
    pub judged: u64,
    /// Of the judged shots: the screen showed a hit, and the target was alive on the server.
    pub hit_on_screen: u64,
    /// Of the hits on screen: the server reported a hit of the same ship.
    pub confirmed: u64,
    /// Of the judged shots: the server reported a hit, and the screen showed a miss or another (living) target.
    pub false_hits: u64,
    /// Of the judged shots: the screen showed a hit, but the target was dead or had left before the shot's tick.
    pub target_gone: u64,
    /// Of the judged shots: the server's beam did not start where the predicted one did.
    pub from_elsewhere: u64,
    /// Shots that the server never reported because the shooter was dead before their tick.
    pub shooter_gone: u64,
    /// Shots that the server never reported for another reason: e.g. the input arrived too late.
    pub unmatched: u64,
    /// Of the unmatched shots: the screen showed a hit.
    pub unmatched_hits: u64,
    /// Shots whose report could not arrive before the run ended.
    pub pending: u64,
    /// Shots of the bot's own ship that the server reported and the bot had not predicted. Not among the fired ones.
    pub unpredicted: u64,
}

/// How the server's report of a shot compares with the screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShotVerdict {
    /// The screen and the server agree on a hit.
    Confirmed,
    /// The screen showed a hit on a living player, and the server reported a miss.
    Lost,
    /// The server reported a hit, and the screen showed a miss or another target.
    False {
        /// Whether the screen showed a hit at all.
        hit_on_screen: bool,
    },
    /// The screen and the server agree on a miss.
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
    /// Sequence number of the input that fired.
    pub seq: u32,
    /// The tick of that input.
    pub tick: Tick,
    /// The view tick that the input claimed.
    pub view: ViewTick,
    /// The ship that the screen showed as hit.
    pub target: Option<EntityId>,
    /// The outcome.
    pub verdict: ShotVerdict,
    /// The server's report.
    pub beam: Option<BeamFired>,
}

#[derive(Clone, Copy, Debug)]
struct PendingShot {
    seq: u32,
    tick: Tick,
    view: ViewTick,
    shooter: EntityId,
    /// Slot of the bot's own player.
    player: u32,
    beam: Beam,
    /// The ship that the screen showed as hit, and its player's slot.
    hit_on_screen: Option<(EntityId, u32)>,
}

/// Tracks the shots of one bot.
#[derive(Debug, Default)]
pub(crate) struct ShotTracker {
    pending: VecDeque<PendingShot>,
    map: Option<Map>,
    /// Slots of players who lost their ship, each with the tick; oldest first.
    kills: VecDeque<(u32, Tick)>,
    counts: ShotCounts,
    /// `None` while records are not kept.
    records: Option<Vec<ShotRecord>>,
}

impl ShotTracker {
    /// The final counts, when the newest snapshot is of `tick`.
    pub fn counts(mut self, tick: Tick) -> ShotCounts {
        self.settle_unreported(tick);
        self.counts.pending += self.pending.len() as u64;
        self.counts
    }

    /// Keeps a record of every shot from now on.
    pub fn keep_records(&mut self) {
        self.records.get_or_insert_default();
    }

    /// The records of the shots settled since the last call.
    pub fn take_records(&mut self) -> Vec<ShotRecord> {
        self.records
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// The session has joined a room. The shots of an earlier session will never be reported.
    pub fn joined(&mut self, client: &Client, is_resumed: bool) {
        if !is_resumed {
            self.counts.pending += self.pending.drain(..).len() as u64;
            self.kills.clear();
        }
        self.map = Map::decode(client.map());
    }

    /// Takes the shot that the latest input fired, if any: then the predicted cool-down rose. With a view forgery, the screen that the
    /// input claims counts.
    pub fn input_made(
        &mut self,
        client: &Client,
        cooldown_before: Option<(EntityId, i32)>,
        view_forgery_ticks: Option<f64>,
    ) {
        self.settle_unreported(client.newest_snapshot().0);
        let (Some(own), Some(map), Some((id, before))) =
            (client.predicted(), &self.map, cooldown_before)
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
        let forgery = ViewTick::from_ticks(view_forgery_ticks.unwrap_or_default());
        let view = ViewTick(client.view_tick().0.saturating_sub(forgery.0));
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
        self.pending.push_back(PendingShot {
            seq: client.input_seq(),
            tick: own.tick,
            view,
            shooter: own.id,
            player: own.lanes[ship_lane::PLAYER] as u32,
            beam,
            hit_on_screen: hit.and_then(|hit| {
                let found = targets.iter().find(|(target, _)| target.id == hit);
                found.map(|(_, player)| (hit, *player))
            }),
        });
    }

    /// Takes a kill that the server reports.
    pub fn killed(&mut self, kill: &Kill, tick: Tick) {
        if self.kills.len() == MAX_KILLS {
            self.kills.pop_front();
        }
        self.kills.push_back((kill.victim, tick));
    }

    /// Takes a beam that the server reports, and settles the bot's shot that fired it. All kills up to it must have been taken.
    pub fn beam_reported(&mut self, client: &Client, beam: &BeamFired) {
        let is_same = |fired: &PendingShot| fired.seq == beam.seq && fired.shooter == beam.shooter;
        let Some(fired) = self
            .pending
            .iter()
            .position(is_same)
            .and_then(|position| self.pending.remove(position))
        else {
            let is_own = client.predicted().is_some_and(|own| own.id == beam.shooter);
            self.counts.unpredicted += u64::from(is_own);
            return;
        };
        let is_gone = fired.hit_on_screen.is_some_and(|(_, player)| {
            // Players are in the global cell, which every client has: a missing row means that the player has left.
            let key = RowKey::new(kind::PLAYER, player);
            let row = client.replica().and_then(|replica| replica.find(key));
            row.is_none() || self.is_dead(player, fired.tick)
        });
        let seen = fired.hit_on_screen.map(|(ship, _)| ship);
        let line = [beam.line[0], beam.line[1]];
        self.counts.judged += 1;
        self.counts.from_elsewhere += u64::from(line != [fired.beam.x, fired.beam.y]);
        let hit_on_screen = seen.is_some();
        let verdict = match (seen, beam.hit) {
            (Some(seen), Some(judged)) if seen == judged => ShotVerdict::Confirmed,
            (Some(_), _) if is_gone => ShotVerdict::TargetGone,
            (_, Some(_)) => ShotVerdict::False { hit_on_screen },
            (Some(_), None) => ShotVerdict::Lost,
            (None, None) => ShotVerdict::Miss,
        };
        self.settle(&fired, verdict, Some(*beam));
    }

    fn settle(&mut self, fired: &PendingShot, verdict: ShotVerdict, beam: Option<BeamFired>) {
        let counts = &mut self.counts;
        match verdict {
            ShotVerdict::Confirmed => {
                counts.hit_on_screen += 1;
                counts.confirmed += 1;
            }
            ShotVerdict::Lost => counts.hit_on_screen += 1,
            ShotVerdict::False { hit_on_screen } => {
                counts.hit_on_screen += u64::from(hit_on_screen);
                counts.false_hits += 1;
            }
            ShotVerdict::Miss => {}
            ShotVerdict::TargetGone => counts.target_gone += 1,
            ShotVerdict::ShooterGone => counts.shooter_gone += 1,
            ShotVerdict::Unmatched { hit_on_screen } => {
                counts.unmatched += 1;
                counts.unmatched_hits += u64::from(hit_on_screen);
            }
        }
        if let Some(records) = &mut self.records {
            records.push(ShotRecord {
                seq: fired.seq,
                tick: fired.tick,
                view: fired.view,
                target: fired.hit_on_screen.map(|(ship, _)| ship),
                verdict,
                beam,
            });
        }
    }

    /// Whether a player's ship was lost before a tick and the next one cannot be there yet. A ship that dies in the tick itself still
    /// takes part in it.
    fn is_dead(&self, player: u32, tick: Tick) -> bool {
        let mut kills = self.kills.iter().rev();
        kills.any(|(victim, at)| *victim == player && *at < tick && tick.since(*at) < RESPAWN_TICKS)
    }

    /// Settles the shots that the server will not report any more, when the newest snapshot is of `now`.
    fn settle_unreported(&mut self, now: Tick) {
        while let Some(fired) = self.pending.front().copied() {
            if now.since(fired.tick) <= REPORT_TIMEOUT_TICKS {
                return;
            }
            self.pending.pop_front();
            let verdict = if self.is_dead(fired.player, fired.tick) {
                ShotVerdict::ShooterGone
            } else {
                let hit_on_screen = fired.hit_on_screen.is_some();
                ShotVerdict::Unmatched { hit_on_screen }
            };
            self.settle(&fired, verdict, None);
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
