//! Keeps this node's lease: renews it, registers its rooms where Redis forgot them, and notices when it lapses.

use super::shared::{ANSWER_WITHIN, Core};
use crate::lease::Renewed;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tickwire_sync::Micros;
use tokio::time::{sleep, timeout};

/// How often the lease and the other nodes are looked at between renewals.
const WATCH_EVERY: Duration = Duration::from_millis(50);
/// The shortest time between two renewals, however many events ask for one.
const RENEW_AT_MOST_EVERY: Duration = Duration::from_millis(50);

impl Core {
    /// Renews the lease and reads the directory, for ever.
    pub async fn keep_lease(self: Arc<Self>) {
        loop {
            let wait = self.lease().renew_at().since(self.now());
            let _ = timeout(Duration::from_micros(wait.0), self.renew_now.notified()).await;
            self.renew().await;
            sleep(RENEW_AT_MOST_EVERY).await;
        }
    }

    /// Renews the lease once, and reads the directory.
    pub async fn renew(self: &Arc<Self>) {
        let sent_at = self.now();
        self.lease().renewing(sent_at);
        if let Err(error) = self.renew_at(sent_at).await {
            self.redis_lost(&error);
            return;
        }
        match timeout(ANSWER_WITHIN, self.read_directory()).await {
            Ok(Ok(())) => (),
            Ok(Err(error)) => tracing::debug!("the directory can't be read: {error}"),
            Err(_) => tracing::debug!("the directory can't be read: no answer within 500 ms"),
        }
    }

    async fn renew_at(&self, sent_at: Micros) -> Result<(), String> {
        let entry = self.entry();
        let answer = timeout(ANSWER_WITHIN, self.directory.renew(&entry)).await;
        let renewal = answer
            .map_err(|_| NO_ANSWER)?
            .map_err(|error| error.to_string())?;
        self.notice_lapse();
        let now = self.now();
        let renewed = self.lease().renewed(now, sent_at, renewal.was_missing);
        if renewed == Renewed::RegisterFirst {
            self.register(sent_at).await?;
        }
        self.redis_answered(renewal.was_missing);
        if renewal.was_missing {
            self.refresh_secret().await;
        }
        Ok(())
    }

    /// Registers the rooms of this node; the lease counts from then on.
    async fn register(&self, sent_at: Micros) -> Result<(), String> {
        let rooms = self.handler.owned_rooms();
        let answer = timeout(ANSWER_WITHIN, self.directory.register(&rooms)).await;
        let lost = answer
            .map_err(|_| NO_ANSWER)?
            .map_err(|error| error.to_string())?;
        if !lost.is_empty() {
            tracing::warn!("other nodes own {} rooms of this node by now", lost.len());
            self.handler.rooms_lost(&lost);
        }
        let lapsing = self.lapsing.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        if self.lease().lapses(now) {
            self.lapsed();
        }
        let counts_again = self.lease().registered(now, sent_at);
        drop(lapsing);
        if counts_again {
            self.handler.lease_confirmed();
        }
        Ok(())
    }

    /// Looks at the lease and at the other nodes, for ever.
    pub async fn watch(self: Arc<Self>) {
        loop {
            self.notice_lapse();
            let now = self.now();
            if self.has_lost_redis() {
                self.note_said_lost();
                let witnesses = self.members.witnesses(&self.me);
                self.lease().witnessed(now, witnesses);
            }
            if self.has_old_directory(now) {
                let lost = self.members.lose_silent(now);
                self.note_lost(&lost);
            }
            sleep(WATCH_EVERY).await;
        }
    }

    /// If the lease has lapsed: resets all streams, before it can count again.
    fn notice_lapse(&self) {
        let _lapsing = self.lapsing.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        if self.lease().lapses(now) {
            self.lapsed();
        }
    }

    fn lapsed(&self) {
        self.counters.add_lease_lapses(1);
        tracing::warn!("this node's lease has lapsed: its rooms wait until it is confirmed");
        let lapsed_at = self.context.lease.valid_until();
        for peer in self.members.all() {
            peer.reset_for_lapse(lapsed_at);
        }
        self.handler.lease_lapsed();
    }
}

const NO_ANSWER: &str = "no answer within 500 ms";
