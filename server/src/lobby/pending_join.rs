//! A join that waits: for the join hook's answer, or until the room is found at another node.
//!
//! In: a validated `Hello`, and what was found out. Out: the join request to the room, or the close for the player. A client that has
//! gone meanwhile is not joined; whoever comes first, its end or the verdict, decides under one lock.

use super::directory::RoomDirectory;
use super::room_handle::RoomHandle;
use crate::close::{Close, DisconnectReason};
use crate::cluster::RelayedClient;
use crate::join_hook::{JoinHook, Question, Verdict};
use crate::room::{Inbox, InboxMessage, Link as _};
use crate::worker::{Newcomer, PlayerLink};
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
    /// The client plays there: its request is with the room's worker, or with another node.
    Decided(Destination),
}

/// Where a client plays.
#[derive(Clone)]
pub(super) enum Destination {
    /// In a room of this node.
    Room(RoomHandle),
    /// In a room of another node.
    Relay(Arc<RelayedClient>),
}

impl PendingJoin {
    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the client plays, once that is decided.
    pub fn destination(&self) -> Option<Destination> {
        match &*self.lock() {
            Stage::Decided(destination) => Some(destination.clone()),
            Stage::AwaitingVerdict | Stage::Gone => None,
        }
    }

    /// Decides about the client, unless it has gone. An error closes its connection.
    pub fn decide(&self, link: &PlayerLink, decide: impl FnOnce() -> Result<Destination, Close>) {
        let mut stage = self.lock();
        if matches!(*stage, Stage::Gone) || !link.is_open() {
            return;
        }
        match decide() {
            Ok(destination) => *stage = Stage::Decided(destination),
            Err(close) => link.close(&close),
        }
        drop(stage);
        // Its reader passes the connection on to the room's worker.
        link.poll_reader();
    }

    /// The client has gone: it is not joined any more or, if it was, its session learns of it.
    pub fn end(&self, inbox: &Inbox, why: DisconnectReason) {
        let mut stage = self.lock();
        match &*stage {
            Stage::Decided(Destination::Room(_)) => {
                inbox.put(InboxMessage::ConnectionClosed(why));
            }
            Stage::Decided(Destination::Relay(client)) => client.shut(why),
            Stage::AwaitingVerdict | Stage::Gone => *stage = Stage::Gone,
        }
    }
}

impl HookCaller {
    /// A closure that asks the hook, for a worker that does not know yet whether it has to be asked.
    pub fn asking(self, waiting: Waiting) -> Box<dyn FnOnce() + Send> {
        Box::new(move || self.ask(waiting, &Arc::new(PendingJoin::default())))
    }

    /// Asks the hook, and then joins or refuses. Returns at once.
    pub fn ask(&self, waiting: Waiting, pending: &Arc<PendingJoin>) {
        let (hook, pending) = (Arc::clone(&self.hook), Arc::clone(pending));
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
            waiting.conclude(verdict, &pending);
        });
    }
}

impl Waiting {
    fn conclude(mut self, verdict: Verdict, pending: &PendingJoin) {
        let link = Arc::clone(&self.newcomer.link);
        pending.decide(&link, || {
            let name = match verdict {
                Verdict::Admit { name } => name,
                Verdict::Refuse(close) => return Err(close),
            };
            if let Some(name) = name {
                self.newcomer.request.name = name;
                self.newcomer.request.is_name_vouched = true;
            }
            let handle = self.directory.send_admitted(self.newcomer)?;
            Ok(Destination::Room(handle))
        });
    }
}
