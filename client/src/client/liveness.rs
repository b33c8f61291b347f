//! Liveness: gives up links that are dead, and replaces them.
//!
//! In: the time, and when each link was last heard of. Out: links closed, and when to open the next one. A silent link is kept
//! until the link opened beside it has joined, in case it recovers first.

use super::link_set::{Link, LinkState};
use super::reconnect::NO_ANSWER;
use super::{Action, Client, Phase};
use tickwire_sync::{Micros, Tick};

/// A joined link that is silent for this long counts as dead. The server sends a heartbeat every second, as a page cannot see
/// WebSocket pings.
const MAX_SILENCE: Micros = Micros::from_millis(3_000);
/// How long a connection attempt may take before the next one.
const ATTEMPT_TIMEOUT: Micros = Micros::from_millis(8_000);
/// Reconnect attempts over a network that answers nothing time out sooner: TCP retries its handshake after 1, 3 and 7 s, so
/// waiting for it may miss the network's return by seconds. The timeout is this many round trips, but at least
/// `MIN_QUICK_TIMEOUT`. After `QUICK_ATTEMPTS` in a row, attempts get the full timeout.
const QUICK_TIMEOUT_ROUND_TRIPS: u64 = 8;
const MIN_QUICK_TIMEOUT: Micros = Micros::from_millis(1_000);
const QUICK_ATTEMPTS: u32 = 10;
/// A message counts only when all of it has arrived, and over a slow line a `Welcome` with a large map, or the first snapshot,
/// takes its time. So each link in a row that delivers no snapshot gets twice the time of the one before, at most this many
/// doublings.
const MAX_DOUBLINGS: u32 = 3;
const SLOW_ANSWER: &str = "the server, or the way to it, is slow to answer";

/// The time limits that apply to all links in one poll.
#[derive(Clone, Copy)]
struct Limits {
    now: Micros,
    /// How long an attempt, or a link that was probed, may stay unanswered.
    answer_timeout: Micros,
    probed_at: Option<Micros>,
    has_snapshot: bool,
}

impl Limits {
    fn was_probed_in_vain(&self, link: &Link, timeout: Micros) -> bool {
        self.probed_at
            .is_some_and(|probed| link.last_heard <= probed && self.now.since(probed) > timeout)
    }

    fn ignores_probe(&self, link: &Link) -> bool {
        self.was_probed_in_vain(link, self.answer_timeout)
    }

    /// Whether a joined link seems dead.
    fn is_silent(&self, link: &Link) -> bool {
        let max_silence = if self.has_snapshot {
            MAX_SILENCE
        } else {
            doubled(MAX_SILENCE, link)
        };
        self.now.since(link.last_heard) > max_silence || self.ignores_probe(link)
    }

    /// Whether an attempt has timed out.
    fn is_hopeless(&self, link: &Link) -> bool {
        match link.state {
            LinkState::Joined => false,
            LinkState::Opening => self.now.since(link.last_heard) > self.answer_timeout,
            LinkState::Joining { .. } => {
                self.was_probed_in_vain(link, ATTEMPT_TIMEOUT)
                    || self.now.since(link.last_heard) > doubled(ATTEMPT_TIMEOUT, link)
            }
        }
    }
}

impl Client {
    pub(super) fn give_up_dead_links(&mut self, now: Micros) {
        let limits = Limits {
            now,
            answer_timeout: self.answer_timeout(),
            probed_at: self.links.probed_at,
            has_snapshot: self.snapshots.newest_tick != Tick(0),
        };
        self.replace_silent_link(limits);
        self.keep_revived_link(limits);
        self.drop_hopeless_links(limits);
    }

    /// Schedules another link beside a silent one.
    fn replace_silent_link(&mut self, limits: Limits) {
        let silent = self
            .links
            .all
            .iter()
            .find(|link| link.is_joined() && limits.is_silent(link));
        let Some(silent) = silent.copied() else {
            return;
        };
        if self.links.all.len() > 1 || self.links.retry_at.is_some() {
            return;
        }
        self.phase = Phase::Reconnecting;
        if limits.ignores_probe(&silent) {
            self.links.retry_at = Some(limits.now);
        } else {
            // The server itself may be what is silent. Then all its players wait for it, and must not return all at once.
            self.links.retry_after_pause(limits.now);
        }
        self.links.slow_starts += u32::from(!limits.has_snapshot);
    }

    /// Closes the other links if the silent one recovers. Not once another link has said `Hello`: the server then moves the
    /// session to that link, whatever happens here.
    fn keep_revived_link(&mut self, limits: Limits) {
        if self.phase != Phase::Reconnecting || self.links.is_any_joining() {
            return;
        }
        let alive = self
            .links
            .all
            .iter()
            .find(|link| link.is_joined() && !limits.is_silent(link))
            .map(|link| link.id);
        if let Some(alive) = alive {
            self.phase = Phase::Playing;
            self.links.last_error.clear();
            self.links.retry_at = None;
            self.close_others(alive);
        }
    }

    fn drop_hopeless_links(&mut self, limits: Limits) {
        let hopeless: Vec<Link> = self
            .links
            .all
            .extract_if(.., |link| limits.is_hopeless(link))
            .collect();
        for link in hopeless {
            self.actions.push_back(Action::Close(link.id));
            let is_slow = link.is_joining();
            self.links
                .set_error(if is_slow { SLOW_ANSWER } else { NO_ANSWER });
            self.links.slow_starts += u32::from(is_slow);
            if self.links.retry_at.is_none() {
                if limits.answer_timeout < ATTEMPT_TIMEOUT {
                    // A server that cannot be reached gains nothing from a pause.
                    self.links.retry_at = Some(limits.now);
                } else {
                    self.links.retry_after_pause(limits.now);
                }
            }
            self.links.unanswered_attempts += 1;
        }
    }

    fn answer_timeout(&self) -> Micros {
        if self.session.is_none() || self.links.unanswered_attempts >= QUICK_ATTEMPTS {
            return ATTEMPT_TIMEOUT;
        }
        let round_trip = self.clocks.server.min_round_trip().unwrap_or_default();
        Micros(round_trip.0 * QUICK_TIMEOUT_ROUND_TRIPS).clamp(MIN_QUICK_TIMEOUT, ATTEMPT_TIMEOUT)
    }
}

/// The limit for an open link that has delivered no snapshot yet, where the first such link has `limit`.
fn doubled(limit: Micros, link: &Link) -> Micros {
    Micros(limit.0 << link.slow_before.min(MAX_DOUBLINGS))
}
