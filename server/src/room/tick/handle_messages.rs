//! Handles the messages that have arrived for one session since the last tick.
//!
//! In: the session's inbox. Out: inputs in the session's input buffer, commands to the game, lines of chat, requests for a full
//! snapshot, and sessions that are over or without a connection.

use crate::close::{Close, CloseCode, DisconnectReason};
use crate::log_limit;
use crate::metrics::InputOutcome;
use crate::room::Room;
use crate::room::inbox::InboxMessage;
use crate::room::link::Link;
use crate::room::recorded::note;
use std::time::Duration;
use tickwire_recording::{DroppedInput, Note};
use tickwire_sync::Micros;
use tickwire_sync::input_buffer::InsertOutcome;

/// How long a session waits for a page that is gone without a word: as long as the SDK's pages ask for, as it may be reloaded.
const PAGE_GRACE: Duration = Duration::from_secs(10);
/// Messages of one session and tick that the room keeps memory for.
const MAX_KEPT_CAPACITY: usize = 64;

impl<L: Link> Room<L> {
    /// Handles the messages of the session at `index`, in the order of their arrival.
    pub(super) fn handle_messages(&mut self, index: usize, now: Micros) {
        let mut messages = std::mem::take(&mut self.inbox_messages);
        self.sessions[index].take_messages(&mut messages);
        for message in &messages {
            self.handle(index, message, now);
        }
        messages.clear();
        // A burst's memory does not stay.
        messages.shrink_to(MAX_KEPT_CAPACITY);
        self.inbox_messages = messages;
    }

    fn handle(&mut self, index: usize, message: &InboxMessage, now: Micros) {
        let session = &mut self.sessions[index];
        if session.is_away() || session.is_over() {
            // The player left with an earlier message. Commands after it come again when a player who left for a while resumes.
            return;
        }
        match message {
            InboxMessage::Input(input) => {
                let outcome = session.take_input(input, self.tick_clock);
                match outcome {
                    // Counted when its tick comes, by what the game then gets.
                    InsertOutcome::Accepted => return,
                    InsertOutcome::Late => self.stats.count_input(InputOutcome::Late),
                    InsertOutcome::Refused => self.stats.count_input(InputOutcome::Flooded),
                }
                if let Some(recorded) = &mut self.recorded {
                    recorded.facts.dropped.push(DroppedInput {
                        player: session.player,
                        seq: input.seq,
                        target: input.target,
                        is_late: outcome == InsertOutcome::Late,
                    });
                }
            }
            InboxMessage::Chat(line) => self.chat(index, line, now),
            InboxMessage::Command { number, payload } => {
                if session.is_new_command(*number) {
                    note(&mut self.recorded, || {
                        Note::Command(session.player, *number, payload.to_vec())
                    });
                    self.game.command(session.player, payload);
                }
            }
            InboxMessage::Resync { view_mismatch } => {
                if session.resync.request() && *view_mismatch {
                    self.stats.view_mismatches += 1;
                    note(&mut self.recorded, || Note::Mismatch(session.player));
                    // Logged once per session: a client that reports mismatches again and again must not fill the log.
                    if session.record_mismatch() {
                        tracing::error!(
                            room = self.name,
                            session = session.player.0,
                            "a replica disagrees with the server"
                        );
                    }
                }
            }
            InboxMessage::Leave { grace } if grace.is_zero() => {
                session.end();
                if log_limit::admits("left", now) {
                    tracing::info!(room = self.name, session = session.player.0, "left");
                }
            }
            InboxMessage::Leave { grace } => {
                let (player, link) = (session.player, session.leave_for(*grace, now));
                if log_limit::admits("left", now) {
                    let (room, session) = (&*self.name, player.0);
                    tracing::info!(room, session, ?grace, "left for a while");
                }
                if let Some(link) = link {
                    link.close(&Close::new(CloseCode::Normal, "you left for a while"));
                }
                note(&mut self.recorded, || Note::Away(player));
                self.game.away(player);
                self.limit_waiting(index, now);
            }
            InboxMessage::ConnectionClosed(why) => {
                session.detach(
                    (*why == DisconnectReason::PageClosed).then_some(PAGE_GRACE),
                    now,
                );
                let (player, why) = (session.player, why.as_str());
                if log_limit::admits("away", now) {
                    tracing::info!(room = self.name, session = player.0, why, "away");
                }
                note(&mut self.recorded, || Note::Away(player));
                self.game.away(player);
                self.limit_waiting(index, now);
            }
        }
    }
}
