//! Coming in: a new session, or an earlier one that is resumed.

use super::inbox::Inbox;
use super::link::Link;
use super::messages;
use super::session::{ResumeToken, Session};
use super::text;
use super::{Close, CloseCode, Room};
use crate::metrics::ResumeOutcome;
use rand::RngExt as _;
use std::sync::Arc;
use thiserror::Error;
use tickwire_game::{Identity, Refusal};
use tickwire_proto::MAX_NAME_CHARACTERS;
use tickwire_proto::v1::{self, server_message::Body};
use tickwire_sync::input_buffer::MAX_LEAD;
use tickwire_sync::memo::Encoding;
use tickwire_sync::{Micros, PlayerId};

/// A validated `Hello`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// Display name as it came; may be empty.
    pub name: String,
    /// Who that is beyond this server.
    pub subject: Option<String>,
    /// Token of an earlier session; may be empty.
    pub resume_token: Vec<u8>,
    /// The newest reliable message that the client has.
    pub last_message: u32,
    /// How blocks shall be encoded.
    pub encoding: Encoding,
    /// Watch without playing.
    pub is_spectator: bool,
}

/// Why nobody came in.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum JoinRefused {
    /// No place left.
    #[error("this room is full; try later or choose another room")]
    Full,
    /// The game said no.
    #[error(transparent)]
    Game(#[from] Refusal),
}

/// Who came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Joined {
    /// The session.
    pub player: PlayerId,
    /// Whether it is an earlier one.
    pub resumed: bool,
}

impl<L: Link> Room<L> {
    /// Lets a player in on a link, and sends `Welcome`.
    ///
    /// # Errors
    /// If the room is full or the game refuses; nothing was sent.
    pub fn join(
        &mut self,
        hello: &Hello,
        link: Arc<L>,
        inbox: Arc<Inbox>,
        now: Micros,
    ) -> Result<Joined, JoinRefused> {
        let resumed = self.find_resumable(hello);
        let index = match resumed {
            Some(index) => index,
            None => self.open_session(hello, now)?,
        };
        let session = &mut self.sessions[index];
        let joined = Joined {
            player: session.player,
            resumed: resumed.is_some(),
        };
        let old = session.attach(Arc::clone(&link), inbox, hello.encoding, now);
        session.tables_version = self.tables.version;
        if let Some(old) = old {
            old.close(&Close::new(
                CloseCode::ResumedElsewhere,
                "this session goes on over a newer connection",
            ));
        }
        if joined.resumed {
            self.game.resume(joined.player);
        }
        link.welcome(&self.welcome(index, joined.resumed, now));
        if joined.resumed {
            self.sessions[index].send_messages_after(hello.last_message);
        }
        Ok(joined)
    }

    fn find_resumable(&mut self, hello: &Hello) -> Option<usize> {
        let token = &hello.resume_token[..];
        if token.is_empty() {
            return None;
        }
        let number = token
            .get(..4)
            .and_then(|number| number.try_into().ok())
            .map(u32::from_le_bytes);
        let number = PlayerId(number.unwrap_or_default());
        let index = self
            .session_index(number)
            .filter(|index| is_equal(&self.sessions[*index].token, token))
            // Another one's ticket does not open it, whoever has the token.
            .filter(|index| self.sessions[*index].subject == hello.subject);
        let is_ours = token.get(4..12) == Some(&self.epoch.to_le_bytes());
        self.stats.count_resume(match index {
            Some(_) => ResumeOutcome::Resumed,
            // It is there, and somebody else's.
            None if self.session_index(number).is_some() => ResumeOutcome::Unknown,
            None if is_ours => ResumeOutcome::Expired,
            None => ResumeOutcome::Unknown,
        });
        index
    }

    fn open_session(&mut self, hello: &Hello, now: Micros) -> Result<usize, JoinRefused> {
        if self.sessions.len() >= self.settings.max_players {
            return Err(JoinRefused::Full);
        }
        let player = PlayerId(self.newest_session + 1);
        let name = clean_name(&hello.name, player);
        let identity = Identity {
            name,
            subject: hello.subject.clone(),
            is_spectator: hello.is_spectator,
        };
        let entity = self.game.join(player, &identity)?;
        self.newest_session = player.0;
        let mut token = ResumeToken::default();
        token[..4].copy_from_slice(&player.0.to_le_bytes());
        token[4..12].copy_from_slice(&self.epoch.to_le_bytes());
        token[12..].copy_from_slice(&self.random.random::<u128>().to_le_bytes());
        let mut session = Session::new(player, identity, token, self.tick, &self.settings, now);
        session.entity = entity;
        self.sessions.push(session);
        Ok(self.sessions.len() - 1)
    }

    fn welcome(&self, index: usize, resumed: bool, now: Micros) -> Vec<u8> {
        let session = &self.sessions[index];
        messages::encode(Body::Welcome(v1::Welcome {
            session: session.player.0,
            resume_token: session.token.to_vec(),
            resumed,
            room: self.name.clone(),
            name: session.name.clone(),
            entity: session.entity.map(|id| v1::EntityId {
                kind: u32::from(id.kind.0),
                slot: id.slot,
                generation: id.generation,
            }),
            tick_rate: self.settings.tick_rate,
            tick: self.tick.0,
            clock_us: now.0,
            tick_zero_us: self.ticks.tick_zero_us,
            schema: Some(self.schema_proto.clone()),
            game: self.game.name().to_owned(),
            map: self.map.clone(),
            rules_hash: self.game.rules_hash(),
            encoding: session.encoding.to_proto().into(),
            limits: Some(v1::Limits {
                max_message_bytes: u32::try_from(self.settings.max_message_bytes)
                    .unwrap_or(u32::MAX),
                resume_window_ms: u32::try_from(self.settings.resume_window.as_millis())
                    .unwrap_or(u32::MAX),
                max_rewind_ms: u32::try_from(self.settings.max_rewind.as_millis())
                    .unwrap_or(u32::MAX),
                max_input_lead: MAX_LEAD,
            }),
            last_seq: session.inputs.newest_seq().0,
            spectator: session.is_spectator,
            last_command: session.newest_command,
            tables: (session.encoding == Encoding::Packed).then(|| self.memo.tables().to_proto()),
        }))
    }
}

/// Compares in a time that does not tell how much was right.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .fold(0, |difference, (a, b)| difference | (a ^ b))
            == 0
}

fn clean_name(name: &str, player: PlayerId) -> String {
    let visible = text::cleaned(name, usize::MAX);
    let short: String = visible.trim().chars().take(MAX_NAME_CHARACTERS).collect();
    let name = short.trim_end().to_owned();
    match text::is_blank(&name) {
        true => format!("Player {player}"),
        false => name,
    }
}
