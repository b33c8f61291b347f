//! The latest copy of a room's public state, for HTTP requests.
//!
//! In: the copy that the room's worker makes. Out: the same bytes to everybody who asks, without the worker's help while they are
//! fresh. However many ask, the worker is asked once. Requests that wait for a newer tick leave a mark, and the worker makes a copy
//! right after the room's next tick: a room that rests has no copies made for them.

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
    /// The worker has been asked for a copy that it has not made yet.
    is_wanted: AtomicBool,
    /// A request waits for the room's next tick.
    is_tick_awaited: AtomicBool,
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

    /// The state at a newer tick than `after`, as soon as the room has made one; [`RoomState::Unchanged`] after `max_wait`. For a request
    /// that has just read the newest state. `ask` asks the worker, at most once: in a room that rests, asking again would find no newer
    /// tick.
    pub async fn read_newer(
        &self,
        after: Tick,
        max_wait: Duration,
        now: Micros,
        ask: impl FnOnce(),
    ) -> RoomState {
        let newer = async {
            let mut ask = Some(ask);
            loop {
                let changed = self.changed.notified();
                let mut changed = std::pin::pin!(changed);
                changed.as_mut().enable();
                let latest = self.latest();
                if let Some(copy) = latest.as_ref().filter(|copy| copy.is_after(after)) {
                    return copy.clone().answer();
                }
                self.is_tick_awaited.store(true, Ordering::SeqCst);
                let is_fresh = latest.is_some_and(|copy| now < copy.fresh_until);
                // The room may have made a tick before it was marked. After the next one, the worker looks for the mark.
                if let Some(ask) = ask.take_if(|_| !is_fresh)
                    && !self.is_wanted.swap(true, Ordering::AcqRel)
                {
                    ask();
                }
                changed.await;
            }
        };
        let newer = tokio::time::timeout(max_wait, newer).await;
        newer.unwrap_or(RoomState::Unchanged)
    }

    /// The room has made a tick. Whether somebody waits for it, so that the worker has to make a copy.
    pub fn wants_tick(&self) -> bool {
        // In nearly all rooms nobody waits, and a load is cheaper than a swap.
        self.is_tick_awaited.load(Ordering::Relaxed)
            && self.is_tick_awaited.swap(false, Ordering::SeqCst)
            && !self.is_wanted.swap(true, Ordering::AcqRel)
    }

    fn latest(&self) -> Option<StateCopy> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.clone()
    }

    /// The worker has made a copy, as JSON; `None`: the room has ended. A copy that is equal to the one before keeps its version, so that
    /// a room that rests has one.
    pub fn publish(&self, copy: Option<(Bytes, Tick)>, fresh_until: Micros) {
        let before = self.latest().and_then(|copy| copy.state);
        let state = copy.map(|(json, tick)| match before {
            Some(before) if before.json == json => before,
            _ => PublicState {
                json,
                tick,
                version: NEXT_VERSION.fetch_add(1, Ordering::Relaxed),
            },
        });
        let copy = StateCopy { state, fresh_until };
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(copy);
        self.is_wanted.store(false, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// The room has ended: who waits hears so.
    pub fn end(&self) {
        self.publish(None, Micros(u64::MAX));
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
    /// Whether a request that has the state at `after` is to be answered: by a newer tick, or because the room has ended.
    fn is_after(&self, after: Tick) -> bool {
        self.state.as_ref().is_none_or(|state| state.tick > after)
    }

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

    fn tick(tick: u32, json: &'static str) -> Option<(Bytes, Tick)> {
        Some((Bytes::from_static(json.as_bytes()), Tick(tick)))
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

    #[tokio::test]
    async fn the_awaited_tick_answers_all_who_wait() {
        let (board, asked) = (StateBoard::default(), AtomicUsize::new(0));
        let ask = || {
            asked.fetch_add(1, Ordering::Relaxed);
        };
        assert!(!board.wants_tick(), "nobody waits");
        board.publish(tick(7, "seven"), Micros(10));
        let waiting = (0..100).map(|_| board.read_newer(Tick(7), Duration::MAX, Micros(5), ask));
        let worker = async {
            // A copy of the same tick, which another request has asked for, is no answer.
            board.publish(tick(7, "seven again"), Micros(10));
            tokio::task::yield_now().await;
            assert!(board.wants_tick());
            assert!(!board.wants_tick(), "one copy is enough");
            board.publish(tick(8, "eight"), Micros(20));
        };
        let (answers, ()) = tokio::join!(futures_util::future::join_all(waiting), worker);
        assert!(answers.iter().all(|answer| json_of(answer) == b"eight"));
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        assert!(!board.wants_tick(), "nobody waits any more");
    }

    #[tokio::test]
    async fn a_room_that_rests_is_asked_once_for_a_newer_tick() {
        let (board, asked) = (StateBoard::default(), AtomicUsize::new(0));
        let ask = || {
            asked.fetch_add(1, Ordering::Relaxed);
        };
        board.publish(tick(7, "seven"), Micros(10));
        // The copy is old: the room may have made ticks since.
        let waiting = board.read_newer(Tick(7), Duration::MAX, Micros(50), ask);
        let worker = async {
            for _ in 0..3 {
                board.publish(tick(7, "seven"), Micros(10));
                tokio::task::yield_now().await;
            }
            board.end();
        };
        let (answer, ()) = tokio::join!(waiting, worker);
        assert_eq!(answer, RoomState::Missing, "the room has ended");
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn no_newer_tick_is_said_in_the_end() {
        let board = StateBoard::default();
        board.publish(tick(7, "seven"), Micros(10));
        let waiting = board.read_newer(Tick(7), Duration::ZERO, Micros(5), || {});
        assert_eq!(waiting.await, RoomState::Unchanged);
    }

    #[tokio::test]
    async fn an_equal_copy_keeps_its_version() {
        let board = StateBoard::default();
        let mut versions = Vec::new();
        for json in ["{}", "{}", "[]", "{}"] {
            board.publish(copy(json), Micros(10));
            versions.push(version_of(&board.read(Micros(5), || {}).await));
        }
        assert_eq!(versions[0], versions[1]);
        versions.dedup();
        assert_eq!(versions.len(), 3);
        versions.sort_unstable();
        versions.dedup();
        assert_eq!(versions.len(), 3);
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
