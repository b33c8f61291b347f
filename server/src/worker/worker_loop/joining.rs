//! Joins, as the worker of the room handles them.
//!
//! In: who comes to which room. Out: a session of the room, or a close with its reason.

use super::WorkerLoop;
use crate::clock::now;
use crate::close::{Close, CloseCode, DisconnectReason};
use crate::fair_share::RateByAddress;
use crate::log_limit;
use crate::metrics::ModerationEvent;
use crate::room::{JoinError, Link as _};
use crate::worker::command::Newcomer;
use crate::worker::room_runner::Activity;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

impl WorkerLoop {
    pub(super) fn join(
        &mut self,
        newcomer: Newcomer,
        rate: Option<&RateByAddress>,
        ask: Option<Box<dyn FnOnce() + Send>>,
    ) {
        let Newcomer {
            room,
            request,
            reservation,
            link,
            inbox,
        } = newcomer;
        if !self.lease.is_valid(now()) {
            // Another node may own the room by now.
            if let Some(runner) = self.room(&room) {
                runner.end_joining();
            }
            let reason = "the server is out of touch with the others; try again in a moment";
            return link.close(&Close::new(CloseCode::Full, reason));
        }
        self.wake(&room);
        let key = self.names.get(&room);
        let runner = key.and_then(|key| self.rooms.get_mut(*key));
        let Some(runner) = runner.filter(|runner| runner.activity != Activity::Closed) else {
            // The lobby keeps a room from ending while somebody is on the way, so the room has failed, which is not the
            // player's fault.
            link.close(&Close::new(
                CloseCode::Full,
                "the room has just ended; connect again",
            ));
            return;
        };
        let resumes = (rate.is_some() || ask.is_some()) && runner.room.is_resumable(&request);
        let is_too_fast = rate.is_some_and(|rate| !resumes && !rate.take(request.address, now()));
        if let Some(ask) = ask.filter(|_| !resumes && !is_too_fast) {
            // A reservation stays as it is: it is taken when the player comes again, let in by the hook.
            runner.end_joining();
            return ask();
        }
        let admitted = if is_too_fast {
            Err(JoinError::TooFast)
        } else {
            runner.admit(&request, &reservation, &self.metrics)
        };
        let join = || {
            let link = Arc::clone(&link);
            runner.room.join(&request, link, inbox, now())
        };
        let joined = match admitted {
            Ok(()) => catch_unwind(AssertUnwindSafe(join)),
            Err(refusal) => Ok(Err(refusal)),
        };
        if matches!(joined, Ok(Ok(_))) {
            // Before the join stops being counted: the lobby must not end a room that somebody has just come to.
            runner.record_join(&self.metrics);
        }
        runner.settle_seats();
        runner.end_joining();
        let Ok(joined) = joined else {
            runner.fail(&self.metrics);
            link.close(&Close::new(
                CloseCode::Full,
                "the room has just failed; connect again",
            ));
            return;
        };
        match joined {
            Ok(joined) => {
                let session = joined.player.0;
                if log_limit::admits("joined", now()) {
                    tracing::info!(room, session, resumed = joined.resumed, peer = %link.address(), "joined");
                }
            }
            Err(full @ (JoinError::Full | JoinError::TooFast)) => {
                link.close(&Close::new(CloseCode::Full, full.to_string()));
            }
            Err(unknown @ JoinError::Unknown) => {
                let reason = unknown.to_string();
                link.close(&Close::new(CloseCode::GoingAway, reason));
            }
            Err(replaced @ JoinError::Replaced) => {
                let reason = replaced.to_string();
                link.close(&Close::new(CloseCode::ResumedElsewhere, reason));
            }
            Err(JoinError::Banned(sentence)) => {
                let events = &self.metrics.moderation;
                events.get(ModerationEvent::BannedJoin).inc();
                link.close(&Close::unwanted(DisconnectReason::Banned, sentence));
            }
            Err(refusal) => {
                link.close(&Close::new(CloseCode::Policy, refusal.to_string()));
            }
        }
    }
}
