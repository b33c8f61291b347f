//! A bot's shots: what its screen showed when it fired, compared with the server's report of the same shot.
//!
//! In: each shot fired, each beam that the server reports, each kill. Out: counts. Shots whose target or shooter was dead on the
//! server by then are counted apart: no netcode can honour them, as kills are never predicted.

use std::collections::VecDeque;
use tickwire::{Id, Map as _};
use tickwire_arena::{Beam, BeamEnd, Player, Rocks, Ship, Target, cast};
use tickwire_bot::{Own, Screen, ShotCounts};
use tickwire_client::Client;
use tickwire_sync::{RowKey, Tick, ViewTick};

/// A beam that the server reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReportedBeam {
    /// The shooter's ship.
    pub shooter: Id<Ship>,
    /// The number of the input that fired it.
    pub input_number: u32,
    /// Where it began.
    pub from: tickwire::Pos<{ tickwire_arena::STEPS }>,
    /// Where it ended, and whom it hit.
    pub end: BeamEnd,
}

/// The server reports a shot with the snapshot of its tick. A report that has not arrived this many ticks later will not arrive:
/// the server keeps events for 64 ticks.
const REPORT_TIMEOUT_TICKS: u32 = 96;
/// A player who was shot down gets the next ship after two seconds at the earliest, so a player killed less than this before a shot
/// cannot be its target. In ticks at 60 Hz; at lower tick rates a few such shots are missed.
const RESPAWN_TICKS: u32 = 120;
/// Kills kept: far more than happen while a shot waits for its report.
const MAX_KILLS: usize = 1024;

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
    pub target: Option<Id<Ship>>,
    /// The outcome.
    pub verdict: ShotVerdict,
    /// The server's report.
    pub beam: Option<ReportedBeam>,
}

#[derive(Clone, Copy, Debug)]
struct PendingShot {
    seq: u32,
    tick: Tick,
    view: ViewTick,
    shooter: Id<Ship>,
    /// Slot of the bot's own player.
    player: u32,
    beam: Beam,
    /// The ship that the screen showed as hit, and its player's slot.
    hit_on_screen: Option<(Id<Ship>, u32)>,
}

/// Tracks the shots of one bot.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShotTracker {
    pending: VecDeque<PendingShot>,
    rocks: Option<Rocks>,
    /// Slots of players who lost their ship, each with the tick; oldest first.
    kills: VecDeque<(u32, Tick)>,
    counts: ShotCounts,
    /// `None` while records are not kept.
    records: Option<Vec<ShotRecord>>,
}

impl ShotTracker {
    /// The final counts, when the newest snapshot is of `tick`.
    pub fn counts(&self, tick: Tick) -> ShotCounts {
        let mut settled = self.clone();
        settled.settle_unreported(tick);
        settled.counts.pending += settled.pending.len() as u64;
        settled.counts
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
        self.rocks = Rocks::from_bytes(client.map());
    }

    /// Takes the shot that the latest input fired, if any. `before`: the own ship before that input. With a view forgery, the screen that
    /// the input claims counts.
    pub fn input_made(
        &mut self,
        client: &Client,
        before: Option<Id<Ship>>,
        view_forgery_ticks: Option<f64>,
    ) {
        self.settle_unreported(client.newest_snapshot().0);
        let screen = Screen::of(client);
        let (Some(own), Some(rocks)) = (screen.own::<Ship>(), &self.rocks) else {
            return;
        };
        let Own {
            id,
            tick,
            entity: ship,
        } = own;
        if before != Some(id) || !ship.has_fired() {
            return;
        }
        let beam = Beam {
            from: ship.pos,
            heading: ship.heading,
        };
        let forgery = ViewTick::from_ticks(view_forgery_ticks.unwrap_or_default());
        let view = ViewTick(client.view_tick().0.saturating_sub(forgery.0));
        let mut targets = Vec::new();
        screen.for_each_at::<Ship>(view, |other, shown| {
            if other != id {
                let target = Target {
                    id: other,
                    pos: shown.pos,
                };
                targets.push((target, shown.player));
            }
        });
        let hit = cast(rocks, beam, targets.iter().map(|(target, _)| *target)).hit;
        self.counts.fired += 1;
        self.pending.push_back(PendingShot {
            seq: client.input_seq(),
            tick,
            view,
            shooter: id,
            player: ship.player,
            beam,
            hit_on_screen: hit.and_then(|hit| {
                let found = targets.iter().find(|(target, _)| target.id == hit);
                found.map(|(_, player)| (hit, *player))
            }),
        });
    }

    /// Takes a kill that the server reports.
    pub fn killed(&mut self, victim: u32, tick: Tick) {
        if self.kills.len() == MAX_KILLS {
            self.kills.pop_front();
        }
        self.kills.push_back((victim, tick));
    }

    /// Takes a beam that the server reports, and settles the bot's shot that fired it. All kills up to it must have been taken.
    pub fn beam_reported(&mut self, client: &Client, beam: &ReportedBeam) {
        let is_same =
            |fired: &PendingShot| fired.seq == beam.input_number && fired.shooter == beam.shooter;
        let Some(fired) = self
            .pending
            .iter()
            .position(is_same)
            .and_then(|position| self.pending.remove(position))
        else {
            let own = Screen::of(client).own::<Ship>();
            let is_own = own.is_some_and(|own| own.id == beam.shooter);
            self.counts.unpredicted += u64::from(is_own);
            return;
        };
        let is_gone = fired.hit_on_screen.is_some_and(|(_, player)| {
            // Players are in the global cell, which every client has: a missing row means that the player has left.
            let kind = Screen::of(client).kind::<Player>();
            let key = kind.map(|kind| RowKey::new(kind, player));
            let row = key.and_then(|key| client.replica()?.find(key));
            row.is_none() || self.is_dead(player, fired.tick)
        });
        let seen = fired.hit_on_screen.map(|(ship, _)| ship);
        self.counts.judged += 1;
        self.counts.from_elsewhere += u64::from(beam.from != fired.beam.from);
        let hit_on_screen = seen.is_some();
        let verdict = match (seen, beam.end.hit) {
            (Some(seen), Some(judged)) if seen == judged => ShotVerdict::Confirmed,
            (Some(_), _) if is_gone => ShotVerdict::TargetGone,
            (_, Some(_)) => ShotVerdict::False { hit_on_screen },
            (Some(_), None) => ShotVerdict::Lost,
            (None, None) => ShotVerdict::Miss,
        };
        self.settle(&fired, verdict, Some(*beam));
    }

    fn settle(&mut self, fired: &PendingShot, verdict: ShotVerdict, beam: Option<ReportedBeam>) {
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
