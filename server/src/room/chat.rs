//! Chat: one player's line goes to all players, unless a mute, a rate limit or the game holds it back.
//!
//! In: lines from the sessions' inboxes, and who is muted. Out: a reliable message to every session, or a notice to the sender
//! that its line was refused.

use super::link::Link;
use super::messages::chat_message;
use super::recorded::note;
use super::session::reliable_messages::MessageBody;
use super::{Room, display_text};
use crate::token_bucket::TokenBucket;
use std::borrow::Cow;
use tickwire_recording::Note;
use tickwire_sync::Micros;

/// Longest line of chat; the rest is cut off.
const MAX_LINE_CHARACTERS: usize = 200;
/// Bytes of the longest line: a character of UTF-8 has four at most.
const MAX_LINE_BYTES: usize = 4 * MAX_LINE_CHARACTERS;
/// Lines that a room takes at once, and then per second. Each line goes to everybody, and a player behind a thin line must be
/// able to receive them all.
const ROOM_BURST_LINES: f64 = 60.0;
const ROOM_LINES_PER_SECOND: f64 = 20.0;
/// Lines that one player may send at once, and then per second.
const PLAYER_BURST_LINES: f64 = 5.0;
const PLAYER_LINES_PER_SECOND: f64 = 1.0;
/// Notices of refused lines that one player gets at once, and then per second.
const BURST_REFUSALS: f64 = 1.0;
const REFUSALS_PER_SECOND: f64 = 1.0;

/// A line of chat that may be shown: cleaned, cut after 200 characters, and not blank. It is made as soon as it has arrived, so that no
/// more of it waits for the tick than players will see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChatLine(Box<str>);

impl ChatLine {
    /// The line as others will see it; `None` if nothing of it can be seen.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let line = display_text::cleaned(text, MAX_LINE_CHARACTERS);
        debug_assert!(line.len() <= MAX_LINE_BYTES);
        (!display_text::is_blank(&line)).then(|| Self(line.into()))
    }

    /// The bytes that the line takes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Rate limits of one player's chat.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChatLimits {
    lines: TokenBucket,
    /// Notices that a line was refused.
    refusals: TokenBucket,
}

impl ChatLimits {
    pub fn new(now: Micros) -> Self {
        Self {
            lines: TokenBucket::new(PLAYER_BURST_LINES, PLAYER_LINES_PER_SECOND, now),
            refusals: TokenBucket::new(BURST_REFUSALS, REFUSALS_PER_SECOND, now),
        }
    }
}

/// The rate limit of the chat of all players of a room together.
pub(super) fn room_limit() -> TokenBucket {
    TokenBucket::new(ROOM_BURST_LINES, ROOM_LINES_PER_SECOND, Micros(0))
}

impl<L: Link> Room<L> {
    /// Sends a line of the session at `index` to all players, or refuses it.
    pub(super) fn chat(&mut self, index: usize, line: &ChatLine, now: Micros) {
        let session = &mut self.sessions[index];
        let mutes = self.settings.moderation.snapshot();
        let (subject, peer) = (session.subject.as_deref(), session.peer);
        let refusal: Option<Cow<'_, str>> =
            if let Some(muted) = mutes.mute_of(session.mute, subject, peer, now) {
                self.stats.muted_lines += 1;
                Some(
                    muted
                        .sentence("that line was not sent: you are muted")
                        .into(),
                )
            } else if !session.chat_limits.lines.take(now) {
                Some("you write too fast; that line was not sent".into())
            } else if !self.chat_lines.take(now) {
                Some("too many write at once; that line was not sent".into())
            } else {
                None
            };
        if let Some(refusal) = refusal {
            if session.chat_limits.refusals.take(now) {
                session.notice(&refusal);
            }
            return;
        }
        let (from, name) = (session.player, session.name.clone());
        if !self.game.chat(from, &line.0) {
            return;
        }
        note(&mut self.recorded, || Note::Chat(from, line.0.to_string()));
        let message = MessageBody::shared(&chat_message(from, &name, &line.0));
        for session in &mut self.sessions {
            session.push_reliable(message.clone(), self.tick);
        }
        self.has_waiting_messages = true;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn a_line_waits_as_long_as_it_will_be_shown() {
        let line = ChatLine::new(&"\u{1F680}".repeat(1_000)).unwrap();
        assert_eq!(line.len(), MAX_LINE_BYTES);
        // What is removed does not count, and what is blank does not wait at all.
        let hidden = format!("{}shown", "\u{200B}".repeat(1_000));
        assert_eq!(ChatLine::new(&hidden), ChatLine::new("shown"));
        assert_eq!(ChatLine::new("\u{200B} "), None);
    }
}
