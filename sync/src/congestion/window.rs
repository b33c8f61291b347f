//! The congestion window: whether another snapshot may go to one client now, and how large it may be. It is a delay-based
//! controller: bytes in flight are limited, and snapshots are paced by a model of the path.
//!
//! In: what was sent and when, what the client's inputs ack, and the time. Out: whether the next snapshot may go, and a byte
//! budget. A snapshot goes
//! - once everything in flight will have left the bottleneck within a tick, by the model of the path (`path`);
//! - not while inputs show that an ack is overdue (a stalled downlink), nor long after the last ack. If inputs are missing
//!   too, the client's process stalled, which counts neither as a stalled downlink nor as a queue;
//! - slowly while no inputs come at all (a hidden tab, a stalled uplink), since nothing is known then.
//!
//! There is no queue of snapshots. One that must wait is built later, fresh, and spans the gap. So nothing piles up in TCP or in
//! a modem (bufferbloat), and the memory for one client is bounded.

use super::in_flight::{InFlight, MAX_BYTES_IN_FLIGHT, MAX_SNAPSHOTS_IN_FLIGHT};
use super::mode::Mode;
use super::path::{MESSAGE_OVERHEAD_BYTES, PathChange, PathModel, micros};
use super::sent_record::{Ack, SentRecord};
use super::windowed_min::WindowedMin;
use crate::bench_policies::WindowPolicy;
use crate::world::{Micros, Tick};

/// After this long without an input, nothing is known of the client (a hidden tab, a stalled uplink).
pub const SILENT_AFTER: Micros = Micros::from_millis(1000);
/// What a silent client is sent on average, in bytes per second: below the 1 kB/s that a hidden tab may cost, heartbeats
/// included.
pub const SILENT_BYTES_PER_SECOND: u64 = 600;
/// By how many ticks an ack may be late before the downlink counts as stalled.
const OVERDUE_TICKS: i64 = 2;
/// How long after the expected ack a snapshot may stay unacked while inputs come seldom, beyond their usual pause, in
/// microseconds.
const UNACKED_US: i64 = 250_000;
/// How often the path is drained to probe the base delay while it limits, in microseconds.
const PROBE_INTERVAL_US: i64 = 10_000_000;
/// How soon it is probed after a new rate was found, in microseconds.
const PROBE_SOON_US: i64 = 500_000;
/// How soon after the last probe it is probed again where the base delay seems stale, in microseconds.
const PROBE_AGAIN_US: i64 = 2_000_000;
/// Slow start: the snapshots that may be in flight before any ack, and how many more each ack allows, where they are large
/// together.
const STARTUP_SNAPSHOTS: usize = 4;
const SNAPSHOTS_PER_ACK: usize = 2;
/// Bytes that may always be in flight during slow start: little for any line that a game is played over. So the screen of a far
/// client, whose first ack takes half a second, does not freeze.
const STARTUP_BYTES: usize = 4 * 1024;
/// The first snapshots of a connection are cut to this, and with each ack to as much again. A snapshot of a segment is soon
/// acked on a thin line, which shows what the line carries before a whole view queues on it.
const FIRST_PART_BYTES: usize = 1400;
/// After this many acks the slow start is over.
const STARTUP_ACKS: u32 = 32;
/// The smallest byte budget; a smaller snapshot would be mostly headers.
const MIN_BUDGET_BYTES: usize = 256;

/// The congestion window of one connection.
#[derive(Clone, Debug)]
pub struct CongestionWindow {
    policy: WindowPolicy,
    tick_us: i64,
    path: PathModel,
    in_flight: InFlight,
    inputs: InputRhythm,
    ack_delay: AckDelay,
    probe: BaseDelayProbe,
    /// When an input last acked another snapshot.
    last_ack_at: i64,
    last_sent: Option<LastSent>,
    newest_sent: Tick,
}

/// The window's estimate of the path, for people to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PathEstimate {
    /// The delivery rate in kbit/s; `None` where it does not limit.
    pub kbit_per_s: Option<i64>,
    /// How long the newest acked snapshot queued, in microseconds.
    pub queue_us: i64,
    /// How much the delays scatter, in microseconds.
    pub jitter_us: i64,
    /// Whether cross traffic fills the queue.
    pub has_cross_traffic: bool,
}

#[derive(Clone, Copy, Debug)]
struct LastSent {
    at: i64,
    bytes: usize,
}

/// How regularly the client's inputs come, which shows stalls of its process.
#[derive(Clone, Copy, Debug)]
struct InputRhythm {
    last_at: i64,
    /// The usual pause between inputs, on the high side.
    pause: i64,
    /// For how long the client's process may have stalled just now, as its inputs failed to come. What it read late for that
    /// reason is no queue, and what it could not ack yet is not overdue. Decays as fast as it grew.
    client_stall: i64,
}

/// From a snapshot's arrival to the input that acks it.
#[derive(Clone, Debug)]
struct AckDelay {
    min: WindowedMin,
    /// By how much the delay exceeds the minimum, on average.
    excess: i64,
}

/// Drains the path now and then, so that one snapshot meets no queue and its delay is the base delay (BBR: ProbeRTT).
#[derive(Clone, Copy, Debug)]
struct BaseDelayProbe {
    last_at: i64,
    next_at: i64,
    is_draining: bool,
}

impl CongestionWindow {
    /// A window for a new connection, with nothing in flight. It starts as if an input had just come. `tick_rate` is in ticks
    /// per second.
    #[must_use]
    pub fn new(now: Micros, tick_rate: u32) -> Self {
        Self::with_policy(now, tick_rate, WindowPolicy::default())
    }

    /// A window with another policy, for benches.
    #[doc(hidden)]
    #[must_use]
    pub fn with_policy(now: Micros, tick_rate: u32, policy: WindowPolicy) -> Self {
        Self::with_tick_us(now, 1_000_000 / i64::from(tick_rate.max(1)), policy)
    }

    /// Starts anew on another connection, and forgets everything of the old path.
    pub fn reset(&mut self, now: Micros) {
        *self = Self::with_tick_us(now, self.tick_us, self.policy);
    }

    fn with_tick_us(now: Micros, tick_us: i64, policy: WindowPolicy) -> Self {
        let now = micros(now);
        Self {
            policy,
            tick_us,
            path: PathModel::new(now, tick_us),
            in_flight: InFlight::new(),
            inputs: InputRhythm {
                last_at: now,
                pause: 0,
                client_stall: 0,
            },
            ack_delay: AckDelay {
                min: WindowedMin::new(PROBE_INTERVAL_US),
                excess: 0,
            },
            probe: BaseDelayProbe {
                last_at: now,
                next_at: now + PROBE_SOON_US,
                is_draining: false,
            },
            last_ack_at: 0,
            last_sent: None,
            newest_sent: Tick(0),
        }
    }

    /// Prefetches what [`Self::on_ack`] and [`Self::on_sent`] touch beside the window itself.
    pub fn prefetch(&self) {
        self.path.prefetch();
        for snapshot in [
            self.in_flight.snapshots.front(),
            self.in_flight.snapshots.back(),
        ] {
            snapshot.into_iter().for_each(tickwire_prefetch::value);
        }
    }

    /// Notes that the snapshot of `tick` was sent.
    pub fn on_sent(&mut self, tick: Tick, bytes: usize, now: Micros) {
        let at = micros(now);
        let was_cut = || self.byte_budget().is_some_and(|budget| bytes >= budget);
        if self.path.mode().is_bottlenecked() && was_cut() {
            self.path.on_constrained(at);
        }
        let was_draining = self.probe.on_sent(at);
        self.in_flight.push(tick, bytes, at, was_draining);
        self.newest_sent = tick;
        self.last_sent = Some(LastSent { at, bytes });
    }

    /// Forgets what is in flight: the client waits for a full snapshot and will ack nothing sent so far, which must not delay
    /// that snapshot. What is known of the path stays.
    pub fn forget_in_flight(&mut self) {
        self.in_flight.clear();
        self.probe.is_draining = false;
    }

    /// Takes the ack that came with an input at `arrived`: the newest snapshot that the client had when it made the input, and
    /// when that snapshot came by the client's clock. Acks all earlier snapshots too, as nothing overtakes on the connection.
    pub fn on_ack(&mut self, newest: Tick, received_at_us: u32, arrived: Micros) {
        let now = micros(arrived);
        self.inputs.on_input(now, self.tick_us);
        // Ignores acks for snapshots that were never sent.
        if newest > self.newest_sent {
            return;
        }
        let mut departed_at = self.path.departed_at();
        while let Some(first) = self.in_flight.pop_if_acked(newest) {
            departed_at = self.path.departure(&first.record, departed_at);
            if first.tick == newest {
                self.last_ack_at = now;
                let ack = Ack {
                    received_at_us,
                    probed_base_delay: first.probes_base_delay,
                    client_stall: self.inputs.client_stall,
                };
                let change = self.path.on_ack(&first.record, departed_at, &ack);
                self.on_path_change(change, now);
            }
        }
    }

    fn on_path_change(&mut self, change: PathChange, now: i64) {
        if change.base_delay_reset {
            self.ack_delay.min = WindowedMin::new(PROBE_INTERVAL_US);
        }
        self.ack_delay
            .add(now - self.path.arrival_less_base_delay(), now);
        self.path.set_min_round_trip(self.ack_delay.min());
        if change.rate_is_new {
            self.probe.request_at(now + PROBE_SOON_US);
        } else if self.path.base_delay_seems_stale() {
            self.probe.request_at(self.probe.last_at + PROBE_AGAIN_US);
        }
    }

    /// Asks to send another snapshot now, and returns whether it may go. Call it once a tick: a refusal is an observation of the
    /// path, and may begin to drain it for a probe.
    #[must_use]
    pub fn request_send(&mut self, now: Micros) -> bool {
        let at = micros(now);
        if self.policy == WindowPolicy::Open {
            return self.in_flight.snapshots.len() < MAX_SNAPSHOTS_IN_FLIGHT;
        }
        let next_bytes = self.last_sent.map_or(0, |last| last.bytes);
        if !self.in_flight.has_room(next_bytes) {
            return false;
        }
        if self.is_silent(now) {
            return self.last_sent.is_none_or(|last| {
                let pause = last.bytes as u64 * 1_000_000 / SILENT_BYTES_PER_SECOND;
                at - last.at >= pause.max(SILENT_AFTER.0) as i64
            });
        }
        let Some(oldest) = self.in_flight.snapshots.front() else {
            return true;
        };
        if self.is_slow_start() || self.is_overdue(&oldest.record, at) {
            return false;
        }
        if !self.path.mode().follows_rate() && self.path.ack_count() > 0 {
            // While a queue is suspected, wait for the ack of a snapshot sent before the newest ack. Without one in flight the
            // queue is empty.
            return self.path.mode() != Mode::Suspect || oldest.record.sent_at >= self.last_ack_at;
        }
        self.admit_by_bottleneck(at)
    }

    /// The byte budget of the next snapshot: what the path carries in a tick. `None` where the path does not limit.
    #[must_use]
    pub fn byte_budget(&self) -> Option<usize> {
        if self.policy == WindowPolicy::Open {
            return None;
        }
        // A new path is watched, but only views larger than the slow start are cut before a queue was seen.
        if !self.path.mode().is_bottlenecked() {
            // The limit on all bytes in flight holds on every path. And a full snapshot comes in parts, near cells first: the
            // client hears nothing else while one message is on its way.
            let room = MAX_BYTES_IN_FLIGHT.saturating_sub(self.in_flight.bytes);
            let acks = self.path.ack_count();
            if acks < STARTUP_ACKS {
                let slow_start = FIRST_PART_BYTES * (1 + acks as usize);
                let unqueued = STARTUP_BYTES + self.in_flight.acked_bytes;
                let unqueued = unqueued.saturating_sub(self.in_flight.bytes);
                let first = room.min(slow_start).min(unqueued);
                return Some(first.max(FIRST_PART_BYTES / 2));
            }
            let is_cut = self.in_flight.awaits_first_ack || room < MAX_BYTES_IN_FLIGHT / 2;
            return is_cut.then_some(room.max(MIN_BUDGET_BYTES));
        }
        let per_tick = self.tick_us * 1000 / self.path.mode().ns_per_byte().max(1);
        let payload = per_tick - i64::from(MESSAGE_OVERHEAD_BYTES);
        Some((payload.max(0) as usize).max(MIN_BUDGET_BYTES))
    }

    /// The window's estimate of the path, for people to read.
    #[must_use]
    pub fn estimate(&self) -> PathEstimate {
        PathEstimate {
            kbit_per_s: self
                .path
                .mode()
                .follows_rate()
                .then(|| 8_000_000 / self.path.mode().ns_per_byte().max(1)),
            queue_us: self.path.queueing_delay().max(0),
            jitter_us: self.path.jitter(),
            has_cross_traffic: self.path.has_cross_traffic(),
        }
    }

    /// Whether no input has come for so long that nothing is known of the client.
    #[must_use]
    pub fn is_silent(&self, now: Micros) -> bool {
        // At a low tick rate inputs come seldom, so silence is at least three ticks.
        micros(now) - self.inputs.last_at > micros(SILENT_AFTER).max(3 * self.tick_us)
    }

    /// Payload bytes in flight.
    #[must_use]
    pub fn bytes_in_flight(&self) -> usize {
        self.in_flight.bytes
    }

    /// Whether the slow start of a new connection defers the next snapshot.
    fn is_slow_start(&self) -> bool {
        let acks = self.path.ack_count();
        acks < STARTUP_ACKS
            && self.in_flight.bytes >= STARTUP_BYTES
            && self.in_flight.snapshots.len()
                >= STARTUP_SNAPSHOTS + SNAPSHOTS_PER_ACK * acks as usize
    }

    /// Whether the oldest snapshot in flight should have been acked long since.
    fn is_overdue(&self, oldest: &SentRecord, now: i64) -> bool {
        if self.path.ack_count() == 0 {
            return now - oldest.sent_at > 4 * UNACKED_US;
        }
        let departure = self.path.departure(oldest, self.path.departed_at());
        let expected = departure + self.ack_delay.min();
        let spread = 4 * self.ack_delay.excess;
        self.inputs.last_at - self.inputs.client_stall - expected
            > OVERDUE_TICKS * self.tick_us + spread
            || now - expected > UNACKED_US + self.inputs.pause + spread
    }

    /// Whether everything in flight will have left the bottleneck soon enough; a refusal is noted. Begins to drain the path where
    /// a probe is due.
    fn admit_by_bottleneck(&mut self, now: i64) -> bool {
        self.probe.is_draining |= now >= self.probe.next_at && self.path.is_constrained(now);
        let departure = self
            .in_flight
            .snapshots
            .iter()
            .fold(self.path.departed_at(), |departure, snapshot| {
                self.path.departure(&snapshot.record, departure)
            });
        let allowed = self.tick_us + self.path.slack();
        let is_free = departure - now <= allowed && !self.probe.is_draining;
        if !is_free {
            self.path.on_constrained(now);
        }
        is_free
    }
}

impl InputRhythm {
    fn on_input(&mut self, now: i64, tick_us: i64) {
        let pause = (now - self.last_at).clamp(0, micros(SILENT_AFTER));
        self.client_stall = if pause > self.pause + tick_us / 2 {
            pause - self.pause / 2
        } else {
            (self.client_stall - pause).max(0)
        };
        self.pause = pause.max(self.pause - pause / 4);
        self.last_at = self.last_at.max(now);
    }
}

impl AckDelay {
    fn add(&mut self, delay: i64, now: i64) {
        self.min.add(delay, now);
        let excess = delay - self.min.min().unwrap_or(delay);
        self.excess += (excess.min(UNACKED_US) - self.excess) / 8;
    }

    /// The minimum; 0 before any ack.
    fn min(&self) -> i64 {
        self.min.min().unwrap_or(0)
    }
}

impl BaseDelayProbe {
    /// Notes that a snapshot was sent. Returns whether the path was drained for it.
    fn on_sent(&mut self, now: i64) -> bool {
        let was_draining = std::mem::take(&mut self.is_draining);
        if was_draining {
            self.last_at = now;
            self.next_at = now + PROBE_INTERVAL_US;
        }
        was_draining
    }

    /// Asks for a probe at `at`, unless one is due earlier.
    fn request_at(&mut self, at: i64) {
        self.next_at = self.next_at.min(at);
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
