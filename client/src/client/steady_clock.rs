//! The session's own clock: the shell's clock without its leaps.
//!
//! In: readings of the shell's clock, and corrections from clock pings. Out: the session's time, which everything else counts in.
//! Never decides what a leap was: after a leap the time goes on from before, in doubt, until the server has said what time it is.
//! A clock that was set loses nothing that way, and after a sleep the server's answer puts the session's time forward.

use tickwire_sync::Micros;

/// A longer time between two readings may be a leap: shells read their clock every 100 ms, and a hidden tab's timers every second.
const MAX_STEP_US: i64 = 1_200_000;
/// A clock that goes back by less needs no answer from the server.
const MAX_UNDOUBTED_STEP_BACK_US: i64 = 20_000;

/// The session's time is no further from the shell's clock than this, a century: whatever a server says, sums and products of times
/// stay numbers.
const MAX_SHIFT_US: i64 = 100 * 366 * 86_400 * 1_000_000;

/// The session's time for readings of the shell's clock.
#[derive(Debug)]
pub(super) struct SteadyClock {
    newest_reading: Micros,
    /// The session's time minus the reading, in microseconds.
    shift_us: i64,
    /// The session's time at a leap that the server has not said anything about yet.
    doubted_since: Option<Micros>,
}

impl SteadyClock {
    pub fn new(reading: Micros) -> Self {
        Self {
            newest_reading: reading,
            shift_us: 0,
            doubted_since: None,
        }
    }

    /// The session's time at a reading.
    pub fn at(&self, reading: Micros) -> Micros {
        Micros(reading.0.saturating_add_signed(self.shift_us))
    }

    /// The reading at a time of the session.
    pub fn reading_at(&self, time: Micros) -> Micros {
        Micros(time.0.saturating_add_signed(-self.shift_us))
    }

    /// Takes a reading, and returns the session's time. With `is_linked` a long step forward counts as a leap; without a connection
    /// there is nobody to ask, and it counts as time.
    pub fn read(&mut self, reading: Micros, is_linked: bool) -> Micros {
        let step_us = reading
            .0
            .cast_signed()
            .wrapping_sub(self.newest_reading.0.cast_signed());
        let before = self.at(self.newest_reading);
        self.newest_reading = reading;
        // A second leap before the answer to the first is time that passes: else a link would never be found dead.
        let is_leap_ahead = step_us > MAX_STEP_US && is_linked && self.doubted_since.is_none();
        if step_us < 0 || is_leap_ahead {
            self.correct(step_us.saturating_neg());
        }
        if is_linked && (step_us < -MAX_UNDOUBTED_STEP_BACK_US || is_leap_ahead) {
            self.doubted_since = Some(before);
        }
        self.at(reading)
    }

    /// Whether the clock has leapt, and the server has not said what time it is.
    pub fn is_in_doubt(&self) -> bool {
        self.doubted_since.is_some()
    }

    /// Whether a question of this time of the session settles the doubt.
    pub fn settles_doubt(&self, asked: Micros) -> bool {
        self.doubted_since.is_none_or(|since| since <= asked)
    }

    /// The doubt is settled.
    pub fn trust(&mut self) {
        self.doubted_since = None;
    }

    /// Puts the session's time forward, or back if `by_us` is negative.
    pub fn correct(&mut self, by_us: i64) {
        let shift_us = self.shift_us.saturating_add(by_us);
        self.shift_us = shift_us.clamp(-MAX_SHIFT_US, MAX_SHIFT_US);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Micros {
        Micros::from_millis(ms)
    }

    #[test]
    fn time_goes_on_over_a_leap_until_the_server_says_more() {
        let mut clock = SteadyClock::new(ms(5_000));
        assert_eq!(clock.read(ms(5_100), true), ms(5_100));
        assert_eq!(clock.read(ms(65_100), true), ms(5_100));
        assert!(
            clock.is_in_doubt()
                && !clock.settles_doubt(ms(5_099))
                && clock.settles_doubt(ms(5_100))
        );
        assert_eq!(clock.read(ms(65_200), true), ms(5_200));
        assert_eq!(clock.reading_at(ms(5_200)), ms(65_200));
        // It was sleep.
        clock.correct(60_000_000);
        clock.trust();
        assert_eq!(clock.read(ms(65_300), true), ms(65_300));
        assert_eq!(clock.read(ms(1_000), true), ms(65_300));
        assert!(clock.is_in_doubt());
    }

    #[test]
    fn time_without_a_link_and_in_doubt_passes() {
        let mut clock = SteadyClock::new(ms(0));
        assert_eq!(clock.read(ms(30_000), false), ms(30_000));
        assert_eq!(clock.read(ms(60_000), true), ms(30_000));
        assert_eq!(clock.read(ms(90_000), true), ms(60_000));
    }
}
