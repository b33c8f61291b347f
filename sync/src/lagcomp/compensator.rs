//! The lag compensator: clamps the view that a client claims to what its line makes possible.
//!
//! In: with each input the claimed view, the newest snapshot that the client had, and when that snapshot came by the client's
//! clock; when the input came by the server's clock; the round trip by ping. Out: the resolved view. A client
//! that lies gets no more rewind than one whose line is as bad as it pretends.
//!
//! The rule:
//! - A screen that has snapshot R shows at most [`MAX_EXTRAPOLATION_TICKS`] after R. It lags R by at least its interpolation
//!   delay: the pause between snapshots (one tick, unless the line is slow) plus the jitter of arrivals, which the server
//!   measures with the client's own function. The claimed view is clamped to that window, with [`VIEW_SLACK_TICKS`] of slack.
//! - R is a claim too. It never goes back. It is overdue when it is older than the round trip, one tick and the jitter of both
//!   ways explain. That happens in a stall, so the server accepts it, but only for [`MAX_STALL_SHARE`] of the time. Beyond
//!   that the server assumes the snapshot that should have been there.
//! - Jitter counts only as far as the server sees it too, and at most [`MAX_PLAUSIBLE_JITTER_TICKS`].
//!
//! What a cheater can still gain requires a really worse line: inputs and pongs late, snapshots deferred by the congestion
//! window. docs/design/lag-compensation.md has the figures.

use super::resolved_view::{ClampedBy, ResolvedView};
use crate::bench_policies::ViewPolicy;
use crate::measure::{ARRIVALS_PER_BUCKET, JitterEstimator};
use crate::playout::{CATCH_UP_RATE, MAX_EXTRAPOLATION_TICKS};
use crate::world::{Micros, Tick, ViewTick};
use std::cmp::Ordering;

/// How much a client's interpolation delay may differ from the server's estimate, in ticks.
pub const VIEW_SLACK_TICKS: f64 = 0.75;
/// The largest jitter that can explain a claim, in ticks.
pub const MAX_PLAUSIBLE_JITTER_TICKS: f64 = 6.0;
/// The share of the time in which a client's newest snapshot may be overdue.
pub const MAX_STALL_SHARE: f64 = 1.0 / 8.0;
/// How many overdue ticks the server accepts at once after a long calm: half a second at 60 Hz.
const MAX_STALL_CREDIT_TICKS: f64 = 30.0;
/// How long after its tick was due an input may still be used, in ticks: a tick can begin late, but not later than this.
const MAX_INPUT_LATENESS_TICKS: f64 = 1.0;
/// How fast the plausible interpolation delay shrinks after the jitter has, in ticks per input: slower than on any screen.
const DELAY_SHRINK_PER_INPUT: f64 = 0.02;
/// Buckets of arrivals that are remembered: two seconds at 60 Hz.
const JITTER_BUCKETS: usize = 128 / ARRIVALS_PER_BUCKET;

/// The view that one input claims, and when the input came.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ViewClaim {
    /// The tick that the input is for.
    pub target_tick: Tick,
    /// The moment that the screen showed, by the client's word.
    pub view: ViewTick,
    /// The newest snapshot that the client had, by its own word.
    pub received: Tick,
    /// The snapshot that was sent before `received`.
    pub previous_sent: Tick,
    /// When `received` came, by the client's clock in microseconds; wraps.
    pub received_at_us: u32,
    /// When the input came, on the server's tick axis.
    pub arrived_at: f64,
}

/// Resolves the views that one client claims, by what is known of its line and screen.
#[derive(Clone, Debug)]
pub struct LagCompensator {
    tick_us: f64,
    policy: ViewPolicy,
    /// The jitter of snapshots, by the client's word.
    reported_jitter: JitterEstimator<JITTER_BUCKETS>,
    /// The client's clock: the latest stamp, and the same unwrapped, in microseconds.
    client_clock: Option<(u32, u64)>,
    /// The jitter of the acked snapshot's tick, as the server observes it.
    observed_jitter: JitterEstimator<JITTER_BUCKETS>,
    /// The jitter of inputs.
    input_jitter: JitterEstimator<JITTER_BUCKETS>,
    newest_received: Tick,
    /// The interpolation delay that the measured jitter explains, in ticks.
    plausible_delay: f64,
    /// How many more overdue ticks the server accepts.
    stall_credit: f64,
    /// How far a frozen screen may be behind, in ticks.
    behind: f64,
    /// When the last used input came, on the server's tick axis.
    last_used_at: Option<f64>,
}

impl LagCompensator {
    /// A compensator for a client of which nothing is known. `tick_rate` is in ticks per second.
    #[must_use]
    pub fn new(tick_rate: u32) -> Self {
        Self::with_policy(tick_rate, ViewPolicy::default())
    }

    /// A compensator with another policy, for benches.
    #[doc(hidden)]
    #[must_use]
    pub fn with_policy(tick_rate: u32, policy: ViewPolicy) -> Self {
        Self::with_tick_us(1e6 / f64::from(tick_rate.max(1)), policy)
    }

    fn with_tick_us(tick_us: f64, policy: ViewPolicy) -> Self {
        Self {
            tick_us,
            policy,
            reported_jitter: JitterEstimator::default(),
            client_clock: None,
            observed_jitter: JitterEstimator::default(),
            input_jitter: JitterEstimator::default(),
            newest_received: Tick(0),
            plausible_delay: 1.0,
            stall_credit: MAX_STALL_CREDIT_TICKS,
            behind: 0.0,
            last_used_at: None,
        }
    }

    /// Forgets the line: the client is on a new connection. What it has left of its stall credit stays: a new connection is had for the
    /// asking.
    pub fn reset(&mut self) {
        *self = Self {
            stall_credit: self.stall_credit,
            ..Self::with_tick_us(self.tick_us, self.policy)
        };
    }

    /// Resolves an input's claim. `round_trip` is the ping's, without queueing; `None` counts as 0. `max_rewind` is in ticks.
    pub fn resolve(
        &mut self,
        claim: &ViewClaim,
        round_trip: Option<Micros>,
        max_rewind: f64,
    ) -> ResolvedView {
        let round_trip = round_trip.unwrap_or_default().0 as f64 / self.tick_us;
        // No client has a snapshot that was not sent yet.
        let claim = &ViewClaim {
            received: claim.received.min(Tick(claim.arrived_at.max(0.0) as u32)),
            ..*claim
        };
        match self.policy {
            ViewPolicy::Clamped => self
                .clamp(claim, round_trip)
                .limited_to(claim.target_tick, max_rewind),
            ViewPolicy::NoCompensation => ResolvedView {
                at: ViewTick::new(claim.target_tick, 0),
                claimed: claim.view,
                ..ResolvedView::default()
            },
            ViewPolicy::HalfRoundTrip => ResolvedView {
                at: ViewTick::from_ticks(f64::from(claim.target_tick.0) - round_trip / 2.0),
                claimed: claim.view,
                ..ResolvedView::default()
            },
            ViewPolicy::TrustClaim => ResolvedView {
                at: claim.view,
                received: Some(claim.received),
                claimed: claim.view,
                ..ResolvedView::default()
            },
        }
    }

    fn clamp(&mut self, claim: &ViewClaim, round_trip: f64) -> ResolvedView {
        self.measure(claim);
        // Only inputs that will be used consume stall credit: an input too late for its tick shows a stalled uplink, not a
        // stalled downlink. `elapsed` is the time since the last used input.
        let is_used = claim.arrived_at <= f64::from(claim.target_tick.0) + MAX_INPUT_LATENESS_TICKS;
        let elapsed = match self.last_used_at {
            Some(at) if is_used => (claim.arrived_at - at).max(0.0),
            _ => 0.0,
        };
        if is_used {
            self.last_used_at = Some(
                self.last_used_at
                    .map_or(claim.arrived_at, |at| at.max(claim.arrived_at)),
            );
        }
        self.newest_received = self.newest_received.max(claim.received);
        let jitter_both_ways = self.plausible_delay
            + (self.input_jitter.delay() - 1.0).clamp(0.0, MAX_PLAUSIBLE_JITTER_TICKS);
        let due = claim.arrived_at - round_trip - jitter_both_ways - VIEW_SLACK_TICKS;
        let overdue = due - f64::from(self.newest_received.0);
        self.stall_credit =
            (self.stall_credit + elapsed * MAX_STALL_SHARE).min(MAX_STALL_CREDIT_TICKS);
        if overdue > 0.0 {
            // Charges at most `overdue`: before that the snapshot was on time.
            self.stall_credit = (self.stall_credit - elapsed.min(overdue)).max(0.0);
        }
        let is_stalled = overdue > 0.0 && self.stall_credit > 0.0;
        let received = if overdue > 0.0 && !is_stalled {
            Tick(due.max(0.0).ceil() as u32)
        } else {
            self.newest_received
        };
        // A screen that runs too far ahead of its newest snapshot freezes, and then catches up.
        let showing = claim.arrived_at - round_trip - 1.0;
        let over_limit = showing - f64::from(received.0) - MAX_EXTRAPOLATION_TICKS;
        self.behind = (self.behind - elapsed * CATCH_UP_RATE)
            .max(over_limit)
            .max(0.0);
        let mut oldest =
            f64::from(received.0) - self.behind - self.plausible_delay - VIEW_SLACK_TICKS;
        let mut oldest_by = ClampedBy::Received;
        let oldest_due = due - 1.0 - self.behind;
        if !is_stalled && oldest_due > oldest {
            // Without a stall the view is also bounded by when the snapshot was due, so that jitter is not counted twice.
            (oldest, oldest_by) = (oldest_due, ClampedBy::Due);
        }
        let newest = f64::from(received.0) + MAX_EXTRAPOLATION_TICKS;
        let at = claim
            .view
            .clamp(ViewTick::from_ticks(oldest), ViewTick::from_ticks(newest));
        ResolvedView {
            at,
            received: Some(received),
            was_clamped: at != claim.view,
            claimed: claim.view,
            clamped_by: match at.cmp(&claim.view) {
                Ordering::Equal => ClampedBy::Nothing,
                Ordering::Greater => oldest_by,
                Ordering::Less => ClampedBy::Extrapolation,
            },
        }
    }

    fn measure(&mut self, claim: &ViewClaim) {
        let before = Tick(claim.target_tick.0.saturating_sub(1));
        self.input_jitter
            .record(claim.target_tick, before, claim.arrived_at);
        if claim.received > self.newest_received {
            let before = claim.previous_sent.max(Tick(
                claim
                    .received
                    .0
                    .saturating_sub(MAX_PLAUSIBLE_JITTER_TICKS as u32),
            ));
            self.observed_jitter
                .record(claim.received, before, claim.arrived_at);
            let client_us = match self.client_clock {
                None => u64::from(claim.received_at_us),
                Some((stamp, unwrapped)) => {
                    unwrapped + u64::from(claim.received_at_us.wrapping_sub(stamp))
                }
            };
            self.client_clock = Some((claim.received_at_us, client_us));
            let client_ticks = client_us as f64 / self.tick_us;
            self.reported_jitter
                .record(claim.received, before, client_ticks);
        }
        let delay = self
            .reported_jitter
            .delay()
            .min(self.observed_jitter.delay())
            .clamp(1.0, 1.0 + MAX_PLAUSIBLE_JITTER_TICKS);
        self.plausible_delay = delay.max(self.plausible_delay - DELAY_SHRINK_PER_INPUT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_REWIND: f64 = 15.0;
    const TICK_US: f64 = 1e6 / 60.0;

    /// A client on a line of this delay each way (in ticks), with this much jitter on the way down.
    struct Line {
        compensator: LagCompensator,
        delay: f64,
        jitter: f64,
    }

    impl Line {
        fn new(delay: f64, jitter: f64) -> Self {
            Self {
                compensator: LagCompensator::new(60),
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
        fn input(&mut self, made: f64, older: f64, received: Option<Tick>) -> (ResolvedView, f64) {
            let (newest, came, view) = self.honest(made);
            let claim = ViewClaim {
                target_tick: Tick((made + self.delay).ceil() as u32),
                view: ViewTick::from_ticks(view - older),
                received: received.unwrap_or(newest),
                previous_sent: Tick(received.unwrap_or(newest).0 - 1),
                received_at_us: (came * TICK_US) as u32,
                arrived_at: made + self.delay,
            };
            let round_trip = Micros((2.0 * self.delay * TICK_US) as u64);
            let resolved = self
                .compensator
                .resolve(&claim, Some(round_trip), MAX_REWIND);
            (resolved, view)
        }

        fn settle(&mut self) {
            for tick in 1_000..1_600 {
                self.input(f64::from(tick) + 0.3, 0.0, None);
            }
        }
    }

    #[test]
    fn an_honest_claim_is_never_clamped() {
        for (delay, jitter) in [(0.0, 0.0), (2.4, 0.3), (4.0, 0.9), (5.0, 0.0)] {
            let mut line = Line::new(delay, jitter);
            line.settle();
            for tick in 1_600..3_000 {
                let (resolved, view) = line.input(f64::from(tick) + 0.3, 0.0, None);
                assert!(
                    !resolved.was_clamped,
                    "{delay} {jitter} {tick}: {resolved:?}"
                );
                assert_eq!(resolved.at, ViewTick::from_ticks(view));
            }
        }
    }

    #[test]
    fn a_forged_claim_gains_nothing_beyond_the_window() {
        for jitter in [0.0, 0.3, 0.9] {
            let mut line = Line::new(2.4, jitter);
            line.settle();
            for tick in 1_600..3_000 {
                let (resolved, view) = line.input(f64::from(tick) + 0.3, 15.0, None);
                let gained = view - resolved.at.as_ticks();
                assert!(resolved.was_clamped);
                assert!(
                    gained <= VIEW_SLACK_TICKS + 1.0,
                    "{gained} ticks with {jitter}"
                );
            }
        }
    }

    #[test]
    fn always_claiming_old_snapshots_gains_nothing() {
        let mut line = Line::new(2.4, 0.0);
        line.settle();
        let mut gained = Vec::new();
        for tick in 1_600..3_000_u32 {
            let made = f64::from(tick) + 0.3;
            let lie = Tick(tick - 15);
            let (resolved, view) = line.input(made, 12.0, Some(lie));
            gained.push(view - resolved.at.as_ticks());
        }
        // The lie looks like a stall at first, then like jitter for two seconds.
        let max = |gained: &[f64]| gained.iter().copied().fold(0.0, f64::max);
        let (first, then) = (max(&gained[60..]), max(&gained[600..]));
        assert!(
            first <= MAX_PLAUSIBLE_JITTER_TICKS + 2.0 * VIEW_SLACK_TICKS + 2.0,
            "{first} ticks"
        );
        assert!(then <= 2.0 * VIEW_SLACK_TICKS + 2.0, "{then} ticks");
    }

    #[test]
    fn a_stall_is_accepted() {
        let mut line = Line::new(2.4, 0.0);
        line.settle();
        let (stalled, ..) = line.honest(1_600.3);
        for tick in 1_600..1_612 {
            // The screen runs on for a few ticks, and freezes.
            let made = f64::from(tick) + 0.3;
            let (_, _, view) = line.honest(made);
            let shown = view.min(f64::from(stalled.0) + MAX_EXTRAPOLATION_TICKS);
            let (resolved, _) = line.input(made, view - shown, Some(stalled));
            assert!(
                !resolved.was_clamped,
                "at {tick}: {resolved:?}, shown {shown}"
            );
            assert_eq!(resolved.received, Some(stalled));
        }
    }

    #[test]
    fn an_uplink_stall_costs_no_downlink_credit() {
        let mut line = Line::new(2.4, 0.0);
        line.settle();
        let credit = line.compensator.stall_credit;
        for tick in 1_600..1_612 {
            // Made in time, but arriving all at once, after their ticks.
            let made = f64::from(tick) + 0.3;
            let (newest, came, view) = line.honest(made);
            let claim = ViewClaim {
                target_tick: Tick((made + line.delay).ceil() as u32),
                view: ViewTick::from_ticks(view),
                received: newest,
                previous_sent: Tick(newest.0 - 1),
                received_at_us: (came * TICK_US) as u32,
                arrived_at: 1_616.0,
            };
            let round_trip = Micros((2.0 * line.delay * TICK_US) as u64);
            line.compensator
                .resolve(&claim, Some(round_trip), MAX_REWIND);
        }
        line.input(1_613.7, 0.0, None);
        assert!(
            line.compensator.stall_credit >= credit,
            "{}",
            line.compensator.stall_credit
        );
    }

    #[test]
    fn a_new_connection_brings_no_new_stall_credit() {
        let mut line = Line::new(2.4, 0.0);
        line.settle();
        for tick in 1_600..1_660_u32 {
            line.input(f64::from(tick) + 0.3, 12.0, Some(Tick(tick - 15)));
        }
        let left = line.compensator.stall_credit;
        assert!(left < 1.0, "{left}");
        line.compensator.reset();
        assert_eq!(line.compensator.stall_credit, left);
    }

    #[test]
    fn a_view_within_the_longest_rewind_is_kept() {
        let resolved = |view: f64| ResolvedView {
            at: ViewTick::from_ticks(view),
            ..ResolvedView::default()
        };
        // At tick 100 the newest frame is 99.
        for (view, accepted) in [(84.0, 84.0), (90.5, 90.5), (100.0, 100.0)] {
            let limited = resolved(view).limited_to(Tick(100), MAX_REWIND);
            assert_eq!(
                (limited.at.as_ticks(), limited.was_clamped),
                (accepted, false)
            );
        }
        for (view, accepted) in [(83.99, 84.0), (0.0, 84.0), (100.1, 100.0)] {
            let limited = resolved(view).limited_to(Tick(100), MAX_REWIND);
            assert_eq!(
                (limited.at.as_ticks(), limited.was_clamped),
                (accepted, true)
            );
        }
    }

    #[test]
    fn no_claim_panics() {
        let wild = [0, 1, 1_000, u32::MAX / 2, u32::MAX];
        let mut compensator = LagCompensator::new(60);
        for target in wild {
            for received in wild {
                for received_at_us in wild {
                    for arrived in [-1e9, 0.0, 5e3, 4e9, 1e18] {
                        let claim = ViewClaim {
                            target_tick: Tick(target),
                            view: ViewTick(u64::from(received) << 20),
                            received: Tick(received),
                            previous_sent: Tick(target),
                            received_at_us,
                            arrived_at: arrived,
                        };
                        let resolved =
                            compensator.resolve(&claim, Some(Micros(u64::MAX)), MAX_REWIND);
                        assert!(resolved.at <= ViewTick::new(Tick(target), 0).max(ViewTick(0)));
                    }
                }
            }
        }
    }
}
