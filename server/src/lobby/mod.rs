//! The lobby: from a connection's first message to its place in a room.
//!
//! In: connections from `net`, questions from `ops`. Out: commands to workers. [`client_ingress`] reads the messages of one
//! connection; [`directory`] knows which rooms there are and on which worker, a [`room_handle`] for each; [`matchmaker`] finds rooms
//! for players; [`over_limit`] says what of a flood is decoded; [`pending_join`] waits for the join hook; [`restored_rooms`] brings back
//! the rooms of the last process; [`tried_module`] tries the game's rules module; [`world_seeds`] makes the seeds of games. The lobby never ticks a room.

mod client_ingress;
mod directory;
mod matchmaker;
mod over_limit;
mod pending_join;
mod restored_rooms;
mod room_handle;
mod tried_module;
mod world_seeds;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::moderation::{ActedOn, SessionAction, Whom};
use crate::net::peer::connection::Connection;
use crate::net::room_service::{
    MatchRefusal, MatchRequest, Matched, RoomListPage, RoomListQuery, RoomService, RoomState,
};
use crate::net::rules_module::RulesModule;
use crate::ops::{Health, RoomOperations};
use crate::worker::{Command, WorkerHandle};
use client_ingress::ClientIngress;
use directory::RoomDirectory;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tickwire_sync::Tick;

pub use directory::{LobbyError, NewGame, schema_of};
pub use over_limit::OverLimit;

/// A worker that has made no progress for this long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(5);
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
        let directory = RoomDirectory::start(config, metrics, new_game)?;
        Ok(Arc::new(Self {
            directory: Arc::new(directory),
        }))
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
        self.directory.state(room, after).await
    }

    fn public_rooms(&self, query: &RoomListQuery) -> RoomListPage {
        self.directory.public_rooms(query)
    }

    fn find_match(
        &self,
        request: &MatchRequest,
        address: Option<IpAddr>,
    ) -> Result<Matched, MatchRefusal> {
        self.directory.find_match(request, address)
    }
}

impl RoomOperations for Lobby {
    async fn list_rooms(&self) -> Value {
        let lists = self
            .directory
            .ask_all(|answer| Command::List { answer })
            .await;
        let rooms = lists.into_iter().flatten().map(|mut room| {
            room["node"] = json!("local");
            room
        });
        Value::Array(rooms.collect())
    }

    async fn broadcast_notice(&self, text: &str, room: Option<&str>) -> Result<usize, String> {
        let command = |answer| Command::Notice {
            text: text.to_owned(),
            room: room.map(str::to_owned),
            answer,
        };
        let answers = self.directory.ask_all(command).await;
        let player_counts: Vec<usize> = answers.into_iter().flatten().collect();
        match room {
            Some(room) if player_counts.is_empty() => Err(format!("there is no room {room}")),
            _ => Ok(player_counts.into_iter().sum()),
        }
    }

    async fn act_on_sessions(&self, whom: &Whom, action: &SessionAction) -> ActedOn {
        let command = |answer| Command::ActOnSessions {
            whom: whom.clone(),
            action: action.clone(),
            answer,
        };
        let mut acted_on = ActedOn::default();
        for answer in self.directory.ask_all(command).await {
            acted_on.add(answer);
        }
        acted_on
    }

    fn health(&self) -> Health {
        let workers = &self.directory.workers;
        if !workers.iter().all(|worker| worker.is_alive(STUCK_AFTER)) {
            return Health::Stuck;
        }
        let late = workers.iter().map(WorkerHandle::late_for);
        match late_for_more_than_half(late.collect()) {
            Duration::ZERO => Health::Ok,
            late => Health::Late(late),
        }
    }

    async fn drain(&self) {
        let reason = "the server is going away; you will be back in a moment";
        self.directory
            .ask_all(|answer| Command::Goodbye {
                reason: reason.to_owned(),
                reconnect_after: RECONNECT_AFTER,
                answer,
            })
            .await;
        self.directory.close_checkpoints().await;
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
