//! Whether this node may act for the rooms that it owns.
//!
//! In: what became of each renewal, and what the other nodes say of Redis over direct links. Out: a moment until which the lease counts,
//! which every thread reads without a lock ([`LeaseClock`]). Time is an argument; nothing here waits.
//!
//! Redis keeps a lease for 2 s from when it ran the renewal. This node counts 1.8 s from when it sent the renewal, so that it stops before
//! anybody else may claim its rooms. A lease that has lapsed counts again only once this node's rooms are registered: what was claimed
//! meanwhile is lost, and the directory says so.
//!
//! One exception lets a cluster play on without Redis. While every other node of the last directory says over a direct link that it has
//! lost Redis too, nobody can claim anything, and the lease goes on; without other nodes it always does. What a node says counts for
//! [`WITNESS_FOR`]; a node that said it claims nothing for [`NO_CLAIMS_FOR`] afterwards. The exception covers the loss of Redis. It does not
//! cover a network that is cut between all nodes and Redis while a new node, which none of them knows, starts on Redis's side: that node
//! may claim rooms whose owners play on. The directory then decides for the later claim, and no earlier owner can save over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tickwire_sync::Micros;

/// How often the lease is renewed.
pub const RENEW_EVERY: Micros = Micros::from_millis(500);
/// A renewal counts for this long from when it was sent. Redis keeps the lease for 2 s.
pub const VALID_FOR: Micros = Micros::from_millis(1_800);
/// How long it counts that a node said that it has lost Redis.
pub const WITNESS_FOR: Micros = Micros::from_millis(1_000);
/// A node that said that it has lost Redis claims nothing for this long: for [`WITNESS_FOR`], and for as long as a link may have held back
/// what it said before it counts as dead.
pub const NO_CLAIMS_FOR: Micros = Micros::from_millis(2_500);

const _: () = assert!(
    NO_CLAIMS_FOR.0 > WITNESS_FOR.0 + 1_000_000,
    "a link is dead after a second of silence"
);
const _: () = assert!(VALID_FOR.0 < 2_000_000, "before Redis forgets the lease");

/// Until when this node's lease counts, for every thread. On the process's monotonic clock.
#[derive(Debug, Default)]
pub struct LeaseClock {
    valid_until: AtomicU64,
}

impl LeaseClock {
    /// This node may act for its rooms at this moment. One atomic load.
    #[must_use]
    pub fn is_valid(&self, now: Micros) -> bool {
        now < self.valid_until()
    }

    /// The lease counts until then, unless it is renewed. Zero before it first counts.
    #[must_use]
    pub fn valid_until(&self) -> Micros {
        Micros(self.valid_until.load(Ordering::Acquire))
    }

    fn extend(&self, until: Micros) {
        self.valid_until.fetch_max(until.0, Ordering::AcqRel);
    }
}

/// What must happen after a renewal that Redis confirmed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Renewed {
    /// The lease goes on.
    Counts,
    /// The lease counts once the node's rooms are registered: [`Lease::registered`].
    RegisterFirst,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Never confirmed, or lapsed: the rooms must be registered first.
    Lapsed,
    Held,
}

/// The decisions about this node's lease.
#[derive(Debug)]
pub struct Lease {
    clock: Arc<LeaseClock>,
    state: State,
    /// The last renewal failed.
    has_lost_redis: bool,
    renew_at: Micros,
}

impl Lease {
    /// A lease that does not count yet; its first renewal is due.
    #[must_use]
    pub fn new() -> Self {
        Self {
            clock: Arc::default(),
            state: State::Lapsed,
            has_lost_redis: false,
            renew_at: Micros(0),
        }
    }

    /// What other threads read.
    #[must_use]
    pub fn clock(&self) -> &Arc<LeaseClock> {
        &self.clock
    }

    /// When the next renewal is to be sent.
    #[must_use]
    pub fn renew_at(&self) -> Micros {
        self.renew_at
    }

    /// A renewal is sent now.
    pub fn renewing(&mut self, now: Micros) {
        self.renew_at = now.plus(RENEW_EVERY);
    }

    /// Redis confirmed the renewal that was sent at `sent_at`.
    pub fn renewed(&mut self, now: Micros, sent_at: Micros, was_missing: bool) -> Renewed {
        self.has_lost_redis = false;
        if was_missing || self.state == State::Lapsed || !self.clock.is_valid(now) {
            return Renewed::RegisterFirst;
        }
        self.clock.extend(sent_at.plus(VALID_FOR));
        Renewed::Counts
    }

    /// The rooms are registered, after the renewal that was sent at `sent_at`. True: a lease that had lapsed counts again.
    #[must_use]
    pub fn registered(&mut self, now: Micros, sent_at: Micros) -> bool {
        let until = sent_at.plus(VALID_FOR);
        if until <= now {
            // It took too long: the next renewal finds out what happened meanwhile.
            return false;
        }
        self.clock.extend(until);
        std::mem::replace(&mut self.state, State::Held) == State::Lapsed
    }

    /// The renewal, or the registration after it, failed or was not answered in time.
    pub fn failed(&mut self) {
        self.has_lost_redis = true;
    }

    /// The last renewal failed.
    #[must_use]
    pub fn has_lost_redis(&self) -> bool {
        self.has_lost_redis
    }

    /// While Redis is lost: when each other node of the last directory last said over a direct link that it has lost Redis too; `None` for
    /// a node that does not say so. The lease goes on if all do, or if there are none.
    pub fn witnessed(&mut self, now: Micros, others: impl IntoIterator<Item = Option<Micros>>) {
        if !self.has_lost_redis || self.state == State::Lapsed || !self.clock.is_valid(now) {
            return;
        }
        let oldest = others
            .into_iter()
            .try_fold(now, |oldest, said_at| Some(oldest.min(said_at?)));
        if let Some(oldest) = oldest {
            self.clock.extend(oldest.plus(WITNESS_FOR));
        }
    }

    /// True, once, when the lease has lapsed.
    #[must_use]
    pub fn lapses(&mut self, now: Micros) -> bool {
        let lapses = self.state == State::Held && !self.clock.is_valid(now);
        if lapses {
            self.state = State::Lapsed;
        }
        lapses
    }
}

impl Default for Lease {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Micros = Micros::from_millis(1_000_000);

    fn at(millis: u64) -> Micros {
        T.plus(Micros::from_millis(millis))
    }

    fn held() -> Lease {
        let mut lease = Lease::new();
        assert_eq!(lease.renewed(T, T, true), Renewed::RegisterFirst);
        assert!(
            !lease.clock().is_valid(T),
            "not before the rooms are registered"
        );
        assert!(lease.registered(at(5), T));
        lease
    }

    #[test]
    fn a_lease_counts_from_when_its_renewal_was_sent() {
        let mut lease = held();
        assert_eq!(lease.clock().valid_until(), at(1_800));
        assert_eq!(lease.renewed(at(700), at(500), false), Renewed::Counts);
        assert_eq!(lease.clock().valid_until(), at(2_300));
        assert!(!lease.lapses(at(2_299)));
        assert!(lease.lapses(at(2_300)) && !lease.lapses(at(2_301)), "once");
    }

    #[test]
    fn a_late_answer_does_not_count() {
        let mut lease = held();
        assert!(lease.lapses(at(1_800)));
        assert_eq!(
            lease.renewed(at(3_000), at(500), false),
            Renewed::RegisterFirst
        );
        assert!(!lease.registered(at(3_000), at(500)));
        assert!(!lease.clock().is_valid(at(3_000)));
    }

    #[test]
    fn a_lapsed_lease_counts_after_registration() {
        let mut lease = held();
        // Nobody has asked whether it lapses: a paused process.
        assert_eq!(
            lease.renewed(at(2_000), at(1_990), false),
            Renewed::RegisterFirst
        );
        assert!(!lease.clock().is_valid(at(2_000)));
        assert!(lease.lapses(at(2_001)));
        assert!(lease.registered(at(2_010), at(1_990)));
        assert!(lease.clock().is_valid(at(2_010)));
    }

    #[test]
    fn a_forgotten_lease_is_registered_while_it_counts() {
        let mut lease = held();
        assert_eq!(
            lease.renewed(at(500), at(499), true),
            Renewed::RegisterFirst
        );
        assert!(lease.clock().is_valid(at(500)));
        assert!(!lease.registered(at(501), at(499)), "it never lapsed");
        assert_eq!(lease.clock().valid_until(), at(2_299));
    }

    #[test]
    fn a_lone_node_plays_on_without_redis() {
        let mut lease = held();
        lease.witnessed(at(1_000), []);
        assert_eq!(lease.clock().valid_until(), at(1_800), "Redis is not lost");
        lease.failed();
        for millis in (1_000..60_000).step_by(500) {
            lease.witnessed(at(millis), []);
            assert!(lease.clock().is_valid(at(millis + 499)));
        }
    }

    #[test]
    fn all_others_must_have_lost_redis_too() {
        let mut lease = held();
        lease.failed();
        lease.witnessed(at(1_700), [Some(at(1_650)), None]);
        assert_eq!(lease.clock().valid_until(), at(1_800));
        lease.witnessed(at(1_700), [Some(at(1_650)), Some(at(1_200))]);
        assert_eq!(
            lease.clock().valid_until(),
            at(2_200),
            "a second after the oldest word"
        );
        lease.witnessed(at(2_000), [Some(at(1_900)), None]);
        assert!(lease.lapses(at(2_200)), "one says otherwise");
        lease.witnessed(at(2_300), [Some(at(2_290)), Some(at(2_290))]);
        assert!(
            !lease.clock().is_valid(at(2_300)),
            "a lapsed lease is not brought back"
        );
    }
}
