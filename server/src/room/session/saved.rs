//! A session as it outlives its process.
//!
//! In: a session. Out: what of it does not belong to a connection, and from that a session that waits for its player.

use super::reliable_messages::ReliableMessages;
use super::resume_token::ResumeToken;
use super::{Presence, Session};
use crate::room::join::player_name::NameSource;
use crate::room::link::Link;
use crate::room::saved::{Moment, RestorePoint};
use crate::room::settings::RoomSettings;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;
use tickwire_game::Identity;
use tickwire_sync::{EntityId, PlayerId, Seq};

/// A session between two processes.
#[derive(Serialize, Deserialize)]
pub(in crate::room) struct SavedSession {
    player: PlayerId,
    name: String,
    /// `None`: the name has a mark, and nobody holds it.
    name_source: Option<NameSource>,
    is_spectator: bool,
    subject: Option<String>,
    entity: Option<EntityId>,
    address: Option<IpAddr>,
    peer: Option<IpAddr>,
    mute: Option<u64>,
    /// When the ticket ends the session, in milliseconds since 1970.
    ticket_ends_unix_ms: Option<u64>,
    token: ResumeToken,
    was_connected: bool,
    /// How long the session waits at most, as its player said.
    grace: Option<Duration>,
    newest_seq: u32,
    newest_command: u32,
    newest_message: u32,
    /// Numbers, whether other sessions share them, and bytes.
    kept_messages: Vec<(u32, bool, Vec<u8>)>,
}

impl SavedSession {
    pub fn player(&self) -> PlayerId {
        self.player
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn name_source(&self) -> Option<NameSource> {
        self.name_source
    }

    /// Whether the player was connected, so that the game does not know yet that it is away.
    pub fn was_connected(&self) -> bool {
        self.was_connected
    }
}

impl<L: Link> Session<L> {
    pub(in crate::room) fn save(
        &self,
        name_source: Option<NameSource>,
        moment: Moment,
    ) -> SavedSession {
        let (newest_message, kept) = self.reliable.kept();
        let grace = match self.presence {
            Presence::Away { grace, .. } => grace,
            Presence::Connected { .. } => None,
            // The game learns of its end in the next tick.
            Presence::Over { .. } => Some(Duration::ZERO),
        };
        SavedSession {
            player: self.player,
            name: self.name.clone(),
            name_source,
            is_spectator: self.is_spectator,
            subject: self.subject.clone(),
            entity: self.entity,
            address: self.address,
            peer: self.peer,
            mute: self.mute,
            ticket_ends_unix_ms: self.ticket_ends.map(|ends| moment.to_unix_ms(ends)),
            token: self.token,
            was_connected: self.is_connected(),
            grace,
            newest_seq: self.inputs.newest_seq().0,
            newest_command: self.newest_command,
            newest_message,
            kept_messages: kept
                .map(|(number, is_shared, bytes)| (number, is_shared, bytes.to_vec()))
                .collect(),
        }
    }

    /// The session, as it waits for its player from now on. Its messages go on `skipped` numbers later.
    pub(in crate::room) fn restored(
        saved: SavedSession,
        skipped: u32,
        settings: &RoomSettings,
        point: RestorePoint,
    ) -> Self {
        let RestorePoint { tick, moment, .. } = point;
        let identity = Identity {
            name: saved.name,
            subject: saved.subject,
            is_spectator: saved.is_spectator,
        };
        let mut session = Self::new(
            saved.player,
            identity,
            saved.token,
            tick,
            settings,
            moment.now,
        );
        session.entity = saved.entity;
        session.address = saved.address;
        session.peer = saved.peer;
        session.mute = saved.mute;
        let ends = saved.ticket_ends_unix_ms;
        session.ticket_ends = ends.map(|unix_ms| moment.of_unix_ms(unix_ms));
        session.presence = Presence::Away {
            since: moment.now,
            grace: saved.grace,
        };
        session.inputs.count_from(Seq(saved.newest_seq));
        session.newest_command = saved.newest_command;
        let newest_message = saved.newest_message.saturating_add(skipped);
        session.reliable = ReliableMessages::restored(newest_message, saved.kept_messages, tick);
        session
    }
}
