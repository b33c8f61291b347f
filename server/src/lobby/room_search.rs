//! The search for a room that is not here: where it is, or that it opens here.
//!
//! In: a newcomer whose `Hello` is valid, and what the directory of the cluster says. Out: the join request to a room of this node, or a
//! relay to its owner. A search that finds nothing is repeated for some seconds: an owner may just have died, or Redis be away.

use super::directory::RoomDirectory;
use super::pending_join::{Destination, PendingJoin, Waiting};
use crate::close::{Close, CloseCode};
use crate::cluster::{Member, Opening, Whereabouts};
use crate::room::Link as _;
use crate::worker::{Newcomer, PlayerLink};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a room is looked for: as long as it takes until a dead owner's lease has lapsed, or a Redis that has just started lets rooms be
/// claimed, and a little more.
const PATIENCE: Duration = Duration::from_secs(8);

/// How long a room takes that is handed over: one write to Redis.
const MOMENT: Duration = Duration::from_millis(4);

/// A newcomer whose room is looked for.
pub(crate) struct RoomSearch {
    pub directory: Arc<RoomDirectory>,
    pub member: Arc<Member>,
    pub newcomer: Newcomer,
    /// What the room's owner must know, if that is another node.
    pub opening: Opening,
}

impl RoomSearch {
    /// Begins the search. Returns at once.
    pub fn begin(self) -> Arc<PendingJoin> {
        let pending = Arc::new(PendingJoin::default());
        self.begin_after(Duration::ZERO, Arc::clone(&pending));
        pending
    }

    /// Begins the search for a room that has just left its node, and may be there for a moment longer as far as the directory knows.
    pub fn begin_again(self, pending: Arc<PendingJoin>) {
        self.begin_after(MOMENT, pending);
    }

    fn begin_after(self, pause: Duration, pending: Arc<PendingJoin>) {
        let runtime = self.member.runtime().clone();
        runtime.spawn(async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            self.run(&pending).await;
        });
    }

    async fn run(self, pending: &Arc<PendingJoin>) {
        let link = Arc::clone(&self.newcomer.link);
        let deadline = Instant::now() + PATIENCE;
        while link.is_open() {
            let (room, address) = (&self.newcomer.room, self.newcomer.request.address);
            let is_counted = self.newcomer.request.resume_token.is_empty();
            let member = &self.member;
            let search = member.find_or_claim(&self.directory, room, address, is_counted);
            match search.await {
                Whereabouts::Here => return self.join_here(pending),
                Whereabouts::At(peer) => {
                    return match &*link {
                        PlayerLink::Local(connection) => pending.decide(&link, || {
                            let relays = self.member.relays();
                            let connection = Arc::clone(connection);
                            let opened =
                                relays.open(peer, connection, self.newcomer.clone(), self.opening);
                            opened
                                .map(Destination::Relay)
                                .map_err(|error| Close::new(CloseCode::Full, error.to_string()))
                        }),
                        // Its relay looks again, rather than that a player goes over three nodes.
                        PlayerLink::Relayed(link) => link.refer_elsewhere(),
                    };
                }
                Whereabouts::Refused(close) => return link.close(&close),
                Whereabouts::Unclear(_) if self.member.is_draining() && !link.is_here() => {
                    if let PlayerLink::Relayed(link) = &*link {
                        link.refer_elsewhere();
                    }
                    return;
                }
                Whereabouts::Unclear(_) if Instant::now() > deadline => {
                    let reason = "the room cannot be reached now; try again in a moment";
                    return link.close(&Close::new(CloseCode::Full, reason));
                }
                Whereabouts::Unclear(pause) => tokio::time::sleep(pause).await,
            }
        }
    }

    /// The room is here: the newcomer joins it like any other, but that its join is counted already.
    fn join_here(self, pending: &Arc<PendingJoin>) {
        let Self {
            directory,
            newcomer,
            ..
        } = self;
        let link = Arc::clone(&newcomer.link);
        let has_token = !newcomer.request.resume_token.is_empty();
        // In a room that is still to be opened there is nothing to resume.
        let may_resume = has_token && directory.has_room(&newcomer.room);
        let Some(caller) = directory.join_hook.clone() else {
            return pending.decide(&link, || {
                let handle = match has_token {
                    true => directory.send_to_room(newcomer, None)?,
                    false => directory.send_admitted(newcomer)?,
                };
                Ok(Destination::Room(handle))
            });
        };
        let waiting = Waiting {
            directory: Arc::clone(&directory),
            newcomer: newcomer.clone(),
        };
        if may_resume {
            let ask = caller.asking(waiting);
            return pending.decide(&link, || {
                Ok(Destination::Room(
                    directory.send_to_room(newcomer, Some(ask))?,
                ))
            });
        }
        match directory.check_claim(&newcomer) {
            Ok(()) => caller.ask(waiting, pending),
            Err(close) => link.close(&close),
        }
    }
}
