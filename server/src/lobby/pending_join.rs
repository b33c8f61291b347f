//! A join that waits for the join hook's answer.
//!
//! In: a validated `Hello`, and the hook's verdict. Out: the join request to the room, or the close for the player. A client that has
//! gone meanwhile is not joined; whoever comes first, its end or the verdict, decides under one lock.

use super::directory::RoomDirectory;
use super::room_handle::RoomHandle;
use crate::close::DisconnectReason;
use crate::join_hook::{JoinHook, Question, Verdict};
use crate::room::{Inbox, InboxMessage};
use crate::worker::Newcomer;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime;

/// The hook, and the runtime that asks it.
#[derive(Clone)]
pub(super) struct HookCaller {
    pub hook: Arc<JoinHook>,
    pub runtime: runtime::Handle,
}

/// What is needed to join once the hook has let the player in.
pub(super) struct Waiting {
    pub directory: Arc<RoomDirectory>,
    pub newcomer: Newcomer,
}

/// How far the join is.
#[derive(Default)]
pub(super) struct PendingJoin(Mutex<Stage>);

#[derive(Default)]
enum Stage {
    #[default]
    AwaitingVerdict,
    /// The client has gone.
    Gone,
    /// The request is with the room's worker.
    Sent(RoomHandle),
}

impl PendingJoin {
    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the player joins, once the hook has let the player in.
    pub fn room(&self) -> Option<RoomHandle> {
        match &*self.lock() {
            Stage::Sent(handle) => Some(handle.clone()),
            Stage::AwaitingVerdict | Stage::Gone => None,
        }
    }

    /// The client has gone: it is not joined any more or, if it was, its session learns of it.
    pub fn end(&self, inbox: &Inbox, why: DisconnectReason) {
        let mut stage = self.lock();
        match &*stage {
            Stage::Sent(_) => {
                inbox.put(InboxMessage::ConnectionClosed(why));
            }
            Stage::AwaitingVerdict | Stage::Gone => *stage = Stage::Gone,
        }
    }
}

impl HookCaller {
    /// Asks the hook, and then joins or refuses. Returns at once.
    pub fn ask(&self, waiting: Waiting) -> Arc<PendingJoin> {
        let pending = Arc::new(PendingJoin::default());
        let (hook, result) = (Arc::clone(&self.hook), Arc::clone(&pending));
        self.runtime.spawn(async move {
            // Here and not before: a worker calls this as well, and must not wait for the lobby.
            waiting.directory.hold_seat(&waiting.newcomer);
            let Newcomer { room, request, .. } = &waiting.newcomer;
            let question = Question {
                room: room.clone(),
                name: request.name.clone(),
                subject: request.subject.clone(),
                address: request.peer,
                is_spectator: request.is_spectator,
            };
            let verdict = hook.ask(&question).await;
            waiting.conclude(verdict, &result);
        });
        pending
    }
}

impl Waiting {
    fn conclude(mut self, verdict: Verdict, pending: &PendingJoin) {
        let mut stage = pending.lock();
        let connection = Arc::clone(&self.newcomer.connection);
        if matches!(*stage, Stage::Gone) || !connection.is_open() {
            return;
        }
        let name = match verdict {
            Verdict::Admit { name } => name,
            Verdict::Refuse(close) => return connection.close(&close),
        };
        if let Some(name) = name {
            self.newcomer.request.name = name;
            self.newcomer.request.is_name_vouched = true;
        }
        match self.directory.send_admitted(self.newcomer) {
            Ok(handle) => *stage = Stage::Sent(handle),
            Err(close) => connection.close(&close),
        }
        drop(stage);
        // Its reader passes the connection on to the room's worker.
        connection.poll_reader();
    }
}
