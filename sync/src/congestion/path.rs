//! The model of the network path to one client: its delivery rate, and when each snapshot leaves the bottleneck.
//!
//! In: for each acked snapshot when it was sent, when it was predicted to leave the bottleneck, and when it came. Out: that
//! prediction for later snapshots, and whether the path limits at all. Integers only; no allocation; a fixed number of steps.
//!
//! The model is a bottleneck with a queue, as in BBR (Cardwell et al., 2016): a snapshot leaves the bottleneck after the one
//! before it and after its own bytes at the delivery rate. What a delay exceeds the base delay by is queueing delay, or jitter.

use super::delay::DelayEstimator;
use super::mode::Mode;
use super::sent_record::{Ack, SentRecord};
use super::windowed_min::WindowedMin;
use crate::world::Micros;

/// Bytes that each message costs beside its own: the headers of WebSocket, TCP, IP and the link.
pub(super) const MESSAGE_OVERHEAD_BYTES: u32 = 66;
/// The range of plausible delivery rates, in nanoseconds per byte: 8 Gbit/s to 8 kbit/s.
const MIN_NS_PER_BYTE: i64 = 1;
const MAX_NS_PER_BYTE: i64 = 1_000_000;
/// The delivery rate assumed of a new path: 1 Mbit/s.
const STARTUP_NS_PER_BYTE: i64 = 8_000;
/// If the base delay grows by more than this, cross traffic is assumed, in microseconds.
const CROSS_TRAFFIC_QUEUE_US: i64 = 50_000;
/// How much queue of ours is allowed beside cross traffic, in microseconds.
const CROSS_TRAFFIC_SLACK_US: i64 = 150_000;
/// After this many acks the jitter is known.
const JITTER_KNOWN_AFTER_ACKS: u32 = 32;
/// How much may be jitter until then, in microseconds. A queue of ours soon exceeds it.
const UNKNOWN_JITTER_US: i64 = 40_000;
/// A bottlenecked path counts as unlimited again after this long without a snapshot that was deferred or cut, in microseconds.
/// The rate is kept that long, because a crowd may come back.
const UNLIMITED_AFTER_US: i64 = 30_000_000;
/// The same for a path that never showed a queue.
const STARTUP_US: i64 = 2_000_000;
/// A snapshot deferred or cut within this time says that the path constrains now, in microseconds.
const CONSTRAINED_US: i64 = 500_000;
/// How long every ack must show a queue before an unlimited path counts as bottlenecked, in microseconds.
const PERSISTENT_QUEUE_US: i64 = 30_000;
/// Window of the minimum excess delay, in microseconds. An excess that lasts this long is not a passing queue.
const PERSISTENT_WINDOW_US: i64 = 1_000_000;
/// How long after a drain a path may deliver faster than its rate, in microseconds: a token bucket has saved up.
const BUCKET_CREDIT_US: i64 = 1_000_000;
/// After this long without a queue the path may have changed, in microseconds.
const QUIET_US: i64 = 1_000_000;
/// Earlier than any time, with room for differences.
const NEVER: i64 = i64::MIN / 2;

/// What an ack changed in the model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PathChange {
    /// The base delay was reset: delays from before no longer compare.
    pub base_delay_reset: bool,
    /// A rate was found, or the line has become slower. The base delay may have been measured in a queue.
    pub rate_is_new: bool,
}

/// What an ack says of the path. Times are in microseconds.
#[derive(Clone, Copy, Debug)]
struct AckSample<'a> {
    sent: &'a SentRecord,
    /// The queueing delay, less what jitter and slack explain.
    queue: i64,
    /// How much later than predicted the snapshot left the bottleneck, after filtering.
    correction: i64,
    /// Since the ack before.
    since_latest: i64,
}

/// The model of one path. Times are in microseconds on the server's clock.
#[derive(Clone, Debug)]
pub(super) struct PathModel {
    tick_us: i64,
    mode: Mode,
    delay: DelayEstimator,
    /// When the newest acked snapshot left the bottleneck.
    departed_at: i64,
    /// How long the newest acked snapshot queued.
    queueing_delay: i64,
    /// The arrival of the newest acked snapshot minus the base delay.
    arrival_less_base_delay: i64,
    /// When a snapshot was last deferred or cut, or the path was found bottlenecked.
    constrained_at: i64,
    ack_count: u32,
    /// When a queue was last seen.
    queued_at: i64,
    /// Since when every ack showed a queue; `None` if the newest one did not.
    queueing_since: Option<i64>,
    /// When the newest snapshot that probed the base delay left the bottleneck.
    probed_at: i64,
    /// The minimum by which the latest delays exceeded the base delay, while a rate is followed.
    persistent_delay: WindowedMin,
    /// From sending to hearing of the arrival, at the least.
    min_round_trip: i64,
    /// Whether cross traffic fills the queue.
    has_cross_traffic: bool,
}

impl PathModel {
    pub fn new(now: i64, tick_us: i64) -> Self {
        Self {
            tick_us,
            mode: Mode::Startup {
                ns_per_byte: STARTUP_NS_PER_BYTE,
            },
            delay: DelayEstimator::default(),
            departed_at: i64::MIN,
            queueing_delay: 0,
            arrival_less_base_delay: 0,
            constrained_at: now - CONSTRAINED_US,
            ack_count: 0,
            queued_at: NEVER,
            queueing_since: None,
            probed_at: NEVER,
            persistent_delay: WindowedMin::new(PERSISTENT_WINDOW_US),
            min_round_trip: 0,
            has_cross_traffic: false,
        }
    }

    /// Prefetches what [`Self::on_ack`] touches beside the model itself.
    pub fn prefetch(&self) {
        self.delay.prefetch();
    }

    /// How many snapshots were acked so far.
    pub fn ack_count(&self) -> u32 {
        self.ack_count
    }

    /// What constrains the snapshots.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The arrival of the newest acked snapshot minus the base delay.
    pub fn arrival_less_base_delay(&self) -> i64 {
        self.arrival_less_base_delay
    }

    /// Whether all of the latest delays exceeded the base delay by more than the queue that the window allows. A queue of ours
    /// would be gone by now, so the path has become longer, or the base delay was a lucky one among jitter.
    pub fn base_delay_seems_stale(&self) -> bool {
        let persistent = self.persistent_delay.min().unwrap_or(0);
        self.mode.is_bottlenecked()
            && !self.has_cross_traffic
            && persistent > self.tick_us * 3 / 2 + 2 * self.delay.jitter()
    }

    /// How much more queue than planned is allowed: jitter looks like queue, and beside cross traffic a small one is lost.
    pub fn slack(&self) -> i64 {
        let cross_traffic = if self.has_cross_traffic {
            CROSS_TRAFFIC_SLACK_US
        } else {
            0
        };
        (self.delay.jitter() / 2).min(2 * self.tick_us) + cross_traffic
    }

    /// How long the newest acked snapshot queued; may be negative by error.
    pub fn queueing_delay(&self) -> i64 {
        self.queueing_delay
    }

    /// How much the delays scatter.
    pub fn jitter(&self) -> i64 {
        self.delay.jitter()
    }

    /// Whether cross traffic fills the queue.
    pub fn has_cross_traffic(&self) -> bool {
        self.has_cross_traffic
    }

    /// When the newest acked snapshot left the bottleneck.
    pub fn departed_at(&self) -> i64 {
        self.departed_at
    }

    /// When a snapshot leaves the bottleneck, if the snapshot before leaves it at `before`.
    pub fn departure(&self, sent: &SentRecord, before: i64) -> i64 {
        sent.sent_at.max(before) + self.serialization_time(sent.wire_bytes)
    }

    /// Whether a snapshot was deferred or cut lately.
    pub fn is_constrained(&self, now: i64) -> bool {
        now - self.constrained_at < CONSTRAINED_US
    }

    /// Notes that the window deferred or cut a snapshot.
    pub fn on_constrained(&mut self, now: i64) {
        self.constrained_at = now;
    }

    /// Sets the shortest time from sending a snapshot to hearing of its arrival.
    pub fn set_min_round_trip(&mut self, round_trip: i64) {
        self.min_round_trip = round_trip;
    }

    /// Takes the ack of a snapshot that was predicted to leave the bottleneck at `predicted`.
    pub fn on_ack(&mut self, sent: &SentRecord, predicted: i64, ack: &Ack) -> PathChange {
        let delay = self.delay.one_way(sent, ack);
        let received = sent.sent_at + delay;
        self.ack_count = self.ack_count.saturating_add(1);
        let base_delay_reset = self.update_base_delay(delay, sent, ack.probed_base_delay);

        let (base_delay, base_bytes) = self.delay.base().get();
        self.arrival_less_base_delay = received - base_delay;
        // A much larger base snapshot took much longer only if the rate is really as low as estimated. The first one, with the
        // whole world in it, would turn an error of the rate into a large queue.
        let base_time = self
            .serialization_time(base_bytes)
            .min(self.serialization_time(sent.wire_bytes) + self.tick_us / 2);
        let measured = self.arrival_less_base_delay + base_time;
        let error = measured - predicted;
        // A client that stalled read late. On a path that queued lately only a stall beyond all jitter excuses a delay.
        let is_calm = !self.mode.is_bottlenecked() || received - self.queued_at > QUIET_US;
        let is_excused = is_calm || ack.client_stall > 3 * self.tick_us;
        let excused = if is_excused {
            error.clamp(0, ack.client_stall)
        } else {
            0
        };
        let since_latest = self.delay.since_latest(received);
        let correction = self
            .delay
            .filter_error(error - excused, received, sent, since_latest);
        self.departed_at = predicted + correction;
        self.queueing_delay =
            self.departed_at - sent.sent_at - self.serialization_time(sent.wire_bytes);
        if self.mode.follows_rate() {
            if base_delay_reset {
                self.persistent_delay = WindowedMin::new(PERSISTENT_WINDOW_US);
            }
            self.persistent_delay
                .add(self.arrival_less_base_delay - sent.sent_at, received);
        }
        if ack.probed_base_delay {
            self.probed_at = self.departed_at;
        }
        let queue = self.queueing_delay - self.slack() - self.delay.jitter() / 2;
        let sample = AckSample {
            sent,
            queue,
            correction,
            since_latest,
        };
        let rate_is_new = match self.mode {
            Mode::Unlimited | Mode::Suspect => self.watch_for_queue(queue, sent),
            Mode::Startup { ns_per_byte } => {
                let is_jitter_known = self.ack_count >= JITTER_KNOWN_AFTER_ACKS;
                let limit = if is_jitter_known {
                    self.tick_us / 2
                } else {
                    UNKNOWN_JITTER_US
                };
                if sent.sent_at - self.constrained_at > STARTUP_US {
                    self.become_unlimited();
                    false
                } else {
                    let is_bottlenecked = self.is_queue_persistent(queue > limit);
                    let is_slower = self.follow_rate(ns_per_byte, is_bottlenecked, &sample);
                    is_bottlenecked || is_slower
                }
            }
            Mode::Bottlenecked { ns_per_byte } => {
                if sent.sent_at - self.constrained_at > UNLIMITED_AFTER_US {
                    self.become_unlimited();
                    false
                } else {
                    if queue < self.tick_us / 4 + self.delay.jitter() {
                        self.queueing_since = Some(self.departed_at);
                    }
                    self.follow_rate(ns_per_byte, true, &sample)
                }
            }
        };
        PathChange {
            base_delay_reset,
            rate_is_new,
        }
    }

    /// Adds a delay to the base delay, and returns whether that was reset.
    fn update_base_delay(
        &mut self,
        delay: i64,
        sent: &SentRecord,
        probed_base_delay: bool,
    ) -> bool {
        let (before, _) = self.delay.base().get();
        let growth = self.delay.base_mut().add(delay, sent, probed_base_delay);
        // A queue that persists without us is cross traffic. Waiting until it is gone would leave us nothing.
        if growth.is_some_and(|growth| growth > CROSS_TRAFFIC_QUEUE_US) {
            self.has_cross_traffic = true;
        } else if delay < before.saturating_sub(CROSS_TRAFFIC_QUEUE_US) {
            self.has_cross_traffic = false;
        }
        growth.is_some()
    }

    /// How long so many bytes take at the estimated rate, in microseconds.
    fn serialization_time(&self, bytes: u32) -> i64 {
        i64::from(bytes) * self.mode.ns_per_byte() / 1000
    }

    fn become_unlimited(&mut self) {
        self.mode = Mode::Unlimited;
        self.queueing_since = None;
    }

    /// Watches an unlimited path for a queue. Returns whether one persists, so that the path is bottlenecked from now on.
    fn watch_for_queue(&mut self, queue: i64, sent: &SentRecord) -> bool {
        let threshold = self.tick_us * 3 / 4;
        if self.is_queue_persistent(queue > threshold) {
            let ns_per_byte = self.delay.ns_per_byte().unwrap_or(STARTUP_NS_PER_BYTE);
            self.mode = Mode::Bottlenecked {
                ns_per_byte: ns_per_byte.clamp(MIN_NS_PER_BYTE, MAX_NS_PER_BYTE),
            };
            self.constrained_at = sent.sent_at;
            return true;
        }
        // Waiting costs several ticks where acks come in bursts, so only for a queue that no jitter explains.
        self.mode = if queue > threshold + self.delay.jitter() {
            Mode::Suspect
        } else {
            Mode::Unlimited
        };
        false
    }

    /// Follows the delivery rate with an ack. Returns whether the line has become slower.
    fn follow_rate(
        &mut self,
        ns_per_byte: i64,
        is_bottlenecked: bool,
        sample: &AckSample<'_>,
    ) -> bool {
        let AckSample {
            sent,
            queue,
            correction,
            since_latest,
        } = *sample;
        let now = self.departed_at;
        let jitter = self.delay.jitter();
        let is_queueing = is_bottlenecked
            && !self.has_cross_traffic
            && self.queueing_for(now) > self.delay.rate_span();
        // Later than predicted by more than half a tick: the line has become slower.
        let is_slower = is_bottlenecked
            && correction > self.tick_us / 2 + 2 * jitter
            && !self.has_cross_traffic;
        // Jitter hides what a token bucket saves.
        let has_bucket_credit =
            now - self.probed_at < BUCKET_CREDIT_US && jitter < self.tick_us / 2;
        let mut estimate = ns_per_byte;
        match self.delay.ns_per_byte() {
            // Bytes that arrive faster were not delayed. The estimate goes half the way: what a token bucket lets through at
            // once, and what jitter pushes together, was no faster.
            Some(measured) if measured < ns_per_byte => {
                estimate += if has_bucket_credit {
                    0
                } else {
                    (measured - ns_per_byte) / 2
                };
            }
            Some(measured) if is_slower => estimate = measured,
            // With a queue all the time the measured rate is that of the bottleneck.
            Some(measured) if is_queueing => estimate += (measured - ns_per_byte) / 4,
            _ => {}
        }
        if queue >= self.tick_us / 4 || has_bucket_credit {
            self.queued_at = now;
        } else if self.is_constrained(sent.sent_at) {
            // Without a queue the measured rate is only what was sent, and the path may carry more. The model probes upwards, no
            // faster than the acks that would show a queue, and more boldly where none was seen for long.
            let round_trip = self.min_round_trip.max(2 * self.tick_us);
            let gain = if now - self.queued_at > QUIET_US {
                4
            } else {
                1
            };
            estimate -=
                gain * (ns_per_byte * since_latest.clamp(0, round_trip) / (32 * round_trip));
        }
        let own_time = (i64::from(sent.wire_bytes) * ns_per_byte / 1000).clamp(1, self.tick_us);
        // Before a queue was seen a small lateness is chance, and would only ever add up.
        if (correction > 0 && is_bottlenecked) || queue > self.tick_us / 4 {
            estimate += ns_per_byte * correction.clamp(-own_time, own_time) / own_time / 16;
        }
        let ns_per_byte = estimate.clamp(MIN_NS_PER_BYTE, MAX_NS_PER_BYTE);
        self.mode = if is_bottlenecked {
            Mode::Bottlenecked { ns_per_byte }
        } else {
            Mode::Startup { ns_per_byte }
        };
        is_slower
    }

    /// Notes whether the newest ack showed a queue, and returns whether the queue is persistent. A client that stalled is late
    /// too, but only once.
    fn is_queue_persistent(&mut self, shows_queue: bool) -> bool {
        let now = self.departed_at;
        self.queueing_since = if shows_queue {
            Some(self.queueing_since.map_or(now, |since| since.min(now)))
        } else {
            None
        };
        self.queueing_for(now) > PERSISTENT_QUEUE_US
    }

    /// For how long every ack has shown a queue; negative if the newest one did not.
    fn queueing_for(&self, now: i64) -> i64 {
        self.queueing_since
            .map_or(i64::MIN, |since| now.saturating_sub(since))
    }
}

/// A time as the signed microseconds that the model computes in.
pub(super) fn micros(time: Micros) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}
