//! The lobby: from a connection's first message to its place in a room.
//!
//! In: connections from `net`, questions from `ops`. Out: commands to workers. [`client_ingress`] reads the messages of one
//! connection; [`directory`] knows which rooms there are and on which worker, a [`room_handle`] for each; [`matchmaker`] finds rooms
//! for players; [`room_search`] looks for those of other nodes, and [`claimed_rooms`] keeps this node's rooms in a cluster; [`over_limit`] says what of a flood is decoded; [`pending_join`] waits for the join hook; [`room_post`] carries messages between rooms; [`restored_rooms`] brings back
//! the rooms of the last process; [`tried_module`] tries the game's rules module; [`world_seeds`] makes the seeds of games. The lobby never ticks a room.

mod claimed_rooms;
mod client_ingress;
mod directory;
mod matchmaker;
mod over_limit;
mod pending_join;
mod restored_rooms;
mod room_handle;
mod room_post;
mod room_search;
mod tried_module;
mod world_seeds;

use crate::cluster::{BusMessage, JoinClusterError, Member, merged};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::moderation::{ActedOn, Entry, SessionAction, Whom};
use crate::net::peer::connection::Connection;
use crate::net::room_service::{
    MatchRefusal, MatchRequest, Matched, RoomListPage, RoomListQuery, RoomService, RoomState,
};
use crate::net::rules_module::RulesModule;
use crate::ops::{Health, RoomOperations};
use crate::recorder::{Clip, ClipError};
use crate::worker::{Command, PostBox, WorkerHandle};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tickwire_sync::Tick;

pub(crate) use claimed_rooms::ClaimedRoom;
pub(crate) use client_ingress::ClientIngress;
pub(crate) use directory::RoomDirectory;
pub(crate) use pending_join::PendingJoin;
pub(crate) use room_handle::{Tenure, is_private_name};
pub(crate) use room_search::RoomSearch;

pub use directory::{LobbyError, NewGame, schema_of};
pub use over_limit::OverLimit;

/// A worker that has made no progress for this long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(5);
/// In a cluster: how long players have to open a connection to another node while their rooms are still here. Their clients take up to a
/// second, so that not all of them come at once.
const LEAD_AWAY_FOR: Duration = Duration::from_millis(1_500);
/// Between the rooms that are handed over.
const HAND_OVER_PAUSE: Duration = Duration::from_millis(20);
/// How long players wait before they reconnect after a `Goodbye`: another server usually takes over at once.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// Lets players into rooms, and answers operators.
pub struct Lobby {
    directory: Arc<RoomDirectory>,
}

impl Lobby {
    /// Starts the workers. Makes and drops one game, to check that it can be played and to try its rules module.
    ///
    /// # Errors
    /// If the game's schema is invalid, or a worker's thread cannot start.
    pub fn start(
        config: Arc<Config>,
        metrics: Arc<Metrics>,
        new_game: NewGame,
    ) -> Result<Arc<Self>, LobbyError> {
        let (post_box, posts) = PostBox::new();
        let directory = Arc::new(RoomDirectory::start(config, metrics, new_game, post_box)?);
        tokio::spawn(room_post::deliver(posts, Arc::downgrade(&directory)));
        Ok(Arc::new(Self { directory }))
    }

    /// The name of the game that the rooms play.
    pub fn game_name(&self) -> &'static str {
        self.directory.game_name
    }
}

impl RoomService for Lobby {
    type Handler = ClientIngress;

    fn connected(
        self: &Arc<Self>,
        connection: Arc<Connection>,
        room: Option<String>,
    ) -> ClientIngress {
        ClientIngress::new(Arc::clone(&self.directory), connection, room)
    }

    fn rules_module(&self) -> Option<&RulesModule> {
        self.directory.rules_module.as_ref()
    }

    fn are_ticks_late(&self) -> bool {
        let mut workers = self.directory.workers.iter();
        workers.any(|worker| !worker.late_for().is_zero())
    }

    async fn room_state(&self, room: &str, after: Option<Tick>) -> RoomState {
        match (
            self.directory.state(room, after).await,
            &self.directory.member,
        ) {
            // A private room is nobody's to look at, wherever it is.
            (RoomState::Missing, Some(member)) if !is_private_name(room) => {
                member.room_state(room, after).await
            }
            (state, _) => state,
        }
    }

    async fn public_rooms(&self, query: &RoomListQuery) -> RoomListPage {
        let own = self.directory.public_rooms(query);
        match &self.directory.member {
            None => own,
            Some(member) => {
                let mut pages = member.public_rooms(query).await;
                pages.push(own);
                merged(pages, query.limit)
            }
        }
    }

    async fn find_match(
        &self,
        request: &MatchRequest,
        address: Option<IpAddr>,
    ) -> Result<Matched, MatchRefusal> {
        self.directory.find_match(request, address).await
    }
}

impl RoomOperations for Lobby {
    async fn clip(&self, room: &str) -> Result<Clip, ClipError> {
        self.directory.clip(room).await
    }

    async fn join_cluster(&self) -> Result<(), JoinClusterError> {
        match &self.directory.member {
            Some(member) => member.join(&self.directory).await,
            None => Ok(()),
        }
    }

    async fn list_rooms(&self) -> Value {
        let mut rooms = self.directory.list_rooms().await;
        if let Some(member) = &self.directory.member {
            rooms.extend(member.list_rooms().await);
        }
        Value::Array(rooms)
    }

    fn list_nodes(&self) -> Value {
        match &self.directory.member {
            Some(member) => member.list_nodes(),
            None => {
                let (players, rooms) = self.directory.load();
                json!([{ "node": "local", "self": true, "players": players, "rooms": rooms }])
            }
        }
    }

    async fn broadcast_notice(&self, text: &str, room: Option<&str>) -> Result<usize, String> {
        match (&self.directory.member, room) {
            (Some(member), room) => member.broadcast_notice(text, room).await,
            (None, room) => {
                let players = self.directory.notice(0, text, room).await;
                players.ok_or_else(|| format!("there is no room {}", room.unwrap_or_default()))
            }
        }
    }

    async fn act_on_sessions(&self, whom: &Whom, action: &SessionAction) -> ActedOn {
        match &self.directory.member {
            Some(member) => member.act_on_sessions(whom, action).await,
            None => self.directory.act_on_sessions(whom, action).await,
        }
    }

    async fn share_entry(&self, entry: &Entry) {
        if let Some(member) = &self.directory.member {
            member.share(&BusMessage::entry(entry)).await;
        }
    }

    async fn share_lift(&self, id: u64) {
        if let Some(member) = &self.directory.member {
            member.share(&BusMessage::Lift(id)).await;
        }
    }

    fn health(&self) -> Health {
        let workers = &self.directory.workers;
        if !workers.iter().all(|worker| worker.is_alive(STUCK_AFTER)) {
            return Health::Stuck;
        }
        let late = workers.iter().map(WorkerHandle::late_for);
        match late_for_more_than_half(late.collect()) {
            Duration::ZERO => match &self.directory.member {
                Some(member) if !member.is_confirmed() => Health::Lapsed,
                _ => Health::Ok,
            },
            late => Health::Late(late),
        }
    }

    async fn drain(&self) {
        let reason = "the server is going away; you will be back in a moment";
        if let Some(member) = &self.directory.member {
            return self.leave_cluster(member, reason).await;
        }
        self.directory
            .ask_all(|answer| Command::Goodbye {
                reason: reason.to_owned(),
                reconnect_after: RECONNECT_AFTER,
                answer,
            })
            .await;
        self.directory.close_stores().await;
    }
}

impl Lobby {
    /// Leads the players of this node to others, and hands its rooms over.
    async fn leave_cluster(&self, member: &Arc<Member>, reason: &str) {
        member.begin_drain();
        self.directory
            .ask_all(|answer| Command::LeadAway {
                reason: reason.to_owned(),
                answer,
            })
            .await;
        member.relays().lead_away(reason);
        // However short the timeout is, all rooms are saved.
        let quarter = self.directory.config.drain_timeout / 4;
        tokio::time::sleep(LEAD_AWAY_FOR.min(quarter)).await;
        let handed_over = self
            .directory
            .hand_over_all(reason, HAND_OVER_PAUSE, quarter)
            .await;
        member.count_handed_over(handed_over);
        member.relays().say_goodbye(reason, Duration::ZERO);
        self.directory.close_stores().await;
        member.leave().await;
    }
}

/// For how long more than half of the workers have been late: one slow room, and its worker, make no node unready.
fn late_for_more_than_half(mut late: Vec<Duration>) -> Duration {
    late.sort_unstable();
    late.reverse();
    late.get(late.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_half_of_the_workers_make_a_node_late() {
        let of = |seconds: &[u64]| {
            let late = seconds.iter().map(|late| Duration::from_secs(*late));
            late_for_more_than_half(late.collect()).as_secs()
        };
        assert_eq!((of(&[7]), of(&[7, 0]), of(&[7, 9])), (7, 0, 7));
        assert_eq!(
            (of(&[7, 0, 8]), of(&[7, 8, 0, 0]), of(&[5, 7, 8, 0])),
            (7, 0, 5)
        );
        assert_eq!(of(&[]), 0);
    }
}
