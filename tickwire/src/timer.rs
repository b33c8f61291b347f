//! Timers: what happens every so often, also when ticks are skipped.

use crate::game::{Game, Step};
use serde::{Deserialize, Serialize};

/// Fires every so often. A server that is late skips ticks, so a rule such as `tick % 60 == 0` misses its moment; a timer does not.
/// A room without players rests, and makes no ticks: a pause of more than two seconds does not count as time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Timer {
    /// `None` before it was asked for the first time.
    state: Option<TimerState>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct TimerState {
    /// When it fires next, in milliseconds since tick 0: counted in ticks, a period that is no whole number of them would drift.
    next_ms: u64,
    /// The tick at which it was asked last.
    asked_tick: u32,
}

/// The longest gap between two ticks that a late server explains, in seconds. After a longer one the room has rested.
const MAX_GAP_SECONDS: u32 = 2;

impl Timer {
    /// How often the timer has fired since it was last asked: nearly always 0 or 1, more after a long stall. Ask once a tick. It fires
    /// for the first time one period after it was first asked; another period counts from its next firing.
    ///
    /// # Panics
    /// If the period is 0.
    #[track_caller]
    pub fn every_ms<G: Game>(&mut self, period_ms: u32, step: &Step<'_, G>) -> u32 {
        assert!(period_ms > 0, "a timer needs a period");
        self.fired_at(period_ms, step.tick().0, step.tick_rate())
    }

    /// How often the timer has fired since it was last asked, with a period in seconds; see [`Self::every_ms`].
    ///
    /// # Panics
    /// If the period is 0.
    #[track_caller]
    pub fn every_seconds<G: Game>(&mut self, seconds: u32, step: &Step<'_, G>) -> u32 {
        self.every_ms(seconds.saturating_mul(1000), step)
    }

    fn fired_at(&mut self, period_ms: u32, tick: u32, tick_rate: u32) -> u32 {
        let ms_of = |ticks: u32| u64::from(ticks) * 1000 / u64::from(tick_rate.max(1));
        let (now, period) = (ms_of(tick), u64::from(period_ms));
        let begun = TimerState {
            next_ms: now + period,
            asked_tick: tick,
        };
        let state = self.state.get_or_insert(begun);
        let gap = tick.saturating_sub(state.asked_tick);
        if gap > MAX_GAP_SECONDS * tick_rate {
            state.next_ms += ms_of(gap - 1);
        }
        state.asked_tick = tick;
        let Some(late) = now.checked_sub(state.next_ms) else {
            return 0;
        };
        let fired = 1 + late / period;
        state.next_ms += fired * period;
        u32::try_from(fired).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_tick_loses_no_firing() {
        let mut timer = Timer::default();
        let ticks = [0, 59, 61, 119, 120, 239, 240];
        let fired = ticks.map(|tick| timer.fired_at(1000, tick, 60));
        assert_eq!(fired, [0, 0, 1, 0, 1, 1, 1]);
    }

    #[test]
    fn a_period_of_no_whole_ticks_does_not_drift() {
        let mut timer = Timer::default();
        let fired: u32 = (0..=300).map(|tick| timer.fired_at(50, tick, 30)).sum();
        assert_eq!(fired, 200);
    }

    #[test]
    fn the_time_of_a_room_at_rest_does_not_count() {
        let mut timer = Timer::default();
        let ticks = [0, 30, 100_000, 100_028, 100_029];
        let fired = ticks.map(|tick| timer.fired_at(1000, tick, 60));
        assert_eq!(fired, [0, 0, 0, 0, 1]);
    }
}
