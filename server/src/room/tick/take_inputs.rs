//! The first phase of a tick: gives every session its input for the tick.
//!
//! In: the sessions' inboxes, whose messages [`handle_messages`](super::handle_messages) handles. Out: each session's input
//! buffer is at the tick, and sessions that are over have ended.

use crate::close::{Close, CloseCode};
use crate::log_limit;
use crate::metrics::InputOutcome;
use crate::room::Room;
use crate::room::link::Link;
use crate::room::session::Session;
use tickwire_prefetch as prefetch;
use tickwire_sync::input_buffer::TickInput;
use tickwire_sync::{Micros, PlayerId};

/// A room is looked at twice a second at least. A longer time between two looks shows that the process stood still.
const PROCESS_PAUSE: Micros = Micros::from_millis(2_000);

impl<L: Link> Room<L> {
    /// Handles what has arrived since the last tick, advances the input buffers to the tick, and ends sessions that are over.
    pub(in crate::room) fn take_inputs(&mut self, now: Micros) {
        self.forgive_pause(now);
        let mut any_is_over = false;
        for index in 0..self.sessions.len() {
            prefetch::ahead(
                &self.sessions,
                index,
                prefetch::value,
                Session::prefetch_inputs,
            );
            self.handle_messages(index, now);
            let session = &mut self.sessions[index];
            session.grant_resync(now);
            session.follow_link(self.tick, self.settings.tick_rate);
            if session.ticket_has_ended(self.tick, now) {
                end_with_ticket(session, &self.name, now);
            }
            if session.expire(now, self.settings.resume_window) {
                log_expired(&self.name, session.player, now);
            }
            any_is_over |= session.is_over();
            session.inputs.advance(self.tick);
            match session.inputs.current() {
                TickInput::Fresh(_) => self.stats.count_input(InputOutcome::Applied),
                TickInput::Repeated(_) => self.stats.count_input(InputOutcome::Repeated),
                TickInput::Neutral => {}
            }
        }
        if any_is_over {
            self.end_sessions();
        }
    }

    /// Ends the sessions whose time is over, in a room that makes no ticks because nobody is connected. Returns whether any ended.
    pub fn expire_absent(&mut self, now: Micros) -> bool {
        self.forgive_pause(now);
        for session in &mut self.sessions {
            if session.expire(now, self.settings.resume_window) {
                log_expired(&self.name, session.player, now);
            } else if session.ticket_ends.is_some_and(|ends| now >= ends) {
                end_with_ticket(session, &self.name, now);
            }
        }
        let any_is_over = self.sessions.iter().any(Session::is_over);
        if any_is_over {
            self.end_sessions();
        }
        any_is_over
    }
}

impl<L: Link> Room<L> {
    /// A pause of the whole process, as when the machine sleeps, is no time in which a player could have come back: it does not count
    /// for those who are away.
    fn forgive_pause(&mut self, now: Micros) {
        let gap = self.last_look.map_or(Micros(0), |last| now.since(last));
        self.last_look = Some(now);
        if gap > PROCESS_PAUSE {
            for session in &mut self.sessions {
                session.wait_longer(gap);
            }
        }
    }
}

fn log_expired(room: &str, player: PlayerId, now: Micros) {
    if log_limit::admits("expired", now) {
        tracing::info!(room, session = player.0, "did not come back in time");
    }
}

/// Ends a session whose ticket has ended.
fn end_with_ticket<L: Link>(session: &mut Session<L>, room: &str, now: Micros) {
    if log_limit::admits("ticket_expired", now) {
        tracing::info!(room, session = session.player.0, "the ticket has expired");
    }
    session.send_waiting_now();
    if let Some(link) = session.link() {
        link.close(&Close::new(CloseCode::Policy, "ticket expired"));
    }
    session.end();
}
