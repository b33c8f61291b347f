//! The window: whether another snapshot may go to one client now, and how much of it.
//!
//! In: what was sent and when, what the client's inputs name as received, and the time. Out: whether the next snapshot may
//! go, and how many bytes the path carries in a tick. What waits is not queued: the snapshot that goes later is built then,
//! fresh, and spans the gap. So what TCP or a modem would queue (bufferbloat) never builds up, and the memory for one client
//! is bounded. A snapshot goes
//! - once everything on its way will have left the path's narrowest place within a tick (`path.rs` predicts that);
//! - not while inputs come that show an answer overdue (a stalled downlink), nor long after anything was heard; a client whose
//!   inputs failed to come too did not look, and that is neither a stall nor a queue;
//! - slowly, where no inputs come at all (a hidden tab, a stalled uplink): one doesn't know.

use crate::ids::{Micros, Tick};
use crate::least::LeastOf;
use crate::path::{Arrived, OVERHEAD, Path, Sent, micros};
use std::collections::VecDeque;

/// Bytes that may be on their way to one client.
pub const MAX_BYTES: usize = 64 * 1024;
/// Without an input for this long, nothing is known of the client (a hidden tab, a stalled uplink).
pub const SILENCE: Micros = Micros::from_millis(1000);
/// What a silent client is sent on average, in bytes a second: below the 1 kB/s that a hidden tab may cost, beats included.
pub const SILENT_BYTES_PER_SECOND: u64 = 600;
/// Snapshots that may be on their way; bounds the memory where snapshots are tiny.
const MAX_SNAPSHOTS: usize = 512;
/// By how many ticks an answer may be late before the downlink counts as stalled.
const OVERDUE_TICKS: i64 = 2;
/// How long after the expected answer a snapshot may stay unnamed, if inputs come seldom, beyond their usual pause.
const UNHEARD: i64 = 250_000;
/// How often the path runs empty, while the window is what limits.
const EMPTY_INTERVAL: i64 = 10_000_000;
/// The same, after the line has changed, and where a queue was seen for the first time.
const EMPTY_SOON: i64 = 500_000;
/// The same where it seems to have become longer, since the time before.
const EMPTY_AGAIN: i64 = 2_000_000;
/// Snapshots that may be on their way before any was named, and how many more each one named allows, where they are large together.
const FIRST_SNAPSHOTS: usize = 4;
/// So many bytes are not much for any line that a game is played over: a far client, of whom nothing is heard for half a second, does not
/// stand still at the beginning for it.
const FIRST_BYTES: usize = 4 * 1024;
const MORE_PER_NAMED: usize = 2;
/// A window that opens fully after this many were named.
const WARM: u32 = 32;
/// The least that a snapshot may be filled to: less would be mostly heads.
const LEAST_FILL: usize = 256;

/// Whether anything waits. The other one is there to be measured against the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WindowPolicy {
    /// The module's rule.
    #[default]
    FollowsThePath,
    /// For measuring: every snapshot goes as soon as the socket takes it; what the line does not carry waits in queues.
    Open,
}

/// What is on its way to one client.
#[derive(Clone, Debug)]
pub struct Window {
    policy: WindowPolicy,
    tick: i64,
    path: Path,
    in_flight: VecDeque<InFlight>,
    bytes: usize,
    /// Bytes on the wire since the connection began.
    sum: u64,
    newest_sent: Tick,
    last_input: i64,
    last_sent: Option<(i64, usize)>,
    /// The usual pause between inputs, on the high side.
    input_pause: i64,
    /// For how long the client's process may have stood still just now: its inputs failed to come. What it read late for that
    /// reason is no queue, and what it could not name yet is not overdue. Forgotten as quickly as it came about.
    slept: i64,
    /// When an input last named another snapshot.
    last_named: i64,
    /// From a snapshot's leaving the narrowest place to the input that names it: the least, and what it is more on average.
    turn: LeastOf,
    late: i64,
    /// When the path last ran empty on purpose, and when it shall do so next.
    emptied_at: i64,
    empty_at: i64,
    is_emptying: bool,
    /// Nothing has been named since a whole view was due.
    is_first: bool,
}

/// What is believed of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PathEstimate {
    /// What it carries; `None` where it does not limit.
    pub kbit_per_s: Option<i64>,
    /// For how long the newest snapshot that arrived had to queue, in microseconds.
    pub queue_us: i64,
    /// How the delays scatter, in microseconds.
    pub jitter_us: i64,
    /// Whether others' packets stand in its queue.
    pub others_fill_it: bool,
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    tick: Tick,
    bytes: usize,
    sent: Sent,
    /// The path was run empty for it.
    is_fresh_start: bool,
}

impl Window {
    /// A window for a new connection, on which nothing is on its way. It starts as if an input had just come.
    #[must_use]
    pub fn new(now: Micros, tick_rate: u32, policy: WindowPolicy) -> Self {
        Self::with_tick(now, 1_000_000 / i64::from(tick_rate.max(1)), policy)
    }

    /// Begins anew on another connection: everything that is known of the old path is forgotten.
    pub fn start_over(&mut self, now: Micros) {
        *self = Self::with_tick(now, self.tick, self.policy);
    }

    fn with_tick(now: Micros, tick: i64, policy: WindowPolicy) -> Self {
        Self {
            policy,
            tick,
            path: Path::new(micros(now), tick),
            in_flight: VecDeque::new(),
            bytes: 0,
            sum: 0,
            newest_sent: Tick(0),
            last_input: micros(now),
            last_sent: None,
            input_pause: 0,
            slept: 0,
            last_named: 0,
            turn: LeastOf::new(EMPTY_INTERVAL),
            late: 0,
            emptied_at: micros(now),
            empty_at: micros(now) + EMPTY_SOON,
            is_emptying: false,
            is_first: true,
        }
    }

    /// Notes that the snapshot of `tick` was sent.
    pub fn sent(&mut self, tick: Tick, bytes: usize, now: Micros) {
        let at = micros(now);
        if self.path.has_queued() && self.fill().is_some_and(|fill| bytes >= fill) {
            self.path.deferred(at);
        }
        let on_wire = bytes as u32 + OVERHEAD * (1 + bytes as u32 / 1448);
        self.sum += u64::from(on_wire);
        let alone = self.in_flight.is_empty();
        let is_fresh_start = std::mem::take(&mut self.is_emptying);
        if is_fresh_start {
            self.emptied_at = at;
            self.empty_at = at + EMPTY_INTERVAL;
        }
        self.in_flight.push_back(InFlight {
            tick,
            bytes,
            sent: Sent {
                at,
                bytes: on_wire,
                sum: self.sum,
                alone,
            },
            is_fresh_start: is_fresh_start && alone,
        });
        self.bytes += bytes;
        self.newest_sent = tick;
        self.last_sent = Some((at, bytes));
    }

    /// The client will name nothing of what was sent so far, as it waits for a snapshot that starts over: that must not wait for
    /// those. What is known of the path stays.
    pub fn forget_sent(&mut self) {
        self.in_flight.clear();
        self.bytes = 0;
        self.is_emptying = false;
        self.is_first = true;
    }

    /// Notes an input that arrived at `arrived`: the newest snapshot that the client had when it made it, and when that came
    /// by the client's clock. All snapshots before it have arrived too, as nothing overtakes.
    pub fn received(&mut self, newest: Tick, received_at_us: u32, arrived: Micros) {
        let heard = micros(arrived);
        let pause = (heard - self.last_input).clamp(0, micros(SILENCE));
        self.slept = if pause > self.input_pause + self.tick / 2 {
            pause - self.input_pause / 2
        } else {
            (self.slept - pause).max(0)
        };
        self.input_pause = pause.max(self.input_pause - pause / 4);
        self.last_input = self.last_input.max(heard);
        // Who names what was never sent says nothing of the path.
        if newest > self.newest_sent {
            return;
        }
        let mut left = self.path.left();
        while let Some(first) = self
            .in_flight
            .front()
            .copied()
            .filter(|first| first.tick <= newest)
        {
            self.in_flight.pop_front();
            self.bytes -= first.bytes;
            self.is_first = false;
            left = self.path.leaves(&first.sent, left);
            if first.tick == newest {
                self.last_named = heard;
                let how = Arrived {
                    at_us: received_at_us,
                    is_fresh_start: first.is_fresh_start,
                    slept: self.slept,
                };
                self.path.arrived(&first.sent, left, &how);
                if self.path.is_another() {
                    self.turn = LeastOf::new(EMPTY_INTERVAL);
                }
                let turn = heard - self.path.crossed();
                self.turn.add(turn, heard);
                self.path.round_trip = self.turn.least().unwrap_or(0);
                self.late +=
                    ((turn - self.turn.least().unwrap_or(turn)).min(UNHEARD) - self.late) / 8;
                if self.path.has_changed() || self.path.was_found() {
                    self.empty_at = self.empty_at.min(heard + EMPTY_SOON);
                } else if self.path.seems_longer() {
                    self.empty_at = self.empty_at.min(self.emptied_at + EMPTY_AGAIN);
                }
            }
        }
    }

    /// Whether another snapshot may be sent now.
    #[must_use]
    pub fn may_send(&mut self, now: Micros) -> bool {
        let at = micros(now);
        if self.policy == WindowPolicy::Open {
            return self.in_flight.len() < MAX_SNAPSHOTS;
        }
        let next = self.last_sent.map_or(0, |(_, bytes)| bytes);
        // One alone may be larger: a whole view of a large world, say.
        let is_too_much = !self.in_flight.is_empty() && self.bytes + next > MAX_BYTES;
        if is_too_much || self.in_flight.len() >= MAX_SNAPSHOTS {
            return false;
        }
        if self.is_silent(now) {
            return self.last_sent.is_none_or(|(sent, bytes)| {
                let pause = (bytes as u64 * 1_000_000 / SILENT_BYTES_PER_SECOND).max(SILENCE.0);
                at - sent >= pause as i64
            });
        }
        let Some(oldest) = self.in_flight.front() else {
            return true;
        };
        if self.is_cold() || self.is_overdue(&oldest.sent, at) {
            return false;
        }
        if !self.path.is_limited() && self.path.arrived_count() > 0 {
            // What was sent before the doubt arose brings the answer; what was sent since then met an empty path.
            return !self.path.is_doubtful() || oldest.sent.at >= self.last_named;
        }
        self.may_queue(at)
    }

    /// How many bytes the next snapshot may have: what the path carries in a tick; `None` where it does not limit.
    #[must_use]
    pub fn fill(&self) -> Option<usize> {
        if self.policy == WindowPolicy::Open {
            return None;
        }
        // At the beginning a path is watched, but nothing is cut before a queue was seen.
        if !self.path.is_limited() || !self.path.has_queued() {
            // What all together may be on its way holds on any path; and a whole view comes in parts, the near ones first: while one
            // message is on its way nothing else is heard of the server.
            let left = MAX_BYTES.saturating_sub(self.bytes);
            let is_cut = self.is_first || left < MAX_BYTES / 2;
            return is_cut.then_some(left.max(LEAST_FILL));
        }
        let carries = self.tick * 1000 / self.path.wire().max(1) - i64::from(OVERHEAD);
        Some((carries.max(0) as usize).max(LEAST_FILL))
    }

    /// Asks for what [`Window::received`] and [`Window::sent`] will touch beside the window itself; see `tickwire_prefetch`.
    pub fn prefetch(&self) {
        self.path.prefetch();
        if let Some(oldest) = self.in_flight.front() {
            tickwire_prefetch::near(oldest);
        }
        if let Some(newest) = self.in_flight.back() {
            tickwire_prefetch::near(newest);
        }
    }

    /// What is believed of the path, for people.
    #[must_use]
    pub fn estimate(&self) -> PathEstimate {
        PathEstimate {
            kbit_per_s: self
                .path
                .is_limited()
                .then(|| 8_000_000 / self.path.wire().max(1)),
            queue_us: self.path.waited().max(0),
            jitter_us: self.path.jitter(),
            others_fill_it: self.path.is_shared(),
        }
    }

    /// Whether no input has come for so long that nothing is known of the client.
    #[must_use]
    pub fn is_silent(&self, now: Micros) -> bool {
        // Where ticks are rare, so are inputs.
        micros(now) - self.last_input > micros(SILENCE).max(3 * self.tick)
    }

    /// Bytes on their way.
    #[must_use]
    pub fn bytes_in_flight(&self) -> usize {
        self.bytes
    }

    /// At the beginning nothing is known, so what may be on its way grows with what has arrived.
    fn is_cold(&self) -> bool {
        let named = self.path.arrived_count();
        named < WARM
            && self.bytes >= FIRST_BYTES
            && self.in_flight.len() >= FIRST_SNAPSHOTS + MORE_PER_NAMED * named as usize
    }

    /// Whether the oldest snapshot on its way should have been named long since.
    fn is_overdue(&self, oldest: &Sent, now: i64) -> bool {
        if self.path.arrived_count() == 0 {
            return now - oldest.at > 4 * UNHEARD;
        }
        let expected = self.path.leaves(oldest, self.path.left()) + self.turn.least().unwrap_or(0);
        let spread = 4 * self.late;
        self.last_input - self.slept - expected > OVERDUE_TICKS * self.tick + spread
            || now - expected > UNHEARD + self.input_pause + spread
    }

    /// Whether what is on its way will have left the path's narrowest place soon enough. Lets the path run empty now and then.
    fn may_queue(&mut self, now: i64) -> bool {
        self.is_emptying |= now >= self.empty_at && self.path.limits(now);
        let leaves = self
            .in_flight
            .iter()
            .fold(self.path.left(), |left, flying| {
                self.path.leaves(&flying.sent, left)
            });
        let allowed = self.tick + self.path.slack();
        let may = leaves - now <= allowed && !self.is_emptying;
        if !may {
            self.path.deferred(now);
        }
        may
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
