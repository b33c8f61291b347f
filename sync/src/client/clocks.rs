//! The client's clocks: an estimate of the server's clock, and the clock that says when to make inputs.
//!
//! In: times on the client's monotonic clock, and what messages said. Out: estimates. They slew by a few percent and jump only
//! after a long stall, because a jump is a visible snap. Which moment of the world to show is the interpolation clock's job.

use crate::world::{Micros, Tick};
use std::collections::VecDeque;

/// Estimates the server's clock from the quickest round trip, whose two halves are the most alike.
#[derive(Clone, Debug, Default)]
pub struct ServerClock {
    samples: VecDeque<ClockSample>,
}

#[derive(Clone, Copy, Debug)]
struct ClockSample {
    round_trip: Micros,
    /// The server's clock minus the client's.
    offset_us: f64,
}

impl ClockSample {
    fn new(pinged: Micros, ponged: Micros, server_us: u64) -> Self {
        let round_trip = ponged.since(pinged);
        let middle = pinged.0 as f64 + round_trip.0 as f64 / 2.0;
        Self {
            round_trip,
            offset_us: server_us as f64 - middle,
        }
    }
}

impl ServerClock {
    /// How many round trips are remembered. At one a second, the clock follows a drift within half a minute.
    const MEMORY: usize = 30;
    /// What drift, and clocks with steps of 100 ms, can add to the difference between two samples, in microseconds.
    const MAX_DRIFT_US: f64 = 250_000.0;

    /// Adds one round trip: when the ping left and the pong came by the client's clock, and what the server's clock said.
    pub fn sample(&mut self, pinged: Micros, ponged: Micros, server_us: u64) {
        if self.samples.len() == Self::MEMORY {
            self.samples.pop_front();
        }
        self.samples
            .push_back(ClockSample::new(pinged, ponged, server_us));
    }

    /// By how much a round trip contradicts the estimate, in microseconds: so far ahead of the estimate (behind it, if negative) is the
    /// server's clock, and neither the two round trips nor drift explain that. One of the two clocks has leapt. `None`: it agrees, or
    /// there is no estimate.
    #[must_use]
    pub fn contradiction(&self, pinged: Micros, ponged: Micros, server_us: u64) -> Option<f64> {
        let estimate = self.quickest()?;
        let sample = ClockSample::new(pinged, ponged, server_us);
        let apart = sample.offset_us - estimate.offset_us;
        // A sample's offset is wrong by half of its round trip at most.
        let explained = (sample.round_trip.0 as f64 + estimate.round_trip.0 as f64) / 2.0;
        (apart.abs() > explained + Self::MAX_DRIFT_US).then_some(apart)
    }

    fn quickest(&self) -> Option<&ClockSample> {
        self.samples.iter().min_by_key(|sample| sample.round_trip)
    }

    /// The server's clock at a moment of the client's, in microseconds; `None` before the first round trip.
    #[must_use]
    pub fn server_us(&self, now: Micros) -> Option<f64> {
        Some(now.0 as f64 + self.quickest()?.offset_us)
    }

    /// The shortest round trip that is remembered.
    #[must_use]
    pub fn min_round_trip(&self) -> Option<Micros> {
        self.samples.iter().map(|sample| sample.round_trip).min()
    }

    /// Forgets all round trips, after a change of path or a clock that slept.
    pub fn reset(&mut self) {
        self.samples.clear();
    }
}

/// Says for which tick the next input is, so that inputs arrive just before they are due.
///
/// The server reports each input's margin: how much too early it came. The clock runs up to 5 % faster or slower until nearly
/// all inputs come in time with little to spare.
#[derive(Clone, Debug)]
pub struct InputClock {
    tick_us: f64,
    /// The position on the tick axis at `at`.
    ticks: f64,
    at: Micros,
    rate: f64,
    /// How far slewing and jumping have moved the clock so far, in ticks.
    shift: f64,
    /// The value of `shift` when the input for a tick was made, by tick modulo the length.
    shift_of_input: Vec<f64>,
    /// Margins as they would have been without any shift, so that margins from before a correction still describe the path.
    unshifted: Margins,
    /// How many margins in a row asked for a jump.
    jump_requests: u32,
}

/// The latest margins, also in sorted order for percentiles.
#[derive(Clone, Debug, Default)]
struct Margins {
    /// Oldest first.
    latest: VecDeque<f64>,
    /// Ascending.
    sorted: Vec<f64>,
}

impl Margins {
    /// How many margins are remembered: four seconds at 60 Hz.
    const MEMORY: usize = 240;

    fn push(&mut self, margin: f64) {
        if self.latest.len() == Self::MEMORY
            && let Some(oldest) = self.latest.pop_front()
        {
            self.sorted.remove(self.sorted_index(oldest));
        }
        self.latest.push_back(margin);
        self.sorted.insert(self.sorted_index(margin), margin);
    }

    /// The index of a margin in sorted order, or where it would be inserted.
    fn sorted_index(&self, margin: f64) -> usize {
        self.sorted
            .partition_point(|other| other.total_cmp(&margin).is_lt())
    }

    /// The quantile `1 / parts`: one margin in `parts` is below it.
    fn quantile(&self, parts: usize) -> Option<f64> {
        self.sorted.get(self.sorted.len() / parts).copied()
    }
}

impl InputClock {
    /// The margin that nearly all inputs should have, in ticks.
    const TARGET_MARGIN: f64 = 0.35;
    /// The largest margin that the median input may have, in ticks: an occasional stall must not delay every input.
    const MAX_MEDIAN_MARGIN: f64 = 4.0;
    /// The largest part by which the clock runs faster or slower.
    const MAX_SLEW: f64 = 0.05;
    /// The clock jumps over an error beyond this many ticks, once the error has lasted for half a second.
    const JUMP_TICKS: f64 = 12.0;

    /// A clock that starts at `now` with a first guess: the server's position on the tick axis when a message sent now arrives.
    #[must_use]
    pub fn new(tick_rate: u32, now: Micros, arrival_ticks: f64) -> Self {
        Self {
            tick_us: 1e6 / f64::from(tick_rate.max(1)),
            ticks: arrival_ticks + 1.5,
            at: now,
            rate: 1.0,
            shift: 0.0,
            shift_of_input: vec![0.0; 256],
            unshifted: Margins::default(),
            jump_requests: 0,
        }
    }

    /// Moves the clock to `now` and returns the newest tick for which an input is due.
    pub fn advance(&mut self, now: Micros) -> Tick {
        let elapsed = now.since(self.at).0 as f64 / self.tick_us;
        self.ticks += elapsed * self.rate;
        self.shift += elapsed * (self.rate - 1.0);
        self.at = self.at.max(now);
        let due = Tick(self.ticks.max(0.0) as u32);
        let index = due.0 as usize % self.shift_of_input.len();
        self.shift_of_input[index] = self.shift;
        due
    }

    /// The position on the tick axis at the last [`Self::advance`].
    #[must_use]
    pub fn ticks(&self) -> f64 {
        self.ticks
    }

    /// When the input for a tick is due, at the present rate.
    #[must_use]
    pub fn due_at(&self, tick: Tick) -> Micros {
        let ahead = (f64::from(tick.0) - self.ticks).max(0.0) * self.tick_us / self.rate;
        self.at.plus(Micros(ahead.ceil() as u64))
    }

    /// Takes the margin that the snapshot of `tick` reports: the smallest of the inputs since the snapshot before, in ticks;
    /// negative for late inputs.
    pub fn report_margin(&mut self, tick: Tick, margin: f64) {
        let input_tick = (f64::from(tick.0) + margin).max(0.0) as usize;
        let shift = self.shift_of_input[input_tick % self.shift_of_input.len()];
        self.unshifted.push(margin - shift);
        let error = self.error();
        self.jump_requests = if error.abs() > Self::JUMP_TICKS {
            self.jump_requests + 1
        } else {
            0
        };
        if self.jump_requests > 30 {
            self.ticks -= error;
            self.shift -= error;
            self.jump_requests = 0;
            self.rate = 1.0;
        } else {
            self.rate = 1.0 - (error * 0.05).clamp(-Self::MAX_SLEW, Self::MAX_SLEW);
        }
    }

    /// How many ticks earlier than needed inputs come; negative if they come too late.
    fn error(&self) -> f64 {
        match (self.unshifted.quantile(50), self.unshifted.quantile(2)) {
            (Some(low), Some(middle)) => (low + self.shift - Self::TARGET_MARGIN)
                .max(middle + self.shift - Self::MAX_MEDIAN_MARGIN),
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_US: f64 = 1e6 / 60.0;

    /// Plays a minute over a line. Returns the lead of the typical input, in ticks, and how many inputs of the second half were
    /// late.
    fn play(delay: impl Fn(u32) -> f64, first_guess: f64) -> (f64, usize) {
        let mut clock = InputClock::new(60, Micros(0), first_guess);
        let (mut made, mut late) = (0, 0);
        let (mut newest_arrival, mut waiting) = (0.0_f64, VecDeque::new());
        let (mut margin, mut lead) = (None, 0.0);
        for step in 0..60 * 60 * 8_u32 {
            // Eight steps per tick. The server's tick axis is the true time.
            let now = f64::from(step) / 8.0;
            let due = clock.advance(Micros((now * TICK_US) as u64));
            while made < due.0 {
                made = if made == 0 { due.0 } else { made + 1 };
                newest_arrival = newest_arrival.max(now + delay(made));
                waiting.push_back((made, newest_arrival));
                lead = f64::from(made) - now;
            }
            while let Some((tick, arrival)) = waiting.pop_front_if(|(_, arrival)| *arrival <= now) {
                let spare = f64::from(tick) - arrival;
                margin = Some(margin.map_or(spare, |least: f64| least.min(spare)));
                late += usize::from(spare < 0.0 && now > 1_800.0);
            }
            if step % 8 == 0
                && let Some(margin) = margin.take()
            {
                clock.report_margin(Tick(now as u32), margin);
            }
        }
        (lead, late)
    }

    #[test]
    fn inputs_come_just_in_time_and_lead_by_the_jitter() {
        let jitter = |tick: u32| (f64::from(tick) * 0.618_034).fract();
        let (calm, late) = play(|_| 2.4, 3.0);
        assert!(
            (2.4..3.4).contains(&calm) && late == 0,
            "{calm}, {late} late"
        );
        let (jittery, late) = play(|tick| 2.4 + 2.0 * jitter(tick), 3.0);
        assert!(
            (4.4..5.4).contains(&jittery) && late == 0,
            "{jittery}, {late} late"
        );
        // A bad first guess is corrected without a jump.
        let (far, late) = play(|_| 2.4, 12.0);
        assert!((2.4..3.4).contains(&far) && late == 0, "{far}, {late} late");
    }

    #[test]
    fn an_occasional_stall_does_not_delay_every_input() {
        // Of every 180 ticks, twelve are delayed until the last of them.
        let held = |tick: u32| f64::from(12_u32.saturating_sub(tick % 180));
        let (lead, late) = play(|tick| 2.4 + held(tick), 3.0);
        assert!((2.4..3.4).contains(&lead), "{lead}, {late} late");
        assert!(late > 0);
    }
}
