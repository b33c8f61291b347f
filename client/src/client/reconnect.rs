//! Connecting and reconnecting: opens links, joins over them, and decides what a closed link means.
//!
//! In: what the shell reports about its sockets. Out: `Hello`, and when to try again or that the session is over.
//! Never judges a link by its silence: `liveness` does. `link_set` keeps the links, and `backoff` chooses the pauses.

use super::link_set::{Link, LinkId, LinkState};
use super::{Action, Client, Phase};
use prost::Message as _;
use tickwire_proto::CloseCode;
use tickwire_proto::v1::{self, client_message};
use tickwire_sync::Micros;

/// Error shown where nothing answers. A browser cannot tell a server that is down from one that refuses the upgrade.
pub(super) const NO_ANSWER: &str = "the server cannot be reached, or has no place free";

impl Client {
    pub(super) fn open(&mut self, now: Micros) {
        let id = self.links.add(now);
        self.actions.push_back(Action::Open(id));
    }

    /// Reports that a socket is open.
    pub fn opened(&mut self, id: LinkId, now: Micros) {
        let now = self.session_time(now);
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        link.state = LinkState::Joining { since: now };
        link.last_heard = now;
        self.links.unanswered_attempts = 0;
        self.links.newest_hello = self.links.newest_hello.max(id);
        let (resume_token, reservation) = match &self.session {
            Some(session) => (&session.resume_token, &Vec::new()),
            None => (&self.first_token, &self.options.reservation),
        };
        let (map_id, map_offset) = self.map.known();
        let hello = v1::Hello {
            version: tickwire_proto::VERSION,
            room: self.options.room.clone(),
            name: self.options.name.clone(),
            resume_token: resume_token.clone(),
            ticket: self.options.ticket.clone(),
            encoding: self.options.encoding.into(),
            spectate: self.options.is_spectator,
            last_message: self.newest_message,
            reservation: reservation.clone(),
            map_parts: true,
            map_id,
            map_offset,
            cell_parts: true,
        };
        self.send_on(id, client_message::Body::Hello(hello));
    }

    /// Reports that a socket is closed or could not be opened. `code` is the close code, if there was a closing handshake.
    pub fn closed(&mut self, id: LinkId, code: Option<u16>, reason: &str, now: Micros) {
        let now = self.session_time(now);
        let Some(link) = self.links.remove(id) else {
            return;
        };
        if matches!(self.phase, Phase::Closed { .. }) {
            return;
        }
        let known_code = code.and_then(CloseCode::from_number);
        // A `Hello` that is too big now is too big the next time as well.
        if known_code == Some(CloseCode::TooBig) && link.is_joining() {
            self.finish(CloseCode::TooBig, reason);
            return;
        }
        // After a resume the server closes the old link and sends `Welcome` on the new one. The two may arrive in either order, as they
        // are two sockets, or the second not at all.
        if known_code == Some(CloseCode::ResumedElsewhere) && id < self.links.newest_hello {
            self.lost(link, now);
            return;
        }
        if let Some(code) = known_code.filter(|code| code.is_final()) {
            self.finish(code, reason);
            return;
        }
        if !reason.is_empty() {
            self.links.set_error(reason);
        } else if link.state == LinkState::Opening {
            self.links.set_error(NO_ANSWER);
        }
        self.lost(link, now);
    }

    fn lost(&mut self, link: Link, now: Micros) {
        if link.is_joined() {
            self.phase = Phase::Reconnecting;
        }
        if self.links.all.is_empty() && self.links.retry_at.is_none() {
            self.links.retry_after_pause(now);
        }
    }

    /// Checks the connection at once: the device is online again, or woke from sleep.
    ///
    /// A pending retry becomes due. A link in use may have died with the previous network: it is pinged and has to answer.
    pub fn probe_now(&mut self, now: Micros) {
        let now = self.session_time(now);
        self.probe(now);
    }

    pub(super) fn probe(&mut self, now: Micros) {
        if self.links.retry_at.is_some() {
            self.links.retry_at = Some(now);
        }
        self.links.probed_at = Some(now);
        self.clocks.pings.postpone(now);
        self.send(client_message::Body::Ping(v1::Ping { stamp: now.0 }));
    }

    pub(super) fn finish(&mut self, code: CloseCode, reason: &str) {
        for link in self.links.all.drain(..) {
            self.actions.push_back(Action::Close(link.id));
        }
        self.links.retry_at = None;
        self.phase = Phase::Closed {
            code: code.number(),
            reason: reason.to_owned(),
        };
    }

    /// Closes all links but one.
    pub(super) fn close_others(&mut self, kept: LinkId) {
        for link in self.links.all.extract_if(.., |link| link.id != kept) {
            self.actions.push_back(Action::Close(link.id));
        }
    }

    /// Sends on the joined link; without one, drops the message.
    pub(super) fn send(&mut self, body: client_message::Body) {
        if let Some(link) = self.links.joined() {
            self.send_on(link, body);
        }
    }

    pub(super) fn send_on(&mut self, link: LinkId, body: client_message::Body) {
        let message = v1::ClientMessage { body: Some(body) }.encode_to_vec();
        self.counters.bytes_out += message.len() as u64;
        self.actions.push_back(Action::Send(link, message));
    }
}
