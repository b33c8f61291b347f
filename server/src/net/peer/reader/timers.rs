//! What time makes due for one connection: the `Hello`, pings and their pongs, and each step of the closing handshake.
//!
//! In: the time, and how far the connection is from its end. Out: pings, closes, the reader's next state, and when to look again.

use std::time::Instant;

use super::{Reader, ReaderState};
use crate::close::{Close, CloseCode, DisconnectReason};
use crate::net::peer::close_deadline::CloseDeadline;
use crate::net::peer::handler::Handler;
use crate::net::peer::keepalive::KeepaliveAction;
use crate::net::peer::outbox::SendState;

impl<H: Handler> Reader<H> {
    /// Does what the time, or a change by another thread, has made due.
    pub(super) fn advance(&mut self, now: Instant) {
        let has_hello = self.connection.has_hello();
        let is_quiet = self.connection.is_open()
            && matches!(self.state, ReaderState::Open)
            && now < self.quiet_until
            && has_hello == self.has_hello;
        // The usual case: this runs in every tick.
        if is_quiet {
            return;
        }
        self.has_hello = has_hello;
        if matches!(self.state, ReaderState::Open) {
            self.check_timers(now);
        }
        let pending_bytes = self.connection.pending_bytes();
        let is_overdue = match &mut self.state {
            ReaderState::AwaitClose(deadline) | ReaderState::AwaitEnd(deadline) => {
                deadline.has_passed(now, pending_bytes)
            }
            ReaderState::Open | ReaderState::Ended => false,
        };
        match (self.connection.send_state(), self.state) {
            (SendState::Ended, _) => self.state = ReaderState::Ended,
            (SendState::Closing, ReaderState::Open) => {
                let deadline = CloseDeadline::new(now, pending_bytes);
                self.state = ReaderState::AwaitClose(deadline);
            }
            // A peer that took nothing for so long would not take the end of the stream either.
            (_, ReaderState::AwaitClose(_)) if is_overdue && pending_bytes > 0 => {
                self.connection.abort(DisconnectReason::Lost);
                self.state = ReaderState::Ended;
            }
            (_, ReaderState::AwaitClose(_)) if is_overdue => self.finish(now),
            (_, ReaderState::AwaitEnd(_)) if is_overdue => self.state = ReaderState::Ended,
            _ => {}
        }
        if !self.connection.is_open() {
            self.report_close();
        }
        self.quiet_until = self.next_due();
    }

    fn check_timers(&mut self, now: Instant) {
        // Pings begin with the Hello; before it, only its deadline counts.
        if let Some(deadline) = self.hello_deadline() {
            if now >= deadline {
                self.connection.close(&Close::new(
                    CloseCode::HandshakeTimeout,
                    "no Hello came in time; connect and say Hello at once",
                ));
            }
            return;
        }
        // `now` may be some of a tick old, and a ping's stamp must be exact.
        match self.keepalive.poll(Instant::now()) {
            KeepaliveAction::None => {}
            KeepaliveAction::Ping(payload) => {
                let _ = self.connection.ping(&payload);
                self.metrics
                    .sent_bytes
                    .inc_by(self.connection.take_sent_bytes());
            }
            KeepaliveAction::TimedOut
                if (self.connection.progress())
                    .is_some_and(|progress| self.keepalive.has_progress(now, progress)) => {}
            KeepaliveAction::TimedOut => self.connection.close(&Close::new(
                CloseCode::HeartbeatTimeout,
                "no pong came in time; reconnect and resume",
            )),
        }
    }

    /// When something is due though no bytes arrive.
    fn next_due(&self) -> Instant {
        match self.state {
            ReaderState::AwaitClose(deadline) | ReaderState::AwaitEnd(deadline) => deadline.at(),
            ReaderState::Open | ReaderState::Ended => match self.hello_deadline() {
                Some(deadline) => deadline,
                None => self.keepalive.due(),
            },
        }
    }

    fn hello_deadline(&self) -> Option<Instant> {
        (self.policy.hello_deadline).filter(|_| !self.connection.has_hello())
    }

    /// Ends our side, and waits for the peer to end its own.
    pub(super) fn finish(&mut self, now: Instant) {
        self.connection.finish(DisconnectReason::Lost);
        let pending_bytes = self.connection.pending_bytes();
        self.state = ReaderState::AwaitEnd(CloseDeadline::new(now, pending_bytes));
    }
}
