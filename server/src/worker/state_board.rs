//! The latest copy of a room's public state, for HTTP requests.
//!
//! In: the copy that the room's worker makes. Out: the same bytes to everybody who asks, without the worker's help while they are
//! fresh. However many ask, the worker is asked once.

use crate::net::room_service::{PublicState, RoomState};
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tickwire_sync::{Micros, Tick};
use tokio::sync::Notify;

/// How long a request waits for a worker that has no time to make a copy.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The next state's version. Begins at the time of day, so that no process has a version of the one before.
static NEXT_VERSION: LazyLock<AtomicU64> = LazyLock::new(|| {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    AtomicU64::new(since_epoch.unwrap_or_default().as_nanos() as u64)
});

/// A room's state, as everybody gets it.
#[derive(Clone, Debug)]
struct StateCopy {
    /// `None`: the room has ended.
    state: Option<PublicState>,
    /// The room changes only after this.
    fresh_until: Micros,
}

/// The latest copy of a room's state.
#[derive(Debug, Default)]
pub(crate) struct StateBoard {
    latest: Mutex<Option<StateCopy>>,
    is_wanted: AtomicBool,
    changed: Notify,
}

impl StateBoard {
    /// The state, once the worker has made it. `ask` asks the worker, and is called once however many requests wait.
    pub async fn read(&self, now: Micros, ask: impl FnOnce()) -> RoomState {
        let changed = self.changed.notified();
        let mut changed = std::pin::pin!(changed);
        changed.as_mut().enable();
        if let Some(copy) = self.latest().filter(|copy| now < copy.fresh_until) {
            return copy.answer();
        }
        if !self.is_wanted.swap(true, Ordering::AcqRel) {
            ask();
        }
        if tokio::time::timeout(MAX_WAIT, changed).await.is_err() {
            return RoomState::Busy;
        }
        self.latest().map_or(RoomState::Busy, StateCopy::answer)
    }

    fn latest(&self) -> Option<StateCopy> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.clone()
    }

    /// The worker has made a copy, as JSON; `None`: the room has ended.
    pub fn publish(&self, copy: Option<(Bytes, Tick)>, fresh_until: Micros) {
        let state = copy.map(|(json, tick)| PublicState {
            json,
            tick,
            version: NEXT_VERSION.fetch_add(1, Ordering::Relaxed),
        });
        let copy = StateCopy { state, fresh_until };
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(copy);
        self.is_wanted.store(false, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// The room has changed between its ticks: the copy is not fresh.
    pub fn expire(&self) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        // Requests that have waited for this copy may still be on their way to it.
        if let Some(copy) = latest.as_mut().filter(|copy| copy.state.is_some()) {
            copy.fresh_until = Micros(0);
        }
    }
}

impl StateCopy {
    fn answer(self) -> RoomState {
        self.state.map_or(RoomState::Missing, RoomState::Now)
    }
}

/// How much of a worker's time the states and the metadata of all its rooms may take together: one part in [`StateBudget::DIVISOR`].
#[derive(Debug, Default)]
pub(super) struct StateBudget {
    /// Nothing is made before this.
    pub next_at: Micros,
}

impl StateBudget {
    const DIVISOR: u64 = 20;

    /// A state or metadata were made from `began` to `ended`.
    pub fn spend(&mut self, began: Micros, ended: Micros) {
        self.next_at = ended.plus(Micros(ended.since(began).0.max(1) * (Self::DIVISOR - 1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn copy(json: &'static str) -> Option<(Bytes, Tick)> {
        Some((Bytes::from_static(json.as_bytes()), Tick(7)))
    }

    fn state_of(answer: &RoomState) -> &PublicState {
        match answer {
            RoomState::Now(state) => state,
            other => panic!("{other:?}"),
        }
    }

    fn json_of(answer: &RoomState) -> &[u8] {
        &state_of(answer).json
    }

    fn version_of(answer: &RoomState) -> u64 {
        state_of(answer).version
    }

    #[tokio::test]
    async fn a_thousand_requests_ask_the_worker_once() {
        let (board, asked) = (StateBoard::default(), AtomicUsize::new(0));
        let ask = || {
            asked.fetch_add(1, Ordering::Relaxed);
        };
        let requests = (0..1_000).map(|_| board.read(Micros(5), ask));
        let worker = async { board.publish(copy("{}"), Micros(10)) };
        let (answers, ()) = tokio::join!(futures_util::future::join_all(requests), worker);
        assert_eq!(json_of(&answers[0]), b"{}");
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        assert_eq!(board.read(Micros(9), ask).await, answers[0]);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_join_takes_no_copy_from_those_who_waited() {
        let (board, asked) = (StateBoard::default(), AtomicUsize::new(0));
        let ask = || {
            asked.fetch_add(1, Ordering::Relaxed);
        };
        let worker = async {
            board.publish(copy("{}"), Micros(10));
            board.expire();
        };
        let (first, ()) = tokio::join!(board.read(Micros(5), ask), worker);
        assert_eq!(json_of(&first), b"{}");
        // The next request gets a new copy.
        let worker = async { board.publish(copy("[]"), Micros(10)) };
        let (answer, ()) = tokio::join!(board.read(Micros(5), ask), worker);
        assert_eq!(json_of(&answer), b"[]");
        assert_ne!(version_of(&answer), version_of(&first));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn states_take_a_twentieth_of_a_worker_at_most() {
        let (mut budget, mut now, mut spent) = (StateBudget::default(), Micros(0), 0);
        while now < Micros::from_millis(1_000) {
            if now >= budget.next_at {
                let began = now;
                now = now.plus(Micros(400));
                spent += 400;
                budget.spend(began, now);
            } else {
                now = now.plus(Micros(10));
            }
        }
        assert!(spent <= 1_000_000 / 20 + 400, "{spent}");
    }
}
