//! A path to emulate: delay, its spread, and head-of-line stalls, one way.
//!
//! In: when bytes set out. Out: when they arrive. As over TCP, nothing overtakes: what is delayed delays all that follows.
//! Pure, and seeded.

use std::time::Duration;
use tickwire_sync::Micros;

/// How long a head-of-line stall lasts: a lost packet's retransmission.
const STALL: Micros = Micros::from_millis(200);

/// What a path is like, each way.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct PathSettings {
    /// Delay.
    pub latency: Duration,
    /// Spread of the delay: up to this much more or less, evenly.
    pub jitter: Duration,
    /// Chance per second of a stall, 0 to 1.
    pub stall: f64,
}

/// One way of a path.
#[derive(Clone, Debug)]
pub struct Path {
    settings: PathSettings,
    random: fastrand::Rng,
    newest_arrival: Micros,
    stalled_until: Micros,
    /// Up to when stalls have been drawn.
    drawn: Micros,
}

impl Path {
    /// A path that is idle at `now`.
    #[must_use]
    pub fn new(settings: PathSettings, seed: u64, now: Micros) -> Self {
        Self {
            settings,
            random: fastrand::Rng::with_seed(seed),
            newest_arrival: now,
            stalled_until: now,
            drawn: now,
        }
    }

    /// When something that sets out at `now` arrives.
    pub fn arrival(&mut self, now: Micros) -> Micros {
        let elapsed = now.since(self.drawn).0 as f64 / 1e6;
        self.drawn = self.drawn.max(now);
        if self.random.f64() < self.settings.stall * elapsed {
            self.stalled_until = now.plus(STALL);
        }
        let spread = self.settings.jitter.as_micros() as f64 * (self.random.f64() * 2.0 - 1.0);
        let delay = (self.settings.latency.as_micros() as f64 + spread).max(0.0);
        let arrival = now.max(self.stalled_until).plus(Micros(delay as u64));
        self.newest_arrival = self.newest_arrival.max(arrival);
        self.newest_arrival
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_overtakes_and_delays_keep_their_range() {
        let settings = PathSettings {
            latency: Duration::from_millis(40),
            jitter: Duration::from_millis(5),
            stall: 0.0,
        };
        let mut path = Path::new(settings, 1, Micros(0));
        let mut newest = Micros(0);
        for tick in 0..10_000_u64 {
            let now = Micros(tick * 16_667);
            let arrival = path.arrival(now);
            assert!(arrival >= newest);
            assert!(
                (35_000..=45_000).contains(&arrival.since(now).0),
                "{:?}",
                arrival.since(now)
            );
            newest = arrival;
        }
    }

    #[test]
    fn stalls_come_as_often_as_asked_and_hold_back_everything() {
        let settings = PathSettings {
            stall: 0.3,
            ..PathSettings::default()
        };
        let mut path = Path::new(settings, 1, Micros(0));
        let delays: Vec<u64> = (0..60 * 1000)
            .map(|tick| Micros(tick * 16_667))
            .map(|now| path.arrival(now).since(now).0)
            .collect();
        let stalls = delays
            .windows(2)
            .filter(|pair| pair[0] < 100_000 && pair[1] > 190_000)
            .count();
        assert!((200..400).contains(&stalls), "{stalls} stalls in 1,000 s");
    }
}
