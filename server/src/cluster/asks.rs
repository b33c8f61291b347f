//! What this node asks and tells the others, for people and lobbies.
//!
//! In: requests of operators, and of the game port. Out: the answers of all nodes as one. A node that does not answer in time is left out.

use super::bus_message::{Asker, BusMessage, PostOnBus};
use super::member::{Member, PATIENCE};
use super::question::{Question, RemoteMatch, RemoteState};
use crate::moderation::{ActedOn, SessionAction, SessionIdentity, Whom};
use crate::net::room_service::{
    MAX_STATE_WAIT, MatchRefusal, MatchRequest, Matched, PublicState, RoomListPage, RoomListQuery,
    RoomState,
};
use crate::worker::RoomPost;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tickwire_sync::Tick;
use tokio::task::JoinSet;

/// Between two copies of a state of another node's room.
const STATE_INTERVAL: Duration = Duration::from_millis(100);

/// Messages between rooms wait for so long for a Redis that does not answer.
const POSTS_WAIT_FOR: Duration = Duration::from_secs(30);
/// Between two looks whether this node has joined.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The latest copy of a state, with when it came. Locked while a newer one is fetched.
type LatestState = Arc<tokio::sync::Mutex<Option<(tokio::time::Instant, RoomState)>>>;

/// The latest states of other nodes' rooms that somebody asks for.
#[derive(Default)]
pub(super) struct RemoteStates(Mutex<HashMap<String, LatestState>>);

impl RemoteStates {
    fn of(&self, room: &str) -> LatestState {
        let states = self.0.lock();
        let mut states = states.unwrap_or_else(PoisonError::into_inner);
        if !states.contains_key(room) {
            // Those that nobody asks for now.
            states.retain(|_, state| Arc::strong_count(state) > 1);
        }
        Arc::clone(states.entry(room.to_owned()).or_default())
    }
}

/// [`ActedOn`] between nodes.
#[derive(Serialize, Deserialize)]
pub(super) struct RemoteActedOn {
    pub sessions: u64,
    pub first: Option<(Option<String>, Option<IpAddr>)>,
}

impl Member {
    /// The state of another node's room, at a newer tick than `after`. However many ask, its owner sends one copy at a time, and ten a second at most.
    pub async fn room_state(&self, room: &str, after: Option<Tick>) -> RoomState {
        let state = self.states.of(room);
        let asked = tokio::time::Instant::now();
        let newer = async {
            loop {
                let mut latest = state.lock().await;
                if let Some((fetched, known)) = &*latest {
                    let is_newer = match (known, after) {
                        (RoomState::Now(known), Some(after)) => known.tick > after,
                        _ => true,
                    };
                    if is_newer && fetched.elapsed() < STATE_INTERVAL {
                        return known.clone();
                    }
                    tokio::time::sleep_until(*fetched + STATE_INTERVAL).await;
                }
                let fetched = self.fetch_state(room, after).await;
                *latest = Some((tokio::time::Instant::now(), fetched.clone()));
                let is_wanted = match (&fetched, after) {
                    (RoomState::Now(now), Some(after)) => now.tick > after,
                    _ => true,
                };
                if is_wanted {
                    return fetched;
                }
            }
        };
        let patience = match after {
            Some(_) => MAX_STATE_WAIT,
            None => PATIENCE,
        };
        match tokio::time::timeout_at(asked + patience, newer).await {
            Ok(state) => state,
            Err(_) if after.is_some() => RoomState::Unchanged,
            Err(_) => RoomState::Busy,
        }
    }

    async fn fetch_state(&self, room: &str, after: Option<Tick>) -> RoomState {
        let Some(cluster) = self.cluster() else {
            return RoomState::Missing;
        };
        let peer = match cluster.locate(room).await {
            Ok(Some(node)) => cluster.peer(&node),
            Ok(None) => return RoomState::Missing,
            Err(_) => return RoomState::Busy,
        };
        let Some(peer) = peer.filter(|peer| !peer.is_congested()) else {
            return RoomState::Busy;
        };
        let question = Question::State {
            room: room.to_owned(),
            after: after.map(|tick| tick.0),
        };
        let patience = match after {
            Some(_) => MAX_STATE_WAIT + PATIENCE,
            None => PATIENCE,
        };
        match self.questions.ask(&peer, &question, patience).await {
            Some(RemoteState::Now(json, tick, version)) => RoomState::Now(PublicState {
                json: json.into(),
                tick: Tick(tick),
                version,
            }),
            Some(RemoteState::Unchanged) => RoomState::Unchanged,
            Some(RemoteState::Missing) => RoomState::Missing,
            Some(RemoteState::Busy) | None => RoomState::Busy,
        }
    }

    /// A page of the public rooms of all other nodes.
    pub async fn public_rooms(self: &Arc<Self>, query: &RoomListQuery) -> Vec<RoomListPage> {
        let question = Question::PublicRooms(query.clone());
        self.ask_all(&question).await
    }

    /// The operators' lists of all other nodes' rooms.
    pub async fn list_rooms(self: &Arc<Self>) -> Vec<Value> {
        let lists: Vec<String> = self.ask_all(&Question::Rooms).await;
        let lists = lists
            .iter()
            .filter_map(|list| serde_json::from_str(list).ok());
        lists.flat_map(|list: Vec<Value>| list).collect()
    }

    /// A seat in a room of another node.
    ///
    /// # Errors
    /// If there is none.
    pub async fn find_match(
        &self,
        request: &MatchRequest,
        address: Option<IpAddr>,
    ) -> Result<Matched, MatchRefusal> {
        let question = Question::Match {
            request: request.clone(),
            address,
        };
        let mut refusal = MatchRefusal::NoSuchRoom;
        for peer in self.peers() {
            let answer: Option<RemoteMatch> = self.ask(&peer, &question).await;
            match answer.map(Result::from) {
                Some(Ok(matched)) => return Ok(matched),
                Some(Err(other)) if other != MatchRefusal::NoSuchRoom => refusal = other,
                Some(Err(_)) | None => {}
            }
        }
        Err(refusal)
    }

    /// Asks all other nodes at once.
    async fn ask_all<A: DeserializeOwned + Send + 'static>(
        self: &Arc<Self>,
        question: &Question,
    ) -> Vec<A> {
        let mut asked = JoinSet::new();
        for peer in self.peers() {
            let (member, question) = (Arc::clone(self), question.clone());
            asked.spawn(async move { member.ask(&peer, &question).await });
        }
        asked.join_all().await.into_iter().flatten().collect()
    }

    /// Tells all nodes. Returns the sum of what they did, as far as they answer in time.
    async fn tell_all(
        &self,
        message: impl FnOnce(Asker) -> BusMessage,
    ) -> Result<Vec<RemoteActedOn>, String> {
        let Some(cluster) = self.cluster() else {
            return Err("this node has not joined its cluster yet".to_owned());
        };
        let mut awaited = self.questions.begin();
        let asker = Asker {
            node: self.me.as_str().to_owned(),
            number: awaited.number,
        };
        let message = serde_json::to_vec(&message(asker)).map_err(|error| error.to_string())?;
        let nodes = cluster.nodes().len();
        cluster
            .post(&message)
            .await
            .map_err(|error| format!("the other nodes can't be told: {error}"))?;
        let mut answers = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, async {
            while answers.len() < nodes {
                answers.extend(awaited.next::<RemoteActedOn>().await);
            }
        })
        .await;
        Ok(answers)
    }

    /// Tells the rooms of all nodes, this one included, what rooms here have to say. Tries for a while where Redis does not answer.
    ///
    /// # Errors
    /// A sentence for the operator, if nobody can be told.
    pub async fn post_room_messages(&self, posts: Vec<RoomPost>) -> Result<(), String> {
        let posts = posts.into_iter().map(PostOnBus::from).collect();
        let message =
            serde_json::to_vec(&BusMessage::Rooms(posts)).map_err(|error| error.to_string())?;
        let began = tokio::time::Instant::now();
        let cluster = loop {
            match self.cluster() {
                Some(cluster) => break cluster,
                None if began.elapsed() > POSTS_WAIT_FOR => {
                    return Err("this node has not joined its cluster".to_owned());
                }
                None => tokio::time::sleep(LOOK_AGAIN_AFTER).await,
            }
        };
        let rest = POSTS_WAIT_FOR.saturating_sub(began.elapsed());
        let posted = cluster.post_within(&message, rest).await;
        posted.map_err(|error| error.to_string())
    }

    /// Sends a notice to the players of all nodes. Returns how many got it, as far as the nodes answer.
    ///
    /// # Errors
    /// A sentence for the operator, if the bus cannot be reached or no node has the room.
    pub async fn broadcast_notice(&self, text: &str, room: Option<&str>) -> Result<usize, String> {
        if let (Some(room), Some(cluster)) = (room, self.cluster())
            && matches!(cluster.locate(room).await, Ok(None))
        {
            return Err(format!("there is no room {room}"));
        }
        let answers = self
            .tell_all(|asker| BusMessage::Notice {
                text: text.to_owned(),
                room: room.map(str::to_owned),
                asker,
            })
            .await?;
        Ok(answers.iter().map(|answer| answer.sessions as usize).sum())
    }

    /// Does something with sessions of all nodes.
    pub async fn act_on_sessions(&self, whom: &Whom, action: &SessionAction) -> ActedOn {
        let answers = self
            .tell_all(|asker| BusMessage::Act {
                whom: whom.into(),
                action: action.into(),
                asker,
            })
            .await;
        let mut acted_on = ActedOn::default();
        match answers {
            Ok(answers) => {
                for answer in answers {
                    acted_on.add(ActedOn {
                        sessions: answer.sessions as usize,
                        first: answer
                            .first
                            .map(|(subject, address)| SessionIdentity { subject, address }),
                    });
                }
            }
            Err(error) => {
                tracing::error!("{error}; it is done at this node alone");
                if let Some(directory) = self.directory() {
                    acted_on = directory.act_on_sessions(whom, action).await;
                }
            }
        }
        acted_on
    }

    /// Tells the other nodes of a ban or mute, or that one is lifted.
    pub async fn share(&self, message: &BusMessage) {
        let Some(cluster) = self.cluster() else {
            return;
        };
        let Ok(message) = serde_json::to_vec(message) else {
            return;
        };
        if let Err(error) = cluster.post(&message).await {
            tracing::error!("the other nodes do not know of the ban or mute: {error}");
        }
    }
}
