//! What a screen, a bot or a report asks of a session. Nothing here changes it but [`Client::look`], which moves the shown moment on.

use super::{Client, Counters, Phase};
use crate::prediction::{Own, PredictionStats};
use crate::screen::Shown;
use crate::stats::Recent;
use tickwire_sync::replica::Replica;
use tickwire_sync::{EntityId, KindId, Micros, Tick, ViewTick};

impl Client {
    /// Where the session stands.
    #[must_use]
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Why the last link was refused or lost, or could not be had, for people; empty: all is well, or nobody said why.
    #[must_use]
    pub fn trouble(&self) -> &str {
        &self.trouble
    }

    /// The session's number in the room; 0 before the first `Welcome`.
    #[must_use]
    pub fn session(&self) -> u32 {
        self.place.as_ref().map_or(0, |place| place.session)
    }

    /// The entity that stands for the player.
    #[must_use]
    pub fn entity(&self) -> Option<EntityId> {
        self.place.as_ref().and_then(|place| place.entity)
    }

    /// The player's name as the server has it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.place
            .as_ref()
            .map_or(&self.options.name, |place| &place.name)
    }

    /// The room's name; empty before the first `Welcome`.
    #[must_use]
    pub fn room(&self) -> &str {
        self.place.as_ref().map_or("", |place| &place.room)
    }

    /// The game's name; empty before the first `Welcome`.
    #[must_use]
    pub fn game(&self) -> &str {
        self.place.as_ref().map_or("", |place| &place.game)
    }

    /// The game's map; empty before the first `Welcome`.
    #[must_use]
    pub fn map(&self) -> &[u8] {
        self.place.as_ref().map_or(&[], |place| &place.map)
    }

    /// Whether the server lets this session only watch.
    #[must_use]
    pub fn is_spectator(&self) -> bool {
        self.place
            .as_ref()
            .map_or(self.options.is_spectator, |place| place.is_spectator)
    }

    /// The replica, once there was a `Welcome`.
    #[must_use]
    pub fn replica(&self) -> Option<&Replica> {
        self.replica.as_ref()
    }

    /// The tick of the newest snapshot, and when it came.
    #[must_use]
    pub fn newest_snapshot(&self) -> (Tick, Micros) {
        self.newest_snapshot
    }

    /// Moves the shown moment on to `now` and returns it: what a frame of a screen is drawn from.
    pub fn look(&mut self, now: Micros) -> ViewTick {
        if let Some(view) = self.view_clock.advance(now) {
            self.view = view;
        }
        self.view
    }

    /// The moment that was shown when [`Self::due`] or [`Self::look`] was called last.
    #[must_use]
    pub fn view(&self) -> ViewTick {
        self.view
    }

    /// Calls `show` for every entity (of one kind, if one is named) that the screen shows, in the past and blended; the own one too.
    pub fn for_each_shown(&self, kind: Option<KindId>, show: impl FnMut(Shown<'_>)) {
        self.for_each_shown_at(self.view, kind, show);
    }

    /// The same for another moment of the last second: what a cheat looks up, or a replay of a shot.
    pub fn for_each_shown_at(
        &self,
        view: ViewTick,
        kind: Option<KindId>,
        show: impl FnMut(Shown<'_>),
    ) {
        if let Some(replica) = &self.replica {
            self.tracks.for_each_shown(replica, view, kind, show);
        }
    }

    /// The predicted state of the own entity at the newest input's tick; as the snapshot says where there is no prediction.
    #[must_use]
    pub fn own(&self) -> Option<&Own> {
        self.prediction.newest()
    }

    /// The own entity as the screen shows it at `now`: its lanes between the two newest predicted ticks, with what is left of corrections.
    #[must_use]
    pub fn own_on_screen(&self, now: Micros) -> Option<(EntityId, Vec<i32>)> {
        let newest = self.prediction.newest()?;
        let kind = self.replica.as_ref()?.schema().kind(newest.id.kind)?;
        let mut lanes = newest.lanes.clone();
        let before = newest
            .tick
            .before(1)
            .and_then(|tick| self.prediction.at(tick));
        if let (Some(before), Some(clock)) = (before, &self.input_clock) {
            let part = ((clock.ticks() - f64::from(newest.tick.0)).clamp(0.0, 1.0) * 256.0) as u64;
            for (index, lane) in kind.lanes.iter().enumerate() {
                lanes[index] = lane.blend(before.lanes[index], newest.lanes[index], part, 256);
            }
        }
        if kind.placed {
            let offset = self.prediction.offset(now);
            lanes[0] = lanes[0].wrapping_add(offset[0].round() as i32);
            lanes[1] = lanes[1].wrapping_add(offset[1].round() as i32);
        }
        Some((newest.id, lanes))
    }

    /// Whether the own entity is predicted: by the server's rules, which this client has. `false` before the first `Welcome`.
    #[must_use]
    pub fn is_predicting(&self) -> bool {
        self.prediction.has_rules()
    }

    /// The number of the newest input made.
    #[must_use]
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// The number of the newest input that the game was given, as the newest snapshot says.
    #[must_use]
    pub fn applied_seq(&self) -> u32 {
        self.applied_seq
    }

    /// What the session has seen so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How well prediction does.
    #[must_use]
    pub fn prediction_stats(&self) -> PredictionStats {
        self.prediction.stats()
    }

    /// The server's tick axis at `now`, as far as the clock is known.
    #[must_use]
    pub fn server_ticks(&self, now: Micros) -> Option<f64> {
        let place = self.place.as_ref()?;
        Some(place.ticks.ticks_at(self.server_clock.server_us(now)?))
    }

    /// The latest round trips of clock questions, in milliseconds.
    #[must_use]
    pub fn rtt_ms(&self) -> &Recent {
        &self.rtt_ms
    }

    /// The latest snapshots' ages on arrival (arrival minus the tick's due time, on the server's clock), in milliseconds.
    #[must_use]
    pub fn age_ms(&self) -> &Recent {
        &self.age_ms
    }

    /// The latest gaps between snapshots, in milliseconds.
    #[must_use]
    pub fn gap_ms(&self) -> &Recent {
        &self.gap_ms
    }

    /// The latest input margins, in ticks.
    #[must_use]
    pub fn margin_ticks(&self) -> &Recent {
        &self.margin_ticks
    }

    /// How far the shown moment is behind the quickest arrival, in milliseconds.
    #[must_use]
    pub fn interpolation_delay_ms(&self) -> Option<f64> {
        self.view_clock.delay_ms()
    }

    /// The 99th percentile of the arrivals' jitter, in milliseconds.
    #[must_use]
    pub fn jitter_ms(&self) -> f64 {
        self.view_clock.jitter_ms()
    }
}
