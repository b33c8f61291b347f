//! Detects peers that send far more messages than a game needs: a warning first, then close 1008.
//!
//! In: the time of each message. Out: a verdict. A 60 Hz client sends some 65 messages a second, and a stalled line may deliver
//! several seconds of them at once, which is no flood. So one second over the limit is fine and a second one is warned of: only a
//! rate that lasts is a flood.

use std::time::{Duration, Instant};

/// Frames, pings included, that a peer may send in a second at any tick rate.
const MIN_LIMIT_PER_SECOND: u32 = 240;
/// Frames that a peer may send for each tick of a second, where that is more.
const MAX_MESSAGES_PER_TICK: u32 = 4;
/// Seconds over the limit, less the seconds below it between them, that bring a warning, and that make a flood. The first one may
/// come from a line that stood still.
const WARN_SECONDS: u32 = 2;
const FLOOD_SECONDS: u32 = 3;
const SECOND: Duration = Duration::from_secs(1);

/// What to do about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloodVerdict {
    /// Nothing.
    Fine,
    /// Warn the player; returned once.
    Warn,
    /// Close with 1008.
    Flood,
}

/// Messages that a peer may send in a second at this tick rate. A client sends one for each tick, and some more.
#[must_use]
pub fn max_messages_per_second(tick_rate: u32) -> u32 {
    MIN_LIMIT_PER_SECOND.max(tick_rate.saturating_mul(MAX_MESSAGES_PER_TICK))
}

/// Counts the messages of one connection.
#[derive(Debug)]
pub struct FloodDetector {
    limit_per_second: u32,
    /// The end of the second that is being counted.
    second_ends: Instant,
    messages: u32,
    seconds_over_limit: u32,
}

impl FloodDetector {
    /// A detector that has counted nothing yet.
    #[must_use]
    pub fn new(limit_per_second: u32, now: Instant) -> Self {
        Self {
            limit_per_second,
            second_ends: now + SECOND,
            messages: 0,
            seconds_over_limit: 0,
        }
    }

    /// Whether the present second has more messages than the limit.
    #[must_use]
    pub fn is_over_limit(&self) -> bool {
        self.messages > self.limit_per_second
    }

    /// Counts a message.
    pub fn count(&mut self, now: Instant) -> FloodVerdict {
        if now >= self.second_ends {
            let was_over_limit = self.is_over_limit();
            let quiet_seconds = now.duration_since(self.second_ends).as_secs();
            if was_over_limit && quiet_seconds == 0 {
                self.second_ends += SECOND;
            } else {
                // A quiet second makes up for one over the limit, not for all of them.
                let quiet_seconds = quiet_seconds + u64::from(!was_over_limit);
                let quiet_seconds = u32::try_from(quiet_seconds).unwrap_or(u32::MAX);
                self.seconds_over_limit = self.seconds_over_limit.saturating_sub(quiet_seconds);
                self.second_ends = now + SECOND;
            }
            self.messages = 0;
        }
        self.messages = self.messages.saturating_add(1);
        // Passed exactly once in each second over the limit.
        if self.messages != self.limit_per_second.saturating_add(1) {
            return FloodVerdict::Fine;
        }
        self.seconds_over_limit += 1;
        match self.seconds_over_limit {
            WARN_SECONDS => FloodVerdict::Warn,
            FLOOD_SECONDS.. => FloodVerdict::Flood,
            _ => FloodVerdict::Fine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends at a rate for some seconds. Returns the verdicts that were not `Fine`, and when they came.
    fn send(
        flood: &mut FloodDetector,
        from: Instant,
        rate: u32,
        seconds: u32,
    ) -> Vec<(FloodVerdict, f64)> {
        (0..rate * seconds)
            .map(|n| f64::from(n) / f64::from(rate))
            .map(|at| (flood.count(from + Duration::from_secs_f64(at)), at))
            .filter(|(verdict, _)| *verdict != FloodVerdict::Fine)
            .collect()
    }

    #[test]
    fn the_highest_allowed_rate_is_never_a_flood() {
        let start = Instant::now();
        assert_eq!(
            send(&mut FloodDetector::new(240, start), start, 240, 60),
            []
        );
    }

    #[test]
    fn a_lasting_excess_is_warned_of_and_then_a_flood() {
        let start = Instant::now();
        let verdicts = send(&mut FloodDetector::new(240, start), start, 1000, 4);
        let kinds: Vec<_> = verdicts.iter().map(|v| v.0).collect();
        assert_eq!(kinds[..2], [FloodVerdict::Warn, FloodVerdict::Flood]);
        let (warned, ended) = (verdicts[0].1, verdicts[1].1);
        assert!((0.99..1.5).contains(&warned), "{warned}");
        assert!((1.99..2.5).contains(&ended), "{ended}");
    }

    #[test]
    fn pauses_do_not_excuse_a_flood() {
        let start = Instant::now();
        let mut flood = FloodDetector::new(240, start);
        let verdicts: Vec<_> = (0..4)
            .flat_map(|round| send(&mut flood, start + 3 * SECOND * round, 1000, 2))
            .map(|(verdict, _)| verdict)
            .collect();
        assert!(verdicts.contains(&FloodVerdict::Flood), "{verdicts:?}");
    }

    #[test]
    fn a_backlog_after_a_stall_is_no_flood() {
        let start = Instant::now();
        let mut flood = FloodDetector::new(240, start);
        for _ in 0..20 {
            flood.count(start);
        }
        let backlog: Vec<_> = (0..600).map(|_| flood.count(start)).collect();
        assert!(backlog.iter().all(|verdict| *verdict == FloodVerdict::Fine));
        let after = send(&mut flood, start + Duration::from_secs(1), 65, 30);
        assert_eq!(after, []);
    }
}
