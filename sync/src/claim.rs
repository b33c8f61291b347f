//! Claims: what a client says that its screen showed, and what the server believes of it.
//!
//! In: with each input the claimed moment, the newest snapshot that the client had and when that had come by its own clock; when
//! the input came by the server's; the round trip by ping. Out: the moment that shots are judged at, and the newest snapshot that
//! the screen was drawn from.
//!
//! The rule. A screen that has snapshot R shows at most [`MAX_AHEAD`] after R, and at least what its interpolation delay puts
//! before it: the pause between snapshots (one tick, on a line that is not thin) and the arrivals' jitter, which the server measures with
//! the very function that the client measures with, and [`SLACK`]. So a claim is clamped to that window around R. R itself is a claim too: it never goes back, and it is overdue
//! when it is older than the round trip, a tick and the jitter of both ways explain. That happens in a stall, so it is believed, but
//! only for [`STALL_SHARE`] of the time; beyond that the server takes the snapshot that should have been there. Jitter counts
//! only as far as the server sees it too, and at most [`MAX_JITTER`]. What a client could still gain it gains by really
//! living with a worse line: its inputs and pongs late, its snapshots held back by the window.

use crate::ids::{Micros, Tick, ViewTick};
use crate::jitter::{self, Jitter};

/// How far a screen may run ahead of the newest snapshot, in ticks, before it stands still.
pub const MAX_AHEAD: f64 = 6.0;
/// By how much the client's delay may differ from what the server makes of it, in ticks.
pub const SLACK: f64 = 0.75;
/// The largest jitter that a claim may be explained by, in ticks.
pub const MAX_JITTER: f64 = 6.0;
/// The part of the time in which a client's newest snapshot may be overdue.
pub const STALL_SHARE: f64 = 1.0 / 8.0;
/// Overdue ticks that are believed at once after a long calm: half a second.
const MAX_CREDIT: f64 = 30.0;
/// An input that comes later than this after its tick was due is not used, in ticks: a tick begins late, but not so late.
const LATEST: f64 = 1.0;
/// How fast a screen that stood still catches up, in ticks a tick; [`crate::view_clock::ViewClock`] does.
pub const RETURN_RATE: f64 = 0.5;
/// How fast the entitlement shrinks when the jitter has, in ticks an input: slower than any screen does.
const SHRINK: f64 = 0.02;
/// Arrivals that are remembered: two seconds of them.
const MEMORY: usize = 128 / jitter::BLOCK;

/// What a server makes of claims. All but the first are there to be measured against it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ViewPolicy {
    /// The module's rule.
    #[default]
    Clamped,
    /// For measuring: shots are judged in the present.
    NoCompensation,
    /// For measuring: half the round trip ago, whatever the client says.
    HalfRoundTrip,
    /// For measuring: whatever the client says, as far as the history goes.
    TrustClaim,
}

/// What a screen showed when an input was made, as far as the server believes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// The moment.
    pub view: ViewTick,
    /// The newest snapshot that it was drawn from. `None`: every frame was there.
    pub received: Option<Tick>,
    /// Whether the client claimed another moment.
    pub was_clamped: bool,
}

/// What one input says, and when it came.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Claim {
    /// The tick that the input is for.
    pub target: Tick,
    /// The moment that the screen is said to have shown.
    pub view: ViewTick,
    /// The newest snapshot that the client says it had.
    pub received: Tick,
    /// The one that was sent before it.
    pub sent_before: Tick,
    /// When that came, by the client's clock in microseconds; wraps.
    pub received_at_us: u32,
    /// When the input came: the tick axis of the server at that moment.
    pub arrived: f64,
}

/// What is known of one client's line and screen. See the module's head.
#[derive(Clone, Debug)]
pub struct Claims {
    tick_us: f64,
    policy: ViewPolicy,
    /// How regularly snapshots came, by the client's word.
    told: Jitter<MEMORY>,
    /// The client's clock without its wraps, in microseconds.
    told_at: Option<(u32, u64)>,
    /// How regularly the newest snapshot's number moved on, as the server sees it.
    shown: Jitter<MEMORY>,
    /// How regularly inputs come.
    inputs: Jitter<MEMORY>,
    newest: Tick,
    /// The interpolation delay that is explained, in ticks: the pause between snapshots and their jitter.
    entitled: f64,
    /// Overdue ticks that are still believed.
    credit: f64,
    /// By how much a screen that stood still may be behind, in ticks.
    behind: f64,
    at: Option<f64>,
}

impl Claims {
    /// A client of which nothing is known.
    #[must_use]
    pub fn new(tick_rate: u32, policy: ViewPolicy) -> Self {
        Self::with(1e6 / f64::from(tick_rate.max(1)), policy)
    }

    fn with(tick_us: f64, policy: ViewPolicy) -> Self {
        Self {
            tick_us,
            policy,
            told: Jitter::default(),
            told_at: None,
            shown: Jitter::default(),
            inputs: Jitter::default(),
            newest: Tick(0),
            entitled: 1.0,
            credit: MAX_CREDIT,
            behind: 0.0,
            at: None,
        }
    }

    /// Forgets the line: the client has another one.
    pub fn forget(&mut self) {
        *self = Self::with(self.tick_us, self.policy);
    }

    /// Takes an input's claim. `round_trip` is by ping, without queues; unknown, it counts as none. `max_rewind` is in ticks.
    pub fn take(&mut self, claim: &Claim, round_trip: Option<Micros>, max_rewind: f64) -> Seen {
        let round_trip = round_trip.unwrap_or_default().0 as f64 / self.tick_us;
        // Nobody has what was not sent yet.
        let claim = &Claim {
            received: claim.received.min(Tick(claim.arrived.max(0.0) as u32)),
            ..*claim
        };
        match self.policy {
            ViewPolicy::Clamped => self
                .clamp(claim, round_trip)
                .within(claim.target, max_rewind),
            ViewPolicy::NoCompensation => Seen {
                view: ViewTick::new(claim.target, 0),
                ..Seen::default()
            },
            ViewPolicy::HalfRoundTrip => Seen {
                view: ViewTick::from_ticks(f64::from(claim.target.0) - round_trip / 2.0),
                ..Seen::default()
            },
            ViewPolicy::TrustClaim => Seen {
                view: claim.view,
                received: Some(claim.received),
                was_clamped: false,
            },
        }
    }

    fn clamp(&mut self, claim: &Claim, round_trip: f64) -> Seen {
        self.measure(claim);
        // What comes too late for its tick is never used, so it pays for nothing: a stall of the way up is not one of the way
        // down. The next one that is used accounts for all the time since the last that was.
        let is_used = claim.arrived <= f64::from(claim.target.0) + LATEST;
        let elapsed = match self.at {
            Some(at) if is_used => (claim.arrived - at).max(0.0),
            _ => 0.0,
        };
        if is_used {
            self.at = Some(self.at.map_or(claim.arrived, |at| at.max(claim.arrived)));
        }
        self.newest = self.newest.max(claim.received);
        let both_ways = self.entitled + (self.inputs.delay() - 1.0).clamp(0.0, MAX_JITTER);
        let due = claim.arrived - round_trip - both_ways - SLACK;
        let overdue = due - f64::from(self.newest.0);
        self.credit = (self.credit + elapsed * STALL_SHARE).min(MAX_CREDIT);
        if overdue > 0.0 {
            // It is overdue for no longer than that.
            self.credit = (self.credit - elapsed.min(overdue)).max(0.0);
        }
        let is_stalled = overdue > 0.0 && self.credit > 0.0;
        let received = if overdue > 0.0 && !is_stalled {
            Tick(due.max(0.0).ceil() as u32)
        } else {
            self.newest
        };
        // A screen stands still as soon as it is too far ahead of what it has, and then catches up.
        let showing = claim.arrived - round_trip - 1.0;
        let standing = showing - f64::from(received.0) - MAX_AHEAD;
        self.behind = (self.behind - elapsed * RETURN_RATE).max(standing).max(0.0);
        let mut from = f64::from(received.0) - self.behind - self.entitled - SLACK;
        if !is_stalled {
            // Both the snapshot and the screen may be late, but not both by all of the jitter.
            from = from.max(due - 1.0 - self.behind);
        }
        let to = f64::from(received.0) + MAX_AHEAD;
        let view = claim
            .view
            .clamp(ViewTick::from_ticks(from), ViewTick::from_ticks(to));
        Seen {
            view,
            received: Some(received),
            was_clamped: view != claim.view,
        }
    }

    fn measure(&mut self, claim: &Claim) {
        let before = Tick(claim.target.0.saturating_sub(1));
        self.inputs.arrived(claim.target, before, claim.arrived);
        if claim.received > self.newest {
            let before = claim
                .sent_before
                .max(Tick(claim.received.0.saturating_sub(MAX_JITTER as u32)));
            self.shown.arrived(claim.received, before, claim.arrived);
            let told_us = match self.told_at {
                None => u64::from(claim.received_at_us),
                Some((stamp, unwrapped)) => {
                    unwrapped + u64::from(claim.received_at_us.wrapping_sub(stamp))
                }
            };
            self.told_at = Some((claim.received_at_us, told_us));
            let told = told_us as f64 / self.tick_us;
            self.told.arrived(claim.received, before, told);
        }
        let delay = self
            .told
            .delay()
            .min(self.shown.delay())
            .clamp(1.0, 1.0 + MAX_JITTER);
        self.entitled = delay.max(self.entitled - SHRINK);
    }
}

impl Seen {
    /// The same for the tick that uses the input: not the future, nor longer before the newest frame that exists then (the tick
    /// before) than the longest rewind, in ticks.
    #[must_use]
    pub fn within(self, tick: Tick, max_rewind: f64) -> Self {
        let oldest = ViewTick::from_ticks(f64::from(tick.0) - 1.0 - max_rewind);
        let view = self.view.clamp(oldest, ViewTick::new(tick, 0).max(oldest));
        Self {
            view,
            was_clamped: self.was_clamped || view != self.view,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_REWIND: f64 = 15.0;
    const TICK_US: f64 = 1e6 / 60.0;

    /// A client on a line of this delay each way (in ticks), with this much jitter on the way down.
    struct Line {
        claims: Claims,
        delay: f64,
        jitter: f64,
    }

    impl Line {
        fn new(delay: f64, jitter: f64) -> Self {
            Self {
                claims: Claims::new(60, ViewPolicy::Clamped),
                delay,
                jitter,
            }
        }

        /// Lateness of a snapshot beyond the delay: evenly spread, by the golden ratio; nothing overtakes, as it is below a tick.
        fn extra(&self, tick: u32) -> f64 {
            (f64::from(tick) * 0.618_034).fract() * self.jitter
        }

        /// What an honest client has at a moment: the newest snapshot, when that came, and what its screen shows.
        fn honest(&self, made: f64) -> (Tick, f64, f64) {
            let mut newest = (made - self.delay).floor() as u32;
            if f64::from(newest) + self.delay + self.extra(newest) > made {
                newest -= 1;
            }
            let came = f64::from(newest) + self.delay + self.extra(newest);
            (Tick(newest), came, made - self.delay - self.jitter - 1.0)
        }

        /// One input, made at `made`, which claims a screen that much older; `received` may be a lie too.
        fn input(&mut self, made: f64, older: f64, received: Option<Tick>) -> (Seen, f64) {
            let (newest, came, view) = self.honest(made);
            let claim = Claim {
                target: Tick((made + self.delay).ceil() as u32),
                view: ViewTick::from_ticks(view - older),
                received: received.unwrap_or(newest),
                sent_before: Tick(received.unwrap_or(newest).0 - 1),
                received_at_us: (came * TICK_US) as u32,
                arrived: made + self.delay,
            };
            let round_trip = Micros((2.0 * self.delay * TICK_US) as u64);
            let seen = self.claims.take(&claim, Some(round_trip), MAX_REWIND);
            (seen, view)
        }

        fn settle(&mut self) {
            for tick in 1_000..1_600 {
                self.input(f64::from(tick) + 0.3, 0.0, None);
            }
        }
    }

    #[test]
    fn an_honest_claim_is_never_clamped_whatever_the_jitter() {
        for (delay, jitter) in [(0.0, 0.0), (2.4, 0.3), (4.0, 0.9), (5.0, 0.0)] {
            let mut line = Line::new(delay, jitter);
            line.settle();
            for tick in 1_600..3_000 {
                let (seen, view) = line.input(f64::from(tick) + 0.3, 0.0, None);
                assert!(!seen.was_clamped, "{delay} {jitter} {tick}: {seen:?}");
                assert_eq!(seen.view, ViewTick::from_ticks(view));
            }
        }
    }

    #[test]
    fn a_forged_claim_gains_nothing_beyond_the_window() {
        for jitter in [0.0, 0.3, 0.9] {
            let mut line = Line::new(2.4, jitter);
            line.settle();
            for tick in 1_600..3_000 {
                let (seen, view) = line.input(f64::from(tick) + 0.3, 15.0, None);
                let gained = view - seen.view.as_ticks();
                assert!(seen.was_clamped);
                assert!(gained <= SLACK + 1.0, "{gained} ticks with {jitter}");
            }
        }
    }

    #[test]
    fn naming_old_snapshots_all_the_time_gains_nothing_either() {
        let mut line = Line::new(2.4, 0.0);
        line.settle();
        let mut gained = Vec::new();
        for tick in 1_600..3_000_u32 {
            let made = f64::from(tick) + 0.3;
            let lie = Tick(tick - 15);
            let (seen, view) = line.input(made, 12.0, Some(lie));
            gained.push(view - seen.view.as_ticks());
        }
        // At first it looks like a stall, then for two seconds like jitter.
        let most = |gained: &[f64]| gained.iter().copied().fold(0.0, f64::max);
        let (first, then) = (most(&gained[60..]), most(&gained[600..]));
        assert!(first <= MAX_JITTER + 2.0 * SLACK + 2.0, "{first} ticks");
        assert!(then <= 2.0 * SLACK + 2.0, "{then} ticks");
    }

    #[test]
    fn a_stall_is_believed() {
        let mut line = Line::new(2.4, 0.0);
        line.settle();
        let (stalled, ..) = line.honest(1_600.3);
        for tick in 1_600..1_612 {
            // The screen runs on for a few ticks, and stands still.
            let made = f64::from(tick) + 0.3;
            let (_, _, view) = line.honest(made);
            let shown = view.min(f64::from(stalled.0) + MAX_AHEAD);
            let (seen, _) = line.input(made, view - shown, Some(stalled));
            assert!(!seen.was_clamped, "at {tick}: {seen:?}, shown {shown}");
            assert_eq!(seen.received, Some(stalled));
        }
    }

    #[test]
    fn a_stall_of_the_way_up_costs_nothing_of_what_a_stall_down_needs() {
        let mut line = Line::new(2.4, 0.0);
        line.settle();
        let credit = line.claims.credit;
        for tick in 1_600..1_612 {
            // Made in time, but they come all at once, when the ticks that they are for have gone by.
            let made = f64::from(tick) + 0.3;
            let (newest, came, view) = line.honest(made);
            let claim = Claim {
                target: Tick((made + line.delay).ceil() as u32),
                view: ViewTick::from_ticks(view),
                received: newest,
                sent_before: Tick(newest.0 - 1),
                received_at_us: (came * TICK_US) as u32,
                arrived: 1_616.0,
            };
            let round_trip = Micros((2.0 * line.delay * TICK_US) as u64);
            line.claims.take(&claim, Some(round_trip), MAX_REWIND);
        }
        line.input(1_613.7, 0.0, None);
        assert!(line.claims.credit >= credit, "{}", line.claims.credit);
    }

    #[test]
    fn exactly_what_lies_within_the_longest_rewind_is_believed() {
        let seen = |view: f64| Seen {
            view: ViewTick::from_ticks(view),
            received: None,
            was_clamped: false,
        };
        // At tick 100 the newest frame is 99.
        for (view, believed) in [(84.0, 84.0), (90.5, 90.5), (100.0, 100.0)] {
            let within = seen(view).within(Tick(100), MAX_REWIND);
            assert_eq!(
                (within.view.as_ticks(), within.was_clamped),
                (believed, false)
            );
        }
        for (view, believed) in [(83.99, 84.0), (0.0, 84.0), (100.1, 100.0)] {
            let within = seen(view).within(Tick(100), MAX_REWIND);
            assert_eq!(
                (within.view.as_ticks(), within.was_clamped),
                (believed, true)
            );
        }
    }

    #[test]
    fn no_claim_makes_a_panic() {
        let wild = [0, 1, 1_000, u32::MAX / 2, u32::MAX];
        let mut claims = Claims::new(60, ViewPolicy::Clamped);
        for target in wild {
            for received in wild {
                for received_at_us in wild {
                    for arrived in [-1e9, 0.0, 5e3, 4e9, 1e18] {
                        let claim = Claim {
                            target: Tick(target),
                            view: ViewTick(u64::from(received) << 20),
                            received: Tick(received),
                            sent_before: Tick(target),
                            received_at_us,
                            arrived,
                        };
                        let seen = claims.take(&claim, Some(Micros(u64::MAX)), MAX_REWIND);
                        assert!(seen.view <= ViewTick::new(Tick(target), 0).max(ViewTick(0)));
                    }
                }
            }
        }
    }
}
