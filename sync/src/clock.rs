//! The client's clocks: the server's clock, and when to make inputs. What moment of the world to show, `view_clock` says.
//!
//! In: times on the client's monotonic clock, and what messages said. Out: estimates. All of them slew by a few percent and
//! jump only after a long stall, because a jump is a snap on somebody's screen.

use crate::ids::{Micros, Tick};
use std::collections::VecDeque;

/// Length and start of ticks, on the server's clock.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TickClock {
    /// When tick 0 was due, in microseconds on the server's clock; may be negative.
    pub tick_zero_us: i64,
    /// Ticks per second, at least 1.
    pub tick_rate: u32,
}

impl TickClock {
    /// Length of a tick in microseconds.
    #[must_use]
    pub fn tick_us(&self) -> f64 {
        1e6 / f64::from(self.tick_rate.max(1))
    }

    /// When a tick is due, in microseconds on the server's clock.
    #[must_use]
    pub fn due_us(&self, tick: Tick) -> f64 {
        self.tick_zero_us as f64 + f64::from(tick.0) * self.tick_us()
    }

    /// The tick axis at a moment of the server's clock, in ticks with a fraction.
    #[must_use]
    pub fn ticks_at(&self, server_us: f64) -> f64 {
        (server_us - self.tick_zero_us as f64) / self.tick_us()
    }
}

/// Estimates the server's clock from the quickest round trips: their halves are the most alike.
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

impl ServerClock {
    /// Round trips that are remembered: at one a second, the clock follows a drift within half a minute.
    const MEMORY: usize = 30;

    /// Takes one round trip: when the question left and the answer came by the client's clock, and what the server's clock said.
    pub fn sample(&mut self, asked: Micros, answered: Micros, server_us: u64) {
        let round_trip = answered.since(asked);
        let middle = asked.0 as f64 + round_trip.0 as f64 / 2.0;
        if self.samples.len() == Self::MEMORY {
            self.samples.pop_front();
        }
        self.samples.push_back(ClockSample {
            round_trip,
            offset_us: server_us as f64 - middle,
        });
    }

    /// The server's clock at a moment of the client's, in microseconds; `None` before the first round trip.
    #[must_use]
    pub fn server_us(&self, now: Micros) -> Option<f64> {
        let quickest = self.samples.iter().min_by_key(|sample| sample.round_trip)?;
        Some(now.0 as f64 + quickest.offset_us)
    }

    /// The least round trip that is remembered.
    #[must_use]
    pub fn least_round_trip(&self) -> Option<Micros> {
        self.samples.iter().map(|sample| sample.round_trip).min()
    }

    /// Forgets everything: another path, or a clock that was asleep.
    pub fn reset(&mut self) {
        self.samples.clear();
    }
}

/// Says for which tick the next input is, so that inputs arrive just before they are due.
///
/// The server reports by how much each input came too early. The clock runs up to 5 % faster or slower until nearly all of
/// them come in time with little to spare.
#[derive(Clone, Debug)]
pub struct InputClock {
    tick_us: f64,
    /// The tick axis at `at`.
    ticks: f64,
    at: Micros,
    rate: f64,
    /// How far the clock has been moved so far, by slewing and jumping, in ticks.
    shift: f64,
    /// `shift` when the input for a tick was made, by tick modulo the length.
    shift_of_input: Vec<f64>,
    /// Margins as they would have been without any shift: so those from before a correction still count for what they say of the path.
    unshifted: Margins,
    far_off: u32,
}

/// The latest margins, and the same in order: with each one that comes, percentiles are asked for.
#[derive(Clone, Debug, Default)]
struct Margins {
    /// Oldest first.
    latest: VecDeque<f64>,
    /// Ascending.
    sorted: Vec<f64>,
}

impl Margins {
    /// How many are remembered: four seconds at 60 Hz.
    const MEMORY: usize = 240;

    fn push(&mut self, margin: f64) {
        if self.latest.len() == Self::MEMORY
            && let Some(oldest) = self.latest.pop_front()
        {
            self.sorted.remove(self.place(oldest));
        }
        self.latest.push_back(margin);
        self.sorted.insert(self.place(margin), margin);
    }

    /// Where it stands, or would stand, among the others.
    fn place(&self, margin: f64) -> usize {
        self.sorted
            .partition_point(|other| other.total_cmp(&margin).is_lt())
    }

    /// The one that one in so many is below.
    fn one_in(&self, many: usize) -> Option<f64> {
        self.sorted.get(self.sorted.len() / many).copied()
    }
}

impl InputClock {
    /// What nearly all inputs shall have to spare, in ticks.
    const SPARE: f64 = 0.35;
    /// What the typical input may have to spare at most, in ticks: a stall now and then must not delay every input.
    const MOST: f64 = 4.0;
    /// By how much the clock may run faster or slower.
    const MAX_SLEW: f64 = 0.05;
    /// Errors beyond this many ticks are jumped over, once they have lasted for half a second.
    const JUMP: f64 = 12.0;

    /// A clock that starts at `now` with a first guess: the tick axis of the server when a message sent now arrives there.
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
            far_off: 0,
        }
    }

    /// Moves the clock to `now` and returns the newest tick for which an input is due.
    pub fn advance(&mut self, now: Micros) -> Tick {
        let elapsed = now.since(self.at).0 as f64 / self.tick_us;
        self.ticks += elapsed * self.rate;
        self.shift += elapsed * (self.rate - 1.0);
        self.at = self.at.max(now);
        let due = Tick(self.ticks.max(0.0) as u32);
        let place = due.0 as usize % self.shift_of_input.len();
        self.shift_of_input[place] = self.shift;
        due
    }

    /// The tick axis at the last [`Self::advance`], with its fraction.
    #[must_use]
    pub fn ticks(&self) -> f64 {
        self.ticks
    }

    /// When the input for a tick is due, at the present rate.
    #[must_use]
    pub fn when_due(&self, tick: Tick) -> Micros {
        let ahead = (f64::from(tick.0) - self.ticks).max(0.0) * self.tick_us / self.rate;
        self.at.plus(Micros(ahead.ceil() as u64))
    }

    /// Takes the report of the snapshot of `tick`: the least margin of the inputs since the one before, in ticks; negative ones were late.
    pub fn margin(&mut self, tick: Tick, margin: f64) {
        let input_tick = (f64::from(tick.0) + margin).max(0.0) as usize;
        let shift = self.shift_of_input[input_tick % self.shift_of_input.len()];
        self.unshifted.push(margin - shift);
        let error = self.error();
        self.far_off = if error.abs() > Self::JUMP {
            self.far_off + 1
        } else {
            0
        };
        if self.far_off > 30 {
            self.ticks -= error;
            self.shift -= error;
            self.far_off = 0;
            self.rate = 1.0;
        } else {
            self.rate = 1.0 - (error * 0.05).clamp(-Self::MAX_SLEW, Self::MAX_SLEW);
        }
    }

    /// By how many ticks inputs come earlier than they need to; negative: later.
    fn error(&self) -> f64 {
        match (self.unshifted.one_in(50), self.unshifted.one_in(2)) {
            (Some(low), Some(middle)) => {
                (low + self.shift - Self::SPARE).max(middle + self.shift - Self::MOST)
            }
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_US: f64 = 1e6 / 60.0;

    /// What a minute of play over a line shows: the lead of the typical input, in ticks, and the late ones of the last half.
    fn play(delay: impl Fn(u32) -> f64, first_guess: f64) -> (f64, usize) {
        let mut clock = InputClock::new(60, Micros(0), first_guess);
        let (mut made, mut late) = (0, 0);
        let (mut newest_arrival, mut waiting) = (0.0_f64, VecDeque::new());
        let (mut margin, mut lead) = (None, 0.0);
        for step in 0..60 * 60 * 8_u32 {
            // Eight looks a tick; the server's tick axis is the true time.
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
                clock.margin(Tick(now as u32), margin);
            }
        }
        (lead, late)
    }

    #[test]
    fn inputs_come_just_in_time_and_the_lead_follows_the_jitter() {
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
        // A bad first guess is corrected, without a jump.
        let (far, late) = play(|_| 2.4, 12.0);
        assert!((2.4..3.4).contains(&far) && late == 0, "{far}, {late} late");
    }

    #[test]
    fn a_stall_now_and_then_does_not_delay_every_input() {
        // Twelve ticks in every 180 are held back until the last of them.
        let held = |tick: u32| f64::from(12_u32.saturating_sub(tick % 180));
        let (lead, late) = play(|tick| 2.4 + held(tick), 3.0);
        assert!((2.4..3.4).contains(&lead), "{lead}, {late} late");
        assert!(late > 0);
    }
}
