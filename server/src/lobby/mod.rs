//! The lobby: from a connection's first message to its place in a room.
//!
//! In: connections from `net`, questions from `ops`. Out: commands to workers. [`client_ingress`] reads the messages of one
//! connection; [`directory`] knows which rooms there are and on which worker; [`tried_module`] tries the game's rules module. The lobby never ticks a room.

mod client_ingress;
mod directory;
mod tried_module;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::net::peer::connection::Connection;
use crate::net::room_service::RoomService;
use crate::net::rules_module::RulesModule;
use crate::ops::{Health, RoomOperations};
use crate::worker::{Command, WorkerHandle};
use client_ingress::ClientIngress;
use directory::RoomDirectory;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

pub use directory::{LobbyError, NewGame};

/// A worker that has made no progress for this long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(5);
/// How long players wait before they reconnect after a `Goodbye`: another server usually takes over at once.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);
/// A key for HS256 should be as long as its hash (RFC 7518, section 3.2).
const MIN_SECRET_BYTES: usize = 32;

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
        if let Some(secret) = &config.ticket_secret
            && secret.as_bytes().len() < MIN_SECRET_BYTES
        {
            tracing::warn!(
                "the secret of --ticket-secret-file is shorter than {MIN_SECRET_BYTES} bytes: it can be guessed"
            );
        }
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

    async fn room_state(&self, room: &str) -> Option<Arc<Value>> {
        let worker = self.directory.worker_of(room)?;
        let (answer, answered) = oneshot::channel();
        self.directory.workers[worker].send(Command::State {
            room: room.to_owned(),
            answer,
        });
        answered.await.ok()?
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

    fn health(&self) -> Health {
        let workers = &self.directory.workers;
        if !workers.iter().all(|worker| worker.is_alive(STUCK_AFTER)) {
            return Health::Stuck;
        }
        match workers.iter().map(WorkerHandle::late_for).max() {
            None | Some(Duration::ZERO) => Health::Ok,
            Some(late) => Health::Late(late),
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
    }
}
