//! An emulated network path, one way: delay, jitter, and head-of-line stalls.
//!
//! In: when bytes depart. Out: when they arrive. As over TCP, nothing overtakes: delayed bytes delay all that follow.
//! Deterministic for a seed; reads no clock.

use std::time::Duration;
use tickwire_sync::Micros;

/// Length of a head-of-line stall: the retransmission of a lost packet.
const STALL_DURATION: Micros = Micros::from_millis(200);

/// Properties of an emulated path, each way. The default changes nothing.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct PathSettings {
    /// Mean delay.
    pub latency: Duration,
    /// Largest deviation from the mean delay, uniformly distributed.
    pub jitter: Duration,
    /// Probability of a stall per second, 0 to 1.
    pub stall: f64,
}

/// One direction of an emulated path.
#[derive(Clone, Debug)]
pub struct EmulatedPath {
    settings: PathSettings,
    random: fastrand::Rng,
    newest_arrival: Micros,
    stalled_until: Micros,
    /// Up to when stalls have been drawn at random.
    drawn_until: Micros,
}

impl EmulatedPath {
    /// A path that is idle at `now`.
    #[must_use]
    pub fn new(settings: PathSettings, seed: u64, now: Micros) -> Self {
        Self {
            settings,
            random: fastrand::Rng::with_seed(seed),
            newest_arrival: now,
            stalled_until: now,
            drawn_until: now,
        }
    }

    /// When bytes that depart at `now` arrive.
    pub fn arrival(&mut self, now: Micros) -> Micros {
        let elapsed = now.since(self.drawn_until).0 as f64 / 1e6;
        self.drawn_until = self.drawn_until.max(now);
        if self.random.f64() < self.settings.stall * elapsed {
            self.stalled_until = now.plus(STALL_DURATION);
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
    fn nothing_overtakes_and_delays_stay_in_range() {
        let settings = PathSettings {
            latency: Duration::from_millis(40),
            jitter: Duration::from_millis(5),
            stall: 0.0,
        };
        let mut path = EmulatedPath::new(settings, 1, Micros(0));
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
    fn stalls_are_as_frequent_as_asked_and_delay_everything() {
        let settings = PathSettings {
            stall: 0.3,
            ..PathSettings::default()
        };
        let mut path = EmulatedPath::new(settings, 1, Micros(0));
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
