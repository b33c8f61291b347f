//! Lets a player into a room: with a new session, or by resuming an earlier one.
//!
//! In: a validated `Hello` and its link. Out: `Welcome` on the link, or the reason for the refusal.

use super::join_request::{JoinError, JoinRequest, Joined};
use super::player_name::{self, NameSource};
use crate::close::{Close, CloseCode};
use crate::metrics::ResumeOutcome;
use crate::room::Room;
use crate::room::inbox::Inbox;
use crate::room::link::Link;
use crate::room::recorded::{note, participant};
use crate::room::session::{Session, resume_token};
use crate::room::tick::codebook_schedule::UNKNOWN_VERSION;
use std::sync::Arc;
use tickwire_game::Identity;
use tickwire_proto::v1;
use tickwire_recording::Note;
use tickwire_sync::encode::Encoding;
use tickwire_sync::input_buffer::MAX_INPUT_LEAD_TICKS;
use tickwire_sync::{EntityId, Micros, PlayerId};

impl<L: Link> Room<L> {
    /// Lets a player in, and sends `Welcome` on its link.
    ///
    /// # Errors
    /// If the player is banned, the room is full or the game refuses the player; nothing was sent.
    pub fn join(
        &mut self,
        request: &JoinRequest,
        link: Arc<L>,
        inbox: Arc<Inbox>,
        now: Micros,
    ) -> Result<Joined, JoinError> {
        if request.goes_on && !self.keeps_clients {
            return Err(JoinError::Unknown);
        }
        // Looked up before `Hello` was passed on, too; but a ban may have come since, and may have ended the sessions before this one.
        let moderation = &self.settings.moderation;
        if let Some(banned) = moderation.ban_of(request.subject.as_deref(), request.peer) {
            return Err(JoinError::Banned(banned));
        }
        // The `Hello` of a page that was loaded again since can be held up for longer than that of the new page.
        let goes_on = (self.resumable_index(request)).or_else(|| self.find_subject(request));
        if goes_on.is_some_and(|index| self.sessions[index].is_newer_than(request.opened_at)) {
            return Err(JoinError::Replaced);
        }
        let resumed = self.find_resumable(request);
        // Who goes on does so with the session of the token, or not at all.
        let may_take_over = resumed.is_none() && !request.goes_on;
        let taken_over = may_take_over.then(|| self.find_subject(request)).flatten();
        let index = match resumed.or(taken_over) {
            Some(index) => index,
            None if request.goes_on => return Err(JoinError::Unknown),
            None => self.open_session(request, now)?,
        };
        let session = &mut self.sessions[index];
        if taken_over.is_some() {
            // The new client knows nothing of the messages and commands before.
            session.reliable.restart();
            session.newest_command = 0;
        }
        session.ticket_ends = request.ticket_ends;
        session.address = request.address;
        session.peer = request.peer;
        session.opened_at = request.opened_at;
        let joined = Joined {
            player: session.player,
            // A client with a token that is no longer good must forget the session of that token.
            resumed: resumed.is_some() || (taken_over.is_some() && request.resume_token.is_empty()),
        };
        let goes_on = resumed.is_some() || taken_over.is_some();
        let old = session.attach(Arc::clone(&link), inbox, request.encoding, now);
        session.view.take_parts(request.takes_cell_parts);
        session.map_transfer = self.welcome_parts.map.transfer_to(&request.map);
        session.codebooks_version = self.codebooks.version;
        // The new connection can come before the old one is known to be lost. The game sees both, in order.
        let is_replaced = old.is_some();
        if let Some(old) = old {
            old.close(&Close::new(
                CloseCode::ResumedElsewhere,
                "this session goes on over a newer connection",
            ));
        }
        let session = &self.sessions[index];
        note(&mut self.recorded, || match goes_on {
            true => Note::Resumed(joined.player),
            false => Note::Joined(participant(session)),
        });
        if goes_on {
            if is_replaced {
                self.game.away(joined.player);
            }
            self.game.resume(joined.player);
        }
        if request.goes_on {
            let session = &mut self.sessions[index];
            session.map_transfer = None;
            session.codebooks_version = UNKNOWN_VERSION;
        } else {
            let welcome = self.welcome(index, joined.resumed, now);
            let map = &self.welcome_parts.map;
            map.welcome(&*link, welcome, self.sessions[index].map_transfer);
        }
        if goes_on {
            self.sessions[index].send_kept_notices();
        }
        if resumed.is_some() {
            // Sent with the next ticks' batches.
            self.sessions[index]
                .reliable
                .resend_after(request.last_message);
            self.has_waiting_messages = true;
        }
        Ok(joined)
    }

    /// Whether the request resumes a session, which is never counted as a join.
    #[must_use]
    pub fn is_resumable(&self, request: &JoinRequest) -> bool {
        self.resumable_index(request).is_some()
    }

    /// Whether the request goes on with a session that there is: by its token, or as the ticket's subject. It needs no seat.
    #[must_use]
    pub fn has_session_of(&self, request: &JoinRequest) -> bool {
        self.is_resumable(request) || self.find_subject(request).is_some()
    }

    /// The index of the session that the request's token opens.
    fn resumable_index(&self, request: &JoinRequest) -> Option<usize> {
        let token = &request.resume_token[..];
        let index = self.session_index(resume_token::player_of(token))?;
        let session = &self.sessions[index];
        let is_same = resume_token::is_same(&session.token, token)
            // A stolen token does not open the session with another player's ticket.
            && session.subject == request.subject
            && !session.is_over();
        is_same.then_some(index)
    }

    /// The index of the session of the ticket's subject: each has one in a room.
    fn find_subject(&self, request: &JoinRequest) -> Option<usize> {
        let subject = request.subject.as_ref()?;
        let is_same =
            |session: &Session<L>| session.subject.as_ref() == Some(subject) && !session.is_over();
        self.sessions.iter().position(is_same)
    }

    /// The index of the session that the request resumes.
    fn find_resumable(&mut self, request: &JoinRequest) -> Option<usize> {
        let token = &request.resume_token[..];
        if token.is_empty() {
            return None;
        }
        let player = resume_token::player_of(token);
        let index = self.resumable_index(request);
        self.stats.count_resume(match index {
            Some(_) => ResumeOutcome::Resumed,
            // The session exists, and belongs to somebody else.
            None if self.session_index(player).is_some() => ResumeOutcome::Unknown,
            None if self.resume_tokens.is_of_this_room(token) => ResumeOutcome::Expired,
            None => ResumeOutcome::Unknown,
        });
        index
    }

    fn open_session(&mut self, request: &JoinRequest, now: Micros) -> Result<usize, JoinError> {
        let is_full =
            self.sessions.len().saturating_add(self.reserved_seats) >= self.settings.max_players;
        if is_full && !self.make_place(request.address, now) {
            return Err(JoinError::Full);
        }
        let player = PlayerId(self.newest_session + 1);
        let name = self.take_name(request, player);
        let identity = Identity {
            name,
            subject: request.subject.clone(),
            is_spectator: request.is_spectator,
        };
        let entity = match self.game.join(player, &identity) {
            Ok(entity) => entity,
            Err(refusal) => {
                self.names.give_back(&identity.name, player);
                return Err(refusal.into());
            }
        };
        self.newest_session = player.0;
        let token = self.resume_tokens.issue(player);
        let mut session = Session::new(player, identity, token, self.tick, &self.settings, now);
        session.entity = entity;
        self.sessions.push(session);
        Ok(self.sessions.len() - 1)
    }

    /// The name of a new player. A name that a service vouches for is taken from a player who gave it to themselves.
    fn take_name(&mut self, request: &JoinRequest, player: PlayerId) -> String {
        let source = match request.is_name_vouched {
            true => NameSource::Service,
            false => NameSource::Player,
        };
        if source == NameSource::Service {
            for displaced in self.names.displace(&request.name) {
                let Some(index) = self.session_index(displaced) else {
                    continue;
                };
                let session = &mut self.sessions[index];
                session.name = player_name::marked(&session.name, displaced);
                session.notice(&format!(
                    "your name belongs to another player, who has come; you are now {}",
                    session.name
                ));
                note(&mut self.recorded, || {
                    Note::Renamed(displaced, session.name.clone())
                });
                self.game.rename(displaced, &session.name);
            }
        }
        self.names.take(&request.name, source, player)
    }

    fn welcome(&self, index: usize, resumed: bool, now: Micros) -> v1::Welcome {
        let session = &self.sessions[index];
        v1::Welcome {
            session: session.player.0,
            resume_token: session.token.to_vec(),
            resumed,
            room: self.name.clone(),
            name: session.name.clone(),
            entity: session.entity.map(EntityId::to_proto),
            tick_rate: self.settings.tick_rate,
            tick: self.tick.0,
            clock_us: now.0,
            tick_zero_us: self.tick_clock.tick_zero_us,
            schema: Some(self.welcome_parts.schema.clone()),
            game: self.game.name().to_owned(),
            rules_hash: self.game.rules_hash(),
            encoding: session.encoding.to_proto().into(),
            limits: Some(v1::Limits {
                max_message_bytes: u32::try_from(self.settings.max_message_bytes)
                    .unwrap_or(u32::MAX),
                resume_window_ms: u32::try_from(self.settings.resume_window.as_millis())
                    .unwrap_or(u32::MAX),
                max_rewind_ms: u32::try_from(self.settings.max_rewind.as_millis())
                    .unwrap_or(u32::MAX),
                max_input_lead: MAX_INPUT_LEAD_TICKS,
            }),
            last_seq: session.inputs.newest_seq().0,
            spectator: session.is_spectator,
            last_command: session.newest_command,
            rules_module: self
                .settings
                .rules_module
                .map(|hash| hash.to_vec())
                .unwrap_or_default(),
            codebooks: (session.encoding == Encoding::Packed)
                .then(|| self.block_cache.codebooks().to_proto()),
            ..v1::Welcome::default()
        }
    }
}
