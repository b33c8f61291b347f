//! What one node asks another, and the answers.
//!
//! In: a question for a node. Out: its answer, or nothing where none comes in time: the node is gone, busy, or of another version. Questions
//! are for people and lobbies; nothing that a tick needs is asked.

use super::frame::Frame;
use crate::net::room_service::{MatchRefusal, MatchRequest, Matched, RoomListPage, RoomListQuery};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tickwire_cluster::Peer;
use tokio::sync::mpsc;

/// A question for another node. Each has a type of answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Question {
    /// The operators' list of its rooms: a JSON text.
    Rooms,
    /// A page of its public rooms: [`RoomListPage`].
    PublicRooms(RoomListQuery),
    /// The state of one of its rooms: [`RemoteState`].
    State {
        /// The room.
        room: String,
        /// Waits for a newer tick than this one.
        after: Option<u32>,
    },
    /// A seat in one of its rooms: [`RemoteMatch`].
    Match {
        /// What is wanted.
        request: MatchRequest,
        /// Whom the seat counts under.
        address: Option<IpAddr>,
    },
    /// Its bans and mutes: a JSON list.
    Moderation,
}

/// The public state of another node's room.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum RemoteState {
    /// The state, as JSON, its tick and its version.
    Now(Vec<u8>, u32, u64),
    /// No newer tick has come.
    Unchanged,
    /// There is no such room there.
    Missing,
    /// The worker has no time.
    Busy,
}

/// What came of a search for a seat.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum RemoteMatch {
    /// There is one.
    Found(Matched),
    /// No such room.
    NoSuchRoom,
    /// A wrong key.
    NotInvited,
    /// No free seat.
    Full,
}

impl From<Result<Matched, MatchRefusal>> for RemoteMatch {
    fn from(found: Result<Matched, MatchRefusal>) -> Self {
        match found {
            Ok(matched) => Self::Found(matched),
            Err(MatchRefusal::NoSuchRoom) => Self::NoSuchRoom,
            Err(MatchRefusal::NotInvited) => Self::NotInvited,
            Err(_) => Self::Full,
        }
    }
}

impl From<RemoteMatch> for Result<Matched, MatchRefusal> {
    fn from(found: RemoteMatch) -> Self {
        match found {
            RemoteMatch::Found(matched) => Ok(matched),
            RemoteMatch::NoSuchRoom => Err(MatchRefusal::NoSuchRoom),
            RemoteMatch::NotInvited => Err(MatchRefusal::NotInvited),
            RemoteMatch::Full => Err(MatchRefusal::RoomIsFull),
        }
    }
}

/// Questions whose answers have not come yet.
#[derive(Default)]
pub(super) struct Questions {
    newest: AtomicU64,
    open: Mutex<HashMap<u64, mpsc::UnboundedSender<Vec<u8>>>>,
}

/// A question that is forgotten when nobody waits for its answer any more.
pub(super) struct Awaited<'a> {
    questions: &'a Questions,
    pub number: u64,
    answers: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl Awaited<'_> {
    /// The next answer; `None`: it is none of this type.
    pub async fn next<A: DeserializeOwned>(&mut self) -> Option<A> {
        let answer = self.answers.recv().await?;
        postcard::from_bytes(&answer).ok()
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.questions.open().remove(&self.number);
    }
}

impl Questions {
    fn open(&self) -> MutexGuard<'_, HashMap<u64, mpsc::UnboundedSender<Vec<u8>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number whose answers are awaited: one of each node that is asked.
    pub fn begin(&self) -> Awaited<'_> {
        let number = self.newest.fetch_add(1, Ordering::Relaxed) + 1;
        let (answered, answers) = mpsc::unbounded_channel();
        self.open().insert(number, answered);
        Awaited {
            questions: self,
            number,
            answers,
        }
    }

    /// Asks a node. `None`: no answer came within `patience`.
    pub async fn ask<A: DeserializeOwned>(
        &self,
        peer: &Arc<Peer>,
        question: &Question,
        patience: Duration,
    ) -> Option<A> {
        let question = postcard::to_stdvec(question).ok()?;
        let mut awaited = self.begin();
        let frame = Frame::Ask {
            number: awaited.number,
            question: &question,
        };
        peer.push(|batch| frame.write(batch));
        peer.flush();
        let answer = tokio::time::timeout(patience, awaited.next());
        answer.await.ok().flatten()
    }

    /// An answer has come.
    pub fn answered(&self, number: u64, answer: &[u8]) {
        if let Some(asker) = self.open().get(&number) {
            let _ = asker.send(answer.to_vec());
        }
    }
}

/// An answer in bytes. A type that cannot be written has none.
pub(super) fn encoded<A: Serialize>(answer: &A) -> Vec<u8> {
    postcard::to_stdvec(answer).unwrap_or_default()
}

/// The pages of several nodes as one page.
pub(crate) fn merged(pages: Vec<RoomListPage>, limit: usize) -> RoomListPage {
    // Rooms behind a page that goes on may be missing on it, so nothing behind its end is shown.
    let end = pages.iter().filter_map(|page| page.next.clone()).min();
    let mut rooms: Vec<_> = pages.into_iter().flat_map(|page| page.rooms).collect();
    rooms.sort_by(|one, other| one.room.cmp(&other.room));
    rooms.dedup_by(|one, other| one.room == other.room);
    let is_complete = |name: &String| end.as_ref().is_none_or(|end| name <= end);
    rooms.retain(|room| is_complete(&room.room));
    let mut next = end;
    if rooms.len() > limit {
        rooms.truncate(limit);
        next = rooms.last().map(|room| room.room.clone());
    }
    RoomListPage { rooms, next }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::room_service::ListedRoom;

    fn page(rooms: &[&str], next: Option<&str>) -> RoomListPage {
        let listed = |room: &&str| ListedRoom {
            room: (*room).to_owned(),
            players: 0,
            max: 8,
            tags: tickwire_game::Tags::new(),
            metadata: Arc::default(),
        };
        RoomListPage {
            rooms: rooms.iter().map(listed).collect(),
            next: next.map(str::to_owned),
        }
    }

    fn shown(pages: Vec<RoomListPage>, limit: usize) -> (Vec<String>, Option<String>) {
        let merged = merged(pages, limit);
        let names = merged.rooms.into_iter().map(|room| room.room).collect();
        (names, merged.next)
    }

    #[test]
    fn pages_of_several_nodes_are_one_list_without_gaps() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let whole = vec![page(&["a", "d"], None), page(&["b"], None)];
        assert_eq!(shown(whole, 10), (names(&["a", "b", "d"]), None));
        // The second node has more rooms after c, perhaps before e.
        let cut = vec![page(&["a", "e"], None), page(&["b", "c"], Some("c"))];
        let next = Some("c".to_owned());
        assert_eq!(shown(cut, 10), (names(&["a", "b", "c"]), next));
        let many = vec![page(&["a", "c"], None), page(&["b", "d"], None)];
        let next = Some("c".to_owned());
        assert_eq!(shown(many, 3), (names(&["a", "b", "c"]), next));
    }
}
