//! What screens, bots and reports ask of a session. [`Client::sample`] moves the view tick on, and
//! [`Client::take_correction`] takes what was recorded; else nothing here changes it.

use super::{Client, Counters, Phase, Session};
use crate::interpolation::ShownEntity;
use crate::prediction::{Correction, PredictedState, PredictionStats};
use crate::stats::RecentSamples;
use tickwire_sync::client::{Replica, Row};
use tickwire_sync::{EntityId, Kind, KindId, Micros, Tick, ViewTick};

/// The player's own entity as the screen shows it.
pub(super) struct OwnOnScreen {
    pub id: EntityId,
    pub lanes: Vec<i32>,
    /// As in [`ShownEntity::fraction`].
    fraction: [i8; 2],
}

impl OwnOnScreen {
    /// `row`: the newest row, for its texts.
    fn shown_as<'a>(&'a self, row: &'a Row) -> ShownEntity<'a> {
        ShownEntity {
            id: self.id,
            lanes: &self.lanes,
            fraction: self.fraction,
            row,
        }
    }
}

impl Client {
    /// State of the session.
    #[must_use]
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Why the last link was refused, was lost, or could not be opened, for people; empty while all is well or the reason is unknown.
    #[must_use]
    pub fn last_error(&self) -> &str {
        &self.links.last_error
    }

    fn session_or<'a, T>(&'a self, none: T, get: impl FnOnce(&'a Session) -> T) -> T {
        self.session.as_ref().map_or(none, get)
    }

    /// The session's number in the room; 0 before the first `Welcome`.
    #[must_use]
    pub fn session(&self) -> u32 {
        self.session_or(0, |session| session.number)
    }

    /// The secret by which a later client can resume this session ([`Self::resume_from`]); empty before the first `Welcome`.
    #[must_use]
    pub fn resume_token(&self) -> &[u8] {
        self.session_or(&[], |session| &session.resume_token)
    }

    /// The number of the newest chat line or game message received.
    #[must_use]
    pub fn newest_message(&self) -> u32 {
        self.newest_message
    }

    /// The player's own entity.
    #[must_use]
    pub fn entity(&self) -> Option<EntityId> {
        self.session_or(None, |session| session.entity)
    }

    /// The player's name as the server has it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.session_or(&self.options.name, |session| &session.name)
    }

    /// The room's name; empty before the first `Welcome`.
    #[must_use]
    pub fn room(&self) -> &str {
        self.session_or("", |session| &session.room)
    }

    /// The game's name; empty before the first `Welcome`.
    #[must_use]
    pub fn game(&self) -> &str {
        self.session_or("", |session| &session.game)
    }

    /// The game's map; empty before the first `Welcome`.
    #[must_use]
    pub fn map(&self) -> &[u8] {
        self.session_or(&[], |session| &session.map)
    }

    /// Whether this session only watches.
    #[must_use]
    pub fn is_spectator(&self) -> bool {
        self.session_or(self.options.is_spectator, |session| session.is_spectator)
    }

    /// The replicated world; `None` before the first `Welcome`.
    #[must_use]
    pub fn replica(&self) -> Option<&Replica> {
        self.session_or(None, |session| Some(&session.replica))
    }

    /// The tick of the newest snapshot, and when it arrived by the shell's clock.
    #[must_use]
    pub fn newest_snapshot(&self) -> (Tick, Micros) {
        let arrived_at = self.steady.reading_at(self.snapshots.newest_at);
        (self.snapshots.newest_tick, arrived_at)
    }

    /// Moves the view tick on to `now` and returns it: the moment from which a frame of the screen is drawn.
    pub fn sample(&mut self, now: Micros) -> ViewTick {
        let now = self.session_time(now);
        if self.steady.is_in_doubt() {
            return self.clocks.view_tick;
        }
        self.clocks.advance_view(now)
    }

    /// The view tick of the latest [`Self::next_due_tick`] or [`Self::sample`].
    #[must_use]
    pub fn view_tick(&self) -> ViewTick {
        self.clocks.view_tick
    }

    /// Calls `show` for every entity at the view tick, interpolated; only those of one kind if one is named. The player's own
    /// entity is among them, as old as all others.
    pub fn for_each_shown(&self, kind: Option<KindId>, show: impl FnMut(ShownEntity<'_>)) {
        self.for_each_shown_at(self.clocks.view_tick, kind, show);
    }

    /// Calls `show` for every entity at another moment of the last second: for a replay of a shot.
    pub fn for_each_shown_at(
        &self,
        view: ViewTick,
        kind: Option<KindId>,
        show: impl FnMut(ShownEntity<'_>),
    ) {
        if let Some(replica) = self.replica() {
            let is_wanted = |id: EntityId| kind.is_none_or(|kind| kind == id.kind);
            self.snapshots
                .interpolation
                .for_each_shown(replica, view, &is_wanted, show);
        }
    }

    /// The predicted state of the player's own entity at the newest input's tick; the newest snapshot's state where there is no prediction.
    #[must_use]
    pub fn predicted(&self) -> Option<&PredictedState> {
        self.prediction.newest()
    }

    /// The player's own entity as the screen shows it at `now`, with the rest of the corrections that are still being smoothed. Its
    /// lanes are those between the two newest predicted ticks; without prediction those at the view tick, as for all others.
    #[must_use]
    pub fn own_on_screen(&self, now: Micros) -> Option<(EntityId, Vec<i32>)> {
        let own = self.own_at(self.steady.at(now))?;
        Some((own.id, own.lanes))
    }

    /// [`Self::own_on_screen`] at a time of the session, with the fraction of its position.
    pub(super) fn own_at(&self, now: Micros) -> Option<OwnOnScreen> {
        let newest = self.prediction.newest()?;
        let kind = self.replica()?.schema().kind(newest.id.kind)?;
        let (mut lanes, mut beyond) = if self.is_predicting() {
            self.between_predicted_ticks(newest, kind)
        } else {
            (self.own_at_view_tick(newest.id)?, [0.0; 2])
        };
        let mut fraction = [0; 2];
        if kind.placed {
            let offset = self.prediction.smoothing_offset(now);
            for axis in 0..2 {
                beyond[axis] += offset[axis];
                let steps = beyond[axis].round();
                lanes[axis] = lanes[axis].wrapping_add(steps as i32);
                // Half a step is one more than the type holds, and `as` saturates.
                fraction[axis] = ((beyond[axis] - steps) * 256.0) as i8;
            }
        }
        let id = newest.id;
        Some(OwnOnScreen {
            id,
            lanes,
            fraction,
        })
    }

    /// Calls `show` for every entity that the screen shows at `now`: others at the view tick, interpolated, and the player's own
    /// entity as predicted ([`Self::own_on_screen`]).
    pub fn for_each_on_screen(
        &self,
        kind: Option<KindId>,
        now: Micros,
        show: &mut dyn FnMut(ShownEntity<'_>),
    ) {
        let own = self.prediction.own();
        let is_predicting = self.is_predicting();
        let is_wanted = |id: &EntityId| kind.is_none_or(|kind| kind == id.kind);
        let now = self.steady.at(now);
        let own_shown = own.filter(is_wanted).and_then(|_| self.own_at(now));
        let mut is_own_due = is_predicting;
        self.for_each_shown(kind, |shown| match &own_shown {
            Some(own) if own.id == shown.id => {
                is_own_due = false;
                show(own.shown_as(shown.row));
            }
            // It is gone, and was shown ahead of the view tick: it must not come back there.
            _ if own == Some(shown.id) && is_predicting && self.is_gone(shown.id) => {}
            _ => show(shown),
        });
        // It is new, and the view tick has not come to it yet.
        if let Some(own) = own_shown.filter(|_| is_own_due)
            && let Some(row) = self
                .replica()
                .and_then(|replica| replica.find(own.id.key()))
        {
            show(own.shown_as(row));
        }
    }

    fn is_gone(&self, id: EntityId) -> bool {
        let row = self.replica().and_then(|replica| replica.find(id.key()));
        row.is_none_or(|row| row.id != id)
    }

    /// The private lanes of one of the player's own entities: as predicted for the newest input's tick, else as in the newest
    /// snapshot. `None` for entities of others.
    #[must_use]
    pub fn private_lanes(&self, id: EntityId) -> Option<&[i32]> {
        let predicted = self.predicted().filter(|own| own.id == id);
        let session = self.session.as_ref()?;
        let owned = session.owned.iter().find(|(owned, _)| *owned == id);
        predicted
            .map(|own| &own.private_lanes[..])
            .or_else(|| Some(&owned?.1[..]))
    }

    /// The lanes between the two newest predicted ticks, and how far the position is beyond them, in steps.
    fn between_predicted_ticks(
        &self,
        newest: &PredictedState,
        kind: &Kind,
    ) -> (Vec<i32>, [f64; 2]) {
        let before = newest
            .tick
            .minus(1)
            .and_then(|tick| self.prediction.at(tick));
        let (Some(before), Some(clock)) = (before, &self.clocks.input) else {
            return (newest.lanes.clone(), [0.0; 2]);
        };
        let (from, to) = (&before.lanes, &newest.lanes);
        let part = (clock.ticks() - f64::from(newest.tick.0)).clamp(0.0, 1.0);
        let lanes = kind.interpolate(from, to, (part * 256.0) as u64, 256);
        let has_teleported = kind.has_teleported(from.iter().copied(), to.iter().copied());
        if !kind.placed || has_teleported {
            return (lanes, [0.0; 2]);
        }
        let beyond = [0, 1].map(|axis| {
            let lane = &kind.lanes[axis];
            let moved = f64::from(lane.difference(from[axis], to[axis])) * part;
            moved - f64::from(lane.difference(from[axis], lanes[axis]))
        });
        (lanes, beyond)
    }

    fn own_at_view_tick(&self, id: EntityId) -> Option<Vec<i32>> {
        let view = self.clocks.view_tick;
        let buffer = &self.snapshots.interpolation;
        let mut lanes = None;
        buffer.for_each_shown(self.replica()?, view, &|one| one == id, |shown| {
            lanes = Some(shown.lanes.to_vec());
        });
        lanes
    }

    /// Whether this client predicts: it has the server's rules. `false` before the first `Welcome`.
    #[must_use]
    pub fn is_predicting(&self) -> bool {
        self.prediction.has_rules()
    }

    /// Sequence number of the newest input made.
    #[must_use]
    pub fn input_seq(&self) -> u32 {
        self.inputs.newest_seq
    }

    /// Sequence number of the newest input that the game was given, as the newest snapshot says.
    #[must_use]
    pub fn applied_seq(&self) -> u32 {
        self.inputs.applied_seq
    }

    /// Totals since the session began.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How accurate prediction is.
    #[must_use]
    pub fn prediction_stats(&self) -> PredictionStats {
        self.prediction.stats()
    }

    /// Begins or ends to keep the latest corrections for [`Self::take_correction`]. Off at first.
    pub fn record_corrections(&mut self, is_on: bool) {
        self.prediction.record_corrections(is_on);
    }

    /// The oldest correction that nobody has taken, of the latest 64: a predicted state that differed from the server's in any lane.
    pub fn take_correction(&mut self) -> Option<Correction> {
        self.prediction.take_correction()
    }

    /// The server's tick, with its fraction, at `now`; `None` while the clock is unknown.
    #[must_use]
    pub fn server_ticks(&self, now: Micros) -> Option<f64> {
        let ticks = self.session.as_ref()?.ticks;
        Some(ticks.ticks_at(self.clocks.server.server_us(self.steady.at(now))?))
    }

    /// The latest round trips of clock pings, in milliseconds.
    #[must_use]
    pub fn rtt_ms(&self) -> &RecentSamples {
        &self.samples.rtt_ms
    }

    /// The latest snapshots' ages on arrival (arrival minus the tick's due time, on the server's clock), in milliseconds.
    #[must_use]
    pub fn snapshot_age_ms(&self) -> &RecentSamples {
        &self.samples.snapshot_age_ms
    }

    /// The latest gaps between snapshots, in milliseconds.
    #[must_use]
    pub fn snapshot_gap_ms(&self) -> &RecentSamples {
        &self.samples.snapshot_gap_ms
    }

    /// The latest input margins (how early inputs reached the server), in ticks.
    #[must_use]
    pub fn input_margin_ticks(&self) -> &RecentSamples {
        &self.samples.input_margin_ticks
    }

    /// How far the view tick is behind the quickest arrival, in milliseconds.
    #[must_use]
    pub fn interpolation_delay_ms(&self) -> Option<f64> {
        self.clocks.view.delay_ms()
    }

    /// The 99th percentile of the arrivals' jitter, in milliseconds.
    #[must_use]
    pub fn jitter_ms(&self) -> f64 {
        self.clocks.view.jitter_ms()
    }
}
