//! What one node tells all others over the bus, which delivers each message once to each node.
//!
//! JSON: a message is for people and rare, and nodes of two versions understand each other's fields.

use crate::close::{Close, DisconnectReason};
use crate::moderation::{Entry, SessionAction, Target, Whom};
use crate::worker::RoomPost;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tickwire_game::RoomRecipient;

/// A message to all nodes, its sender included.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BusMessage {
    /// A notice to the players of a room, or of all.
    Notice {
        /// What they read.
        text: String,
        /// `None`: all rooms.
        room: Option<String>,
        /// Who wants to know how many got it.
        asker: Asker,
    },
    /// Something is done with sessions.
    Act {
        /// Whose sessions.
        whom: WhomOnBus,
        /// What is done.
        action: ActionOnBus,
        /// Who wants to know which they were.
        asker: Asker,
    },
    /// Messages from rooms to rooms, in order.
    Rooms(Vec<PostOnBus>),
    /// A ban or mute holds from now on.
    Entry(Value),
    /// A ban or mute is lifted.
    Lift(u64),
}

/// Who waits for the nodes' answers to a message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Asker {
    /// The node.
    pub node: String,
    /// The question's number there.
    pub number: u64,
}

/// [`RoomPost`] in JSON.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct PostOnBus {
    from: String,
    /// `None`: all other rooms.
    to: Option<String>,
    /// The payload in base64.
    body: String,
}

impl From<RoomPost> for PostOnBus {
    fn from(post: RoomPost) -> Self {
        Self {
            from: post.from,
            to: match post.to {
                RoomRecipient::Room(room) => Some(room),
                RoomRecipient::OtherRooms => None,
            },
            body: BASE64_STANDARD.encode(post.payload),
        }
    }
}

impl PostOnBus {
    /// `None`: the payload is none.
    pub fn read(self) -> Option<RoomPost> {
        Some(RoomPost {
            from: self.from,
            to: self
                .to
                .map_or(RoomRecipient::OtherRooms, RoomRecipient::Room),
            payload: BASE64_STANDARD.decode(self.body).ok()?,
        })
    }
}

/// [`Whom`] in JSON.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WhomOnBus {
    /// A session of a room.
    Session { room: String, number: u32 },
    /// All sessions of a subject.
    Sub(String),
    /// All sessions of an address or network.
    Address(String),
}

/// [`SessionAction`] in JSON.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ActionOnBus {
    /// They are only found.
    Find,
    /// They end.
    End { reason: String, is_ban: bool },
    /// They are muted.
    Mute(u64),
}

impl From<&Whom> for WhomOnBus {
    fn from(whom: &Whom) -> Self {
        match whom {
            Whom::Session { room, number } => Self::Session {
                room: room.clone(),
                number: *number,
            },
            Whom::Target(target) => match target.to_field() {
                ("sub", subject) => Self::Sub(subject),
                (_, address) => Self::Address(address),
            },
        }
    }
}

impl WhomOnBus {
    /// `None`: the address is none.
    pub fn read(self) -> Option<Whom> {
        Some(match self {
            Self::Session { room, number } => Whom::Session { room, number },
            Self::Sub(subject) => Whom::Target(Target::Subject(subject)),
            Self::Address(address) => Whom::Target(Target::parse_address(&address)?),
        })
    }
}

impl From<&SessionAction> for ActionOnBus {
    fn from(action: &SessionAction) -> Self {
        match action {
            SessionAction::Find => Self::Find,
            SessionAction::End(close) => Self::End {
                reason: close.reason.to_string(),
                is_ban: close.counted_as == DisconnectReason::Banned,
            },
            SessionAction::Mute(id) => Self::Mute(*id),
        }
    }
}

impl From<ActionOnBus> for SessionAction {
    fn from(action: ActionOnBus) -> Self {
        match action {
            ActionOnBus::Find => Self::Find,
            ActionOnBus::End { reason, is_ban } => {
                let why = match is_ban {
                    true => DisconnectReason::Banned,
                    false => DisconnectReason::Kicked,
                };
                Self::End(Close::unwanted(why, reason))
            }
            ActionOnBus::Mute(id) => Self::Mute(id),
        }
    }
}

impl BusMessage {
    /// The message that a ban or mute holds.
    pub fn entry(entry: &Entry) -> Self {
        Self::Entry(entry.to_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_between_rooms_are_read_as_they_were_written() {
        let recipients = [
            RoomRecipient::Room("b".to_owned()),
            RoomRecipient::OtherRooms,
        ];
        for to in recipients {
            let post = RoomPost {
                from: "a".to_owned(),
                to,
                payload: vec![0, 255, 7],
            };
            let json = serde_json::to_string(&PostOnBus::from(post.clone())).unwrap();
            let read: PostOnBus = serde_json::from_str(&json).unwrap();
            assert_eq!(read.read(), Some(post));
        }
    }

    #[test]
    fn whom_and_what_are_read_as_they_were_written() {
        let targets = ["192.0.2.1", "10.0.0.0/8", "2001:db8::/64"].map(Target::parse_address);
        let subject = Target::Subject("eve".to_owned());
        let targets = targets.into_iter().flatten().chain([subject]);
        let session = Whom::Session {
            room: "main".to_owned(),
            number: 7,
        };
        for whom in targets.map(Whom::Target).chain([session]) {
            assert_eq!(WhomOnBus::from(&whom).read(), Some(whom));
        }
        for why in [DisconnectReason::Kicked, DisconnectReason::Banned] {
            let action = SessionAction::End(Close::unwanted(why, "why"));
            assert_eq!(SessionAction::from(ActionOnBus::from(&action)), action);
        }
    }
}
