//! What other nodes say, and the cluster itself: the calls of `tickwire-cluster`, none of which may wait.
//!
//! In: frames, questions, messages of the bus, news of leases. Out: messages of relayed players to rooms and connections, answers, and what
//! the bus says done in this node's rooms.

use super::asks::RemoteActedOn;
use super::bus_message::{BusMessage, PostOnBus};
use super::frame::{Frame, frames};
use super::member::Member;
use super::question::{Question, RemoteMatch, RemoteState, encoded};
use super::relay::{RelayedClient, Successor};
use crate::lobby::{RoomDirectory, RoomSearch};
use crate::moderation::Entry;
use crate::net::room_service::RoomState;
use crate::room::Inbox;
use serde_json::Value;
use std::sync::Arc;
use tickwire_cluster::{ClusterHandler, NodeId, Peer};
use tickwire_sync::Tick;

/// What players read while their node may not act for its rooms.
const FROZEN: &str =
    "the server has lost touch with the others; play goes on as soon as it is back";

/// The calls of the cluster to a member.
pub(super) struct Calls(pub Arc<Member>);

impl ClusterHandler for Calls {
    fn received(&self, from: &Arc<Peer>, payload: &[u8]) {
        let Some(directory) = self.0.directory() else {
            return;
        };
        let node = from.node();
        for frame in frames(payload) {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => return tracing::error!(%node, "{error}"),
            };
            match frame {
                Frame::Open { relay, opening } => {
                    self.0.relayed.open(&directory, from, relay, opening);
                }
                Frame::Up {
                    relay,
                    is_over_limit,
                    message,
                } => self.0.relayed.message(node, relay, message, is_over_limit),
                Frame::Line {
                    relay,
                    rtt_us,
                    pending_bytes,
                } => self
                    .0
                    .relayed
                    .update_line(node, relay, rtt_us, pending_bytes),
                Frame::Shut { relay, reason } => self.0.relayed.shut(node, relay, reason),
                Frame::Down { relay, messages } => self.0.relays.deliver(node, relay, messages),
                Frame::Close {
                    relay,
                    code,
                    counted_as,
                    reason,
                } => self.0.relays.close(node, relay, code, counted_as, reason),
                Frame::NotHere { relay } => {
                    let client = self.0.relays.take(node, relay);
                    if let Some(client) = &client {
                        client.say_shut();
                    }
                    self.0.look_again(&directory, client);
                }
                Frame::Ask { number, question } => {
                    let Ok(question) = postcard::from_bytes(question) else {
                        continue;
                    };
                    let (member, peer) = (Arc::clone(&self.0), Arc::clone(from));
                    self.0.runtime.spawn(async move {
                        let answer = member.answer(question).await;
                        let frame = Frame::Answer {
                            number,
                            answer: &answer,
                        };
                        peer.push(|batch| frame.write(batch));
                        peer.flush();
                    });
                }
                Frame::Answer { number, answer } => self.0.questions.answered(number, answer),
            }
        }
    }

    fn peer_lost(&self, node: &NodeId) {
        tracing::warn!(%node, "a node is gone, or what was under way with it is lost");
        self.0.relayed.lose(node);
        let clients = self.0.relays.take_all_of(node);
        if let Some(directory) = self.0.directory() {
            self.0.look_again(&directory, clients);
        }
    }

    fn bus_begins(&self, newest: u64) {
        // Rooms know from now on what they were given: nothing yet.
        let nothing = BusMessage::Rooms(Vec::new());
        let _ = self.0.bus.send((newest, nothing));
    }

    fn bus_message(&self, seq: u64, payload: &[u8]) {
        match serde_json::from_slice(payload) {
            // In their order: a ban may be lifted by the next one.
            Ok(message) => {
                let _ = self.0.bus.send((seq, message));
            }
            Err(error) => tracing::error!("a message of the bus can't be read: {error}"),
        }
    }

    fn bus_lost(&self) {
        tracing::error!(
            "Redis has forgotten the bus: notices, kicks and bans of the last moments may be missing"
        );
    }

    fn load(&self) -> (u32, u32) {
        self.0
            .directory()
            .map_or((0, 0), |directory| directory.load())
    }

    fn owned_rooms(&self) -> Vec<(String, u64)> {
        self.0
            .directory()
            .map_or_else(Vec::new, |directory| directory.owned_rooms())
    }

    fn rooms_lost(&self, rooms: &[String]) {
        // Whatever this node's epochs were: the directory has compared them.
        let lost: Vec<_> = rooms.iter().map(|room| (room.clone(), u64::MAX)).collect();
        self.0.lose_rooms(&lost);
    }

    fn lease_lapsed(&self) {
        tracing::error!(
            "this node's lease has lapsed: its rooms stand still until Redis confirms it"
        );
        let Some(directory) = self.0.directory() else {
            return;
        };
        self.0.runtime.spawn(async move {
            directory.notice(0, FROZEN, None).await;
        });
    }

    fn lease_confirmed(&self) {
        tracing::info!("this node's lease holds again");
    }
}

impl Member {
    /// Looks for the rooms of relayed clients, which are no longer where they were.
    fn look_again(
        self: &Arc<Self>,
        directory: &Arc<RoomDirectory>,
        clients: impl IntoIterator<Item = Arc<RelayedClient>>,
    ) {
        for client in clients {
            let (mut newcomer, opening) = client.going_on();
            newcomer.inbox = Arc::new(Inbox::for_messages_of(self.config.max_message_bytes));
            let (room, inbox) = (newcomer.room.clone(), Arc::clone(&newcomer.inbox));
            let search = RoomSearch {
                directory: Arc::clone(directory),
                member: Arc::clone(self),
                newcomer,
                opening,
            };
            let pending = Arc::default();
            // First, so that whoever hears of the search's end finds the search.
            client.set_successor(Successor {
                pending: Arc::clone(&pending),
                room,
                inbox,
            });
            search.begin_again(pending);
        }
    }

    async fn answer(&self, question: Question) -> Vec<u8> {
        let Some(directory) = self.directory() else {
            return Vec::new();
        };
        match question {
            Question::Rooms => encoded(&Value::Array(directory.list_rooms().await).to_string()),
            Question::PublicRooms(query) => encoded(&directory.public_rooms(&query)),
            Question::State { room, after } => {
                encoded(&match directory.state(&room, after.map(Tick)).await {
                    RoomState::Now(state) => {
                        RemoteState::Now(state.json.to_vec(), state.tick.0, state.version)
                    }
                    RoomState::Unchanged => RemoteState::Unchanged,
                    RoomState::Missing => RemoteState::Missing,
                    RoomState::Busy => RemoteState::Busy,
                })
            }
            // A seat would end with the node.
            Question::Match { .. } if self.is_draining() => encoded(&RemoteMatch::NoSuchRoom),
            Question::Match { request, address } => {
                encoded(&RemoteMatch::from(directory.find_seat(&request, address)))
            }
            Question::Moderation => {
                let entries = self.config.moderation.entries();
                let entries = entries.iter().map(Entry::to_json).collect();
                encoded(&Value::Array(entries).to_string())
            }
        }
    }

    /// Does what the message of the bus with this number says, and tells who asked what came of it.
    pub(super) async fn follow(&self, seq: u64, message: BusMessage) {
        let Some(directory) = self.directory() else {
            return;
        };
        let (asker, answer) = match message {
            BusMessage::Notice { text, room, asker } => {
                let players = directory.notice(seq, &text, room.as_deref()).await;
                let answer = RemoteActedOn {
                    sessions: players.unwrap_or(0) as u64,
                    first: None,
                };
                (asker, answer)
            }
            BusMessage::Act {
                whom,
                action,
                asker,
            } => {
                let Some(whom) = whom.read() else {
                    return;
                };
                let acted_on = directory.act_on_sessions(&whom, &action.into()).await;
                let answer = RemoteActedOn {
                    sessions: acted_on.sessions as u64,
                    first: acted_on.first.map(|first| (first.subject, first.address)),
                };
                (asker, answer)
            }
            BusMessage::Rooms(posts) => {
                let posts = posts.into_iter().filter_map(PostOnBus::read).collect();
                return directory.deliver_messages(seq, posts);
            }
            BusMessage::Entry(entry) => {
                match Entry::from_json(&entry) {
                    Ok(entry) => self.config.moderation.put(entry),
                    Err(problem) => {
                        return tracing::error!("another node's ban can't be read: {problem}");
                    }
                }
                return self.save_moderation().await;
            }
            BusMessage::Lift(id) => {
                self.config.moderation.lift(id);
                return self.save_moderation().await;
            }
        };
        let answer = encoded(&answer);
        if asker.node == self.me.as_str() {
            return self.questions.answered(asker.number, &answer);
        }
        let asker_id = NodeId::from_text(&asker.node);
        if let Some(peer) = self.cluster().and_then(|cluster| cluster.peer(&asker_id)) {
            let frame = Frame::Answer {
                number: asker.number,
                answer: &answer,
            };
            peer.push(|batch| frame.write(batch));
            peer.flush();
        }
    }

    async fn save_moderation(&self) {
        if let Err(error) = self.config.moderation.save().await {
            tracing::error!("bans and mutes can't be kept: {error}");
        }
    }
}
