//! The rooms of this node in its cluster: claimed, given up, lost to others.
//!
//! In: claims that the directory of the cluster has granted. Out: rooms that open here, from their checkpoints if there are any; and what the
//! cluster asks about this node's rooms.

use super::directory::RoomDirectory;
use super::room_handle::{RoomHandle, RoomProfile, Tenure, is_private_name};
use crate::clock::now;
use crate::close::{Close, CloseCode};
use crate::moderation::{ActedOn, SessionAction, Whom};
use crate::worker::{Command, Delivery, DeliveryBody, RoomPost};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tickwire_sync::Micros;
use tokio::sync::oneshot;

/// How long a claimed room waits for the player for whom it was claimed.
const HELD_FOR: Micros = Micros::from_millis(10_000);
/// Rooms that are handed over at the same time.
const HANDED_OVER_AT_ONCE: usize = 4;

/// A claim that was granted.
pub(crate) struct ClaimedRoom {
    /// Later than that of every owner before.
    pub epoch: u64,
    /// How often the room was ever claimed, this time included.
    pub opened: u64,
    /// The room's newest checkpoint; `None`: the room is new.
    pub checkpoint: Option<Vec<u8>>,
    /// Whether the join of the player who wants it is counted. Who comes with a token has not been counted, and does not open new rooms for
    /// nothing by that.
    pub is_counted: bool,
}

impl RoomDirectory {
    /// Whether this node has the room, open or waiting for its first player.
    pub fn is_here(&self, room: &str) -> bool {
        let rooms = self.rooms();
        let handle = rooms.by_name.get(room);
        handle.is_some_and(|handle| !handle.is_gone(now()))
    }

    /// Adds a room that this node has claimed. One that has a checkpoint opens at once, with its sessions waiting.
    ///
    /// # Errors
    /// The close for the player who wants it, if there is no place for a new room, or it would be a private one; the claim is given up.
    pub fn add_claimed(
        &self,
        room: &str,
        claimed: ClaimedRoom,
        opened_by: Option<IpAddr>,
    ) -> Result<(), Close> {
        let kept = self.kept.as_ref();
        let found = claimed
            .checkpoint
            .and_then(|checkpoint| kept?.read_claimed(room, claimed.epoch, checkpoint));
        // A Redis that forgot the room has counted anew.
        let before = found.as_ref().map_or(0, |found| found.head.process);
        let tenure = Tenure {
            epoch: Some(claimed.epoch),
            process: claimed.opened.max(before + 1),
        };
        let mut rooms = self.rooms();
        if let Some(found) = found {
            self.open_found(&mut rooms, found, tenure);
            return Ok(());
        }
        let counted = match claimed.is_counted {
            // A private room is opened by a match alone.
            _ if is_private_name(room) => Err(Close::new(
                CloseCode::Unsupported,
                "this private room has ended; ask for a new one (POST /match)",
            )),
            true => Ok(()),
            false => self.count_join(opened_by),
        };
        let added = counted.and_then(|()| {
            let profile = Arc::new(RoomProfile::default());
            let added = self.add_room(&mut rooms, room, opened_by, profile, tenure);
            added.map_err(|no_place| Close::new(CloseCode::Full, no_place.sentence()))
        });
        match added {
            Ok(handle) => {
                handle.held_until = now().plus(HELD_FOR);
                Ok(())
            }
            Err(close) => {
                if let Some(kept) = kept {
                    kept.release(room, claimed.epoch);
                }
                Err(close)
            }
        }
    }

    /// The rooms of this node, with the epochs of its claims.
    pub fn owned_rooms(&self) -> Vec<(String, u64)> {
        let rooms = self.rooms();
        let owned = rooms.by_name.iter();
        owned
            .filter_map(|(name, handle)| Some((name.clone(), handle.tenure.epoch?)))
            .collect()
    }

    /// Connected players, and rooms.
    pub fn load(&self) -> (u32, u32) {
        let rooms = self.rooms();
        let players: usize = rooms
            .by_name
            .values()
            .map(|handle| handle.entry.seats.players())
            .sum();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        (count(players), count(rooms.by_name.len()))
    }

    /// Other nodes own these rooms, of which these epochs are over: they end here, and their players come again.
    /// Returns how many were here.
    pub fn abandon(&self, lost: &[(String, u64)]) -> u64 {
        let mut count = 0;
        for (room, over) in lost {
            let is_over =
                |handle: &RoomHandle| handle.tenure.epoch.is_some_and(|epoch| epoch <= *over);
            let mut rooms = self.rooms();
            let is_lost = rooms.by_name.get(room).is_some_and(is_over);
            let handle = is_lost.then(|| rooms.by_name.remove(room)).flatten();
            drop(rooms);
            if let Some(handle) = handle {
                let room = room.clone();
                self.workers[handle.worker].send(Command::Abandon { room });
                count += 1;
            }
        }
        count
    }

    /// Gives the rooms here what another room has to say. `seq`: its number on the bus; 0: there is none.
    pub fn deliver_messages(&self, seq: u64, posts: Vec<RoomPost>) {
        let body = DeliveryBody::Messages(posts);
        let delivery = Arc::new(Delivery { seq, body });
        for worker in &self.workers {
            worker.send(Command::Deliver {
                delivery: Arc::clone(&delivery),
                answer: None,
            });
        }
    }

    /// Sends a notice to the players of one room, or of all rooms here. `seq`: its number on the bus; 0: there is none. `None`: the room is
    /// not here.
    pub async fn notice(&self, seq: u64, text: &str, room: Option<&str>) -> Option<usize> {
        let body = DeliveryBody::Notice {
            text: text.to_owned(),
            room: room.map(str::to_owned),
        };
        let delivery = Arc::new(Delivery { seq, body });
        let command = |answer| Command::Deliver {
            delivery: Arc::clone(&delivery),
            answer: Some(answer),
        };
        let answers = self.ask_all(command).await;
        let player_counts: Vec<usize> = answers.into_iter().flatten().collect();
        (room.is_none() || !player_counts.is_empty()).then(|| player_counts.into_iter().sum())
    }

    /// Does something with sessions of this node's rooms.
    pub async fn act_on_sessions(&self, whom: &Whom, action: &SessionAction) -> ActedOn {
        let command = |answer| Command::ActOnSessions {
            whom: whom.clone(),
            action: action.clone(),
            answer,
        };
        let mut acted_on = ActedOn::default();
        for answer in self.ask_all(command).await {
            acted_on.add(answer);
        }
        acted_on
    }

    /// The operators' list of this node's rooms.
    pub async fn list_rooms(&self) -> Vec<Value> {
        let node = self.member.as_ref().map_or("local", |member| member.name());
        let lists = self.ask_all(|answer| Command::List { answer }).await;
        let rooms = lists.into_iter().flatten().map(|mut room| {
            room["node"] = json!(node);
            room
        });
        rooms.collect()
    }

    /// Hands all rooms over to whichever nodes their players reach, a few at a time with a `pause` between, so that not all of them stand
    /// still at once. The pauses take at most `within` in all. Returns
    /// how many, once their last states are with the writer.
    pub async fn hand_over_all(&self, reason: &str, pause: Duration, within: Duration) -> usize {
        let rooms: Vec<(String, usize)> = {
            let rooms = self.rooms();
            let open = rooms.by_name.iter().filter(|(_, handle)| handle.is_open);
            open.map(|(name, handle)| (name.clone(), handle.worker))
                .collect()
        };
        let pauses = rooms.len().div_ceil(HANDED_OVER_AT_ONCE).max(1);
        let pause = pause.min(within / u32::try_from(pauses).unwrap_or(u32::MAX));
        for together in rooms.chunks(HANDED_OVER_AT_ONCE) {
            let mut answers = Vec::new();
            for (room, worker) in together {
                let (answer, answered) = oneshot::channel();
                let command = Command::HandOver {
                    room: room.clone(),
                    reason: reason.to_owned(),
                    answer,
                };
                if self.workers[*worker].send(command) {
                    answers.push(answered);
                }
                self.rooms().by_name.remove(room);
            }
            for answered in answers {
                let _ = answered.await;
            }
            tokio::time::sleep(pause).await;
        }
        rooms.len()
    }
}
