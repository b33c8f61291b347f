//! The path to one client, as its inputs show it: how much of a delay is queue, and how long a byte takes on the wire.
//!
//! In: for each snapshot that an input names, when it was sent by the server's clock and when it arrived by the client's.
//! Out: when each snapshot will have left the narrowest place of the path. All by differences, so neither the clocks'
//! offset nor the wrap of the client's 32 bits matters. Integers only, no allocation, a fixed number of steps.
//!
//! Two states. **Free**: no queue is seen; the wire costs nothing, and nothing is computed but the delay. **Limited**: a
//! queue stood; then the wire time of a byte is measured, and the queue is predicted from what was sent.
//! Jitter only ever adds to a delay, and a queue stands while jitter comes and goes: so a delay that is less than predicted
//! is believed at once, one that is more only as far as all of the latest delays show it.

use crate::ids::Micros;
use crate::least::{LeastDelay, LeastOf};
use crate::ring::Ring;

/// Bytes that each message costs beside its own: WebSocket's head, TCP's and IP's, the link's.
pub(crate) const OVERHEAD: u32 = 66;
/// What a byte may take, in nanoseconds: 8 Gbit/s to 8 kbit/s.
const LEAST_WIRE: i64 = 1;
const MOST_WIRE: i64 = 1_000_000;
/// Over at least this long a wire time is measured.
const LEAST_SPACING: i64 = 50_000;
/// A path that is longer by this much than it was has others' packets in its queue, and may then have so much of ours.
const OTHERS_QUEUE: i64 = 50_000;
const OTHERS_SLACK: i64 = 150_000;
/// What may be jitter where there was none, for one delay.
const LEAST_JITTER: i64 = 2_000;
/// So many arrivals make known how the delays scatter. Until then so much may be jitter: a queue of ours soon passes it.
const KNOWN_AFTER: u32 = 32;
const UNKNOWN_JITTER: i64 = 40_000;
/// Errors beyond this say nothing of jitter: they are stalls.
const MOST_JITTER: i64 = 100_000;
/// How long the latest delays are looked at: so many times the jitter, and at most this.
const JITTER_SPANS: i64 = 20;
const MOST_SPAN: i64 = 500_000;
/// Without a snapshot that had to wait or was cut for this long, a limited path counts as free again: so long it is known what
/// it carries, when a crowd comes. One on which no queue was ever seen is free sooner.
const FREE_AFTER: i64 = 30_000_000;
const FREE_AT_FIRST: i64 = 2_000_000;
/// What had to wait or was cut within this time says that the window limits now.
const LATELY: i64 = 500_000;
/// For so long all arrivals must show a queue, before a free path counts as limited.
const QUEUE_STANDS: i64 = 30_000;
/// What stood before every snapshot for half of this to all of it is no queue that comes and goes.
const STANDING_SPAN: i64 = 1_000_000;
/// Later than any time.
const NOT_BUSY: i64 = i64::MAX;
/// For so long after the path ran empty it may be quicker than it is: a token bucket lets through at once what it has saved.
const SAVED_UP: i64 = 1_000_000;
/// No queue for this long: the path may well be another by now.
const QUIET: i64 = 1_000_000;
/// What is assumed of a path before anything came over it: 1 Mbit/s, in nanoseconds a byte.
const FIRST_WIRE: i64 = 8_000;

/// A snapshot that is on its way. Times in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// When it was sent.
    pub at: i64,
    /// Its bytes on the wire.
    pub bytes: u32,
    /// All bytes sent up to its end.
    pub sum: u64,
    /// Nothing else was on its way.
    pub alone: bool,
}

/// How a snapshot arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived {
    /// When, by the client's clock.
    pub at_us: u32,
    /// The path was run empty for it.
    pub is_fresh_start: bool,
    /// By how much the client may have been late to look.
    pub slept: i64,
}

/// What is noted of an arrival. Everything wraps: a server keeps these for every client.
#[derive(Clone, Copy, Debug, Default)]
struct Noted {
    /// When it came.
    at: u32,
    /// By how much later than predicted; as things stood before all corrections.
    error: i32,
    /// All bytes sent up to its end.
    sum: u32,
}

/// See the module's head.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    tick: i64,
    /// The first delay, by two clocks that have nothing in common; all others are counted from it.
    origin: Option<u32>,
    least: LeastDelay,
    /// When the newest snapshot that has arrived left the narrowest place, by the server's clock.
    left: i64,
    /// The newest that arrived had to wait for this long before it could go through.
    waited: i64,
    /// From one delay to the next, on average.
    trend: i64,
    jitter: i64,
    /// The latest, since the last long pause.
    latest: Ring<Noted, 32>,
    /// All corrections together; wraps as what is noted of errors does.
    corrected: i32,
    /// Nanoseconds a byte; `None` while the path is free.
    wire: Option<i64>,
    /// When the window last let a snapshot wait, or the path was found limited.
    limited_at: i64,
    arrived: u32,
    has_changed: bool,
    /// The newest arrival was the first to show a queue.
    was_found: bool,
    /// The path counts as free, and the newest arrival showed a queue: the next will say whether it stands.
    is_doubtful: bool,
    /// A queue of ours was seen, since the path counts as limited.
    has_queued: bool,
    /// When a queue was seen last.
    queue_at: i64,
    /// Since when there was a queue with every arrival; [`NOT_BUSY`]: with the newest there was none.
    busy_since: i64,
    /// When the newest snapshot arrived for which the path was run empty.
    fresh_at: i64,
    /// By how much the latest delays were all above the least; while the path is limited.
    standing: LeastOf,
    /// When the newest that arrived had done so, had the path no length.
    crossed: i64,
    is_another: bool,
    /// From sending to hearing of the arrival, at the least.
    pub round_trip: i64,
    /// Others fill the queue too.
    is_shared: bool,
}

impl Path {
    pub fn new(now: i64, tick_us: i64) -> Self {
        Self {
            tick: tick_us,
            origin: None,
            least: LeastDelay::default(),
            left: i64::MIN,
            waited: 0,
            trend: 0,
            jitter: 0,
            latest: Ring::default(),
            corrected: 0,
            // What nothing is known of is watched at first.
            wire: Some(FIRST_WIRE),
            limited_at: now - LATELY,
            arrived: 0,
            has_changed: false,
            was_found: false,
            is_doubtful: false,
            has_queued: false,
            queue_at: i64::MIN / 2,
            busy_since: NOT_BUSY,
            fresh_at: i64::MIN / 2,
            standing: LeastOf::new(STANDING_SPAN),
            crossed: 0,
            is_another: false,
            round_trip: 0,
            is_shared: false,
        }
    }

    /// Snapshots whose arrival was told so far.
    pub fn arrived_count(&self) -> u32 {
        self.arrived
    }

    /// Whether a queue was seen that this path's own snapshots made.
    pub fn is_limited(&self) -> bool {
        self.wire.is_some()
    }

    /// Nanoseconds that a byte takes; 0 where they don't matter.
    pub fn wire(&self) -> i64 {
        match &self.wire {
            Some(wire) => *wire,
            None => 0,
        }
    }

    /// Whether the newest arrival showed that the line is another than it was.
    pub fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// Whether the newest arrival was the first to show a queue: what came before it may all have stood in one.
    pub fn was_found(&self) -> bool {
        self.was_found
    }

    /// Whether to wait for the next answer before anything is sent: there may be a queue, and each snapshot more would stand
    /// in it.
    pub fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    /// When the newest that has arrived did so, by the server's clock and without the path's own length.
    pub fn crossed(&self) -> i64 {
        self.crossed
    }

    /// Whether all of the latest delays were above the least by more than the window lets stand. A queue of ours would be gone by
    /// then: the path itself has become longer, or its jitter has ended and the least is one that came with luck.
    pub fn seems_longer(&self) -> bool {
        let standing = self.standing.least().unwrap_or(0);
        self.has_queued && !self.is_shared && standing > self.tick * 3 / 2 + 2 * self.jitter
    }

    /// Whether the newest arrival made the least delay a new one.
    pub fn is_another(&self) -> bool {
        self.is_another
    }

    /// What a queue may be beyond what is meant to stand: jitter looks like queue, and beside others' a small one is lost.
    pub fn slack(&self) -> i64 {
        let others = if self.is_shared { OTHERS_SLACK } else { 0 };
        (self.jitter / 2).min(2 * self.tick) + others
    }

    /// For how long the newest that has arrived had to queue.
    pub fn waited(&self) -> i64 {
        self.waited
    }

    /// How the delays scatter.
    pub fn jitter(&self) -> i64 {
        self.jitter
    }

    /// Whether a queue of ours was seen, since the path counts as limited.
    pub fn has_queued(&self) -> bool {
        self.has_queued
    }

    /// Whether others' packets stand in the queue.
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// When the newest that has arrived left the narrowest place; `None`: nothing has arrived yet.
    pub fn left(&self) -> i64 {
        self.left
    }

    /// When a snapshot leaves the narrowest place, if the one before leaves it at `before`.
    pub fn leaves(&self, sent: &Sent, before: i64) -> i64 {
        sent.at.max(before) + self.on_wire(sent.bytes)
    }

    /// Whether the path let a snapshot wait lately.
    pub fn limits(&self, now: i64) -> bool {
        now - self.limited_at < LATELY
    }

    /// The window let a snapshot wait at `now`.
    pub fn deferred(&mut self, now: i64) {
        self.limited_at = now;
    }

    /// `sent` has arrived; `predicted` is when it should have left the narrowest place.
    pub fn arrived(&mut self, sent: &Sent, predicted: i64, how: &Arrived) {
        let raw = how.at_us.wrapping_sub(sent.at as u32);
        let origin = *self.origin.get_or_insert(raw);
        let delay = i64::from(raw.wrapping_sub(origin) as i32);
        let received = sent.at + delay;
        self.arrived = self.arrived.saturating_add(1);
        self.note_delay(delay, sent, how.is_fresh_start);

        let (least, its_bytes) = self.least.get();
        self.crossed = received - least;
        // A far larger one took much longer only if the wire is as slow as is believed; the first one, with the whole world in it,
        // would make a great queue of an error in that.
        let its_time = self
            .on_wire(its_bytes)
            .min(self.on_wire(sent.bytes) + self.tick / 2);
        let measured = self.crossed + its_time;
        let error = measured - predicted;
        // On a path that queued lately only what no jitter explains.
        let is_calm = !self.has_queued || received - self.queue_at > QUIET;
        let is_excused = is_calm || how.slept > 3 * self.tick;
        let excused = if is_excused {
            error.clamp(0, how.slept)
        } else {
            0
        };
        let newest = self.latest.newest();
        let since_before = newest.map_or(0, |noted| wrapped_since(received as u32, noted.at));
        let correction = self.correction(error - excused, received, sent, since_before);
        self.left = predicted + correction;
        self.waited = self.left - sent.at - self.on_wire(sent.bytes);
        if self.is_limited() {
            if self.is_another {
                self.standing = LeastOf::new(STANDING_SPAN);
            }
            self.standing.add(self.crossed - sent.at, received);
        }

        if how.is_fresh_start {
            self.fresh_at = self.left;
        }
        self.follow_wire(sent, correction, since_before);
    }

    fn note_delay(&mut self, delay: i64, sent: &Sent, is_fresh_start: bool) {
        let (before, _) = self.least.get();
        let longer = self.least.add(delay, sent, is_fresh_start);
        self.is_another = longer.is_some();
        // A queue that stands without us is others': who waits until it is gone gets nothing.
        if longer.is_some_and(|longer| longer > OTHERS_QUEUE) {
            self.is_shared = true;
        } else if delay < before.saturating_sub(OTHERS_QUEUE) {
            self.is_shared = false;
        }
    }

    /// How much of an error of the prediction is believed.
    fn correction(&mut self, error: i64, received: i64, sent: &Sent, since_before: i64) -> i64 {
        // What the delays scatter around their trend: a queue that grows is no jitter.
        let before = self.latest.newest().map_or(0, |noted| {
            i64::from(noted.error.wrapping_sub(self.corrected))
        });
        let step = (error - before).clamp(-MOST_JITTER, MOST_JITTER);
        self.trend += (step - self.trend) / 8;
        // One that is far off may be a stall, or the line has become another: many make jitter.
        let off = (step - self.trend)
            .abs()
            .min(4 * self.jitter + LEAST_JITTER);
        self.jitter += (off - self.jitter) / 8;
        // After a long pause what came before says nothing of the wire.
        if since_before.abs() > MOST_SPAN {
            self.latest.clear();
        }
        self.latest.push(Noted {
            at: received as u32,
            error: (error as i32).wrapping_add(self.corrected),
            sum: sent.sum as u32,
        });
        let correction = if error < 0 {
            error
        } else {
            self.standing(received).max(error - 4 * self.jitter)
        };
        self.corrected = self.corrected.wrapping_add(correction as i32);
        correction
    }

    /// What all of the latest delays were more than predicted.
    fn standing(&self, now: i64) -> i64 {
        let span = (self.jitter * JITTER_SPANS).min(MOST_SPAN);
        let latest = self
            .latest
            .newest_first()
            .take_while(|noted| i64::from((now as u32).wrapping_sub(noted.at)) <= span);
        latest
            .map(|noted| i64::from(noted.error.wrapping_sub(self.corrected)))
            .min()
            .unwrap_or(0)
    }

    /// Microseconds that so many bytes take.
    fn on_wire(&self, bytes: u32) -> i64 {
        i64::from(bytes) * self.wire() / 1000
    }

    /// Follows what a byte takes on the wire, and decides whether the path counts as limited.
    fn follow_wire(&mut self, sent: &Sent, correction: i64, since_before: i64) {
        let now = self.left;
        self.has_changed = false;
        self.was_found = false;
        let queue = self.waited - self.slack() - self.jitter / 2;
        let Some(wire) = self.wire else {
            let queues = queue > self.tick * 3 / 4;
            // To wait costs several ticks where answers come in bursts: only for what no jitter explains.
            self.is_doubtful = queue > self.tick * 3 / 4 + self.jitter;
            if self.stands(queues, now) {
                self.is_doubtful = false;
                self.has_queued = true;
                let spacing = self.spacing().unwrap_or(FIRST_WIRE);
                self.wire = Some(spacing.clamp(LEAST_WIRE, MOST_WIRE));
                self.limited_at = sent.at;
                self.has_changed = true;
            }
            return;
        };
        let patience = if self.has_queued {
            FREE_AFTER
        } else {
            FREE_AT_FIRST
        };
        if sent.at - self.limited_at > patience {
            self.wire = None;
            self.has_queued = false;
            self.busy_since = NOT_BUSY;
            return;
        }
        if !self.has_queued {
            let is_known = self.arrived >= KNOWN_AFTER;
            let least = if is_known {
                self.tick / 2
            } else {
                UNKNOWN_JITTER
            };
            self.has_queued = self.stands(queue > least, now);
            self.was_found = self.has_queued;
        } else if queue < self.tick / 4 + self.jitter {
            self.busy_since = now;
        }
        let is_busy =
            self.has_queued && !self.is_shared && self.busy_for(now) > self.spacing_span();
        // Later than predicted by more than half a tick: the line has become slower.
        self.has_changed =
            self.has_queued && correction > self.tick / 2 + 2 * self.jitter && !self.is_shared;
        // Jitter hides what a bucket saves.
        let has_saved = now - self.fresh_at < SAVED_UP && self.jitter < self.tick / 2;
        let mut believed = wire;
        match self.spacing() {
            // What arrives as quickly was not held up.
            // Not wholly: what a token bucket lets through at once, and what jitter pushes together, was no quicker.
            Some(spacing) if spacing < wire => {
                believed += if has_saved { 0 } else { (spacing - wire) / 2 };
            }
            Some(spacing) if self.has_changed => believed = spacing,
            // With a queue all the time it is what the wire takes.
            Some(spacing) if is_busy => believed += (spacing - wire) / 4,
            _ => {}
        }
        if queue >= self.tick / 4 || has_saved {
            self.queue_at = now;
        } else if self.limits(sent.at) {
            // Without a queue what was measured says only how often something was sent: the path may carry more. Not
            // faster than the answers come that would show a queue; more boldly, where none was seen for long.
            let round_trip = self.round_trip.max(2 * self.tick);
            let boldness = if now - self.queue_at > QUIET { 4 } else { 1 };
            believed -= boldness * (wire * since_before.clamp(0, round_trip) / (32 * round_trip));
        }
        let own = (i64::from(sent.bytes) * wire / 1000).clamp(1, self.tick);
        // Before a queue was seen, what is a little late is so by chance: it would only ever add up.
        if (correction > 0 && self.has_queued) || queue > self.tick / 4 {
            believed += wire * correction.clamp(-own, own) / own / 16;
        }
        self.wire = Some(believed.clamp(LEAST_WIRE, MOST_WIRE));
    }

    /// Asks for what the next arrival will touch beside the path itself; see `tickwire_prefetch`.
    pub fn prefetch(&self) {
        self.latest.prefetch();
    }

    /// Whether a queue stands. A client that did not look for a while is late as well, but once only.
    fn stands(&mut self, queues: bool, now: i64) -> bool {
        self.busy_since = if queues {
            self.busy_since.min(now)
        } else {
            NOT_BUSY
        };
        self.busy_for(now) > QUEUE_STANDS
    }

    fn busy_for(&self, now: i64) -> i64 {
        now.saturating_sub(self.busy_since)
    }

    fn spacing_span(&self) -> i64 {
        (self.jitter * 16).clamp(LEAST_SPACING, MOST_SPAN)
    }

    /// Nanoseconds a byte between the latest arrivals, over long enough that jitter is a small part of it.
    fn spacing(&self) -> Option<i64> {
        let newest = self.latest.newest()?;
        let span = self.spacing_span();
        let mut oldest = None;
        for noted in self.latest.newest_first().skip(1) {
            oldest = Some(noted);
            if wrapped_since(newest.at, noted.at) >= span {
                break;
            }
        }
        let oldest = oldest?;
        let bytes = i64::from(newest.sum.wrapping_sub(oldest.sum)).max(1);
        Some(wrapped_since(newest.at, oldest.at).max(0) * 1000 / bytes)
    }
}

/// The difference of two times that wrap, whichever is later.
fn wrapped_since(time: u32, before: u32) -> i64 {
    i64::from(time.wrapping_sub(before) as i32)
}

pub(crate) fn micros(time: Micros) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}
