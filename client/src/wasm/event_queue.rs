//! Session events that the page has not read yet, flattened for JavaScript.
//!
//! In: events of the client core. Out: one [`PageEvent`] after the other. Never grows without bound: of a page that does not read,
//! the oldest game events are dropped.

use crate::client::SessionEvent;
use std::collections::VecDeque;
use wasm_bindgen::prelude::wasm_bindgen;

/// Game events kept for a page that does not read them, or that arrive together after a gap; beyond that the oldest are dropped.
const MAX_GAME_EVENTS: usize = 1_024;

/// The kind of a session event.
#[wasm_bindgen]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionEventKind {
    /// No event is left.
    None = 0,
    /// In the room. `number`: 1 if it is the same session as before.
    Joined = 1,
    /// A line of chat: `text`, sent by `name`. `number`: the sender's session, 0 for the server.
    Chat = 2,
    /// An announcement of the server's operator: `text`.
    Notice = 3,
    /// An event of the game. `number`: its kind, by the schema; `tick`: when it happened; `payload`.
    GameEvent = 4,
    /// A message of the game: `payload`.
    GameMessage = 5,
    /// Prediction has begun (`text` is empty), has ended, or cannot begin (`text` says why).
    Prediction = 6,
}

/// One session event. [`SessionEventKind`] says what its fields mean.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct PageEvent {
    pub kind: SessionEventKind,
    pub name: String,
    pub text: String,
    pub number: u32,
    pub tick: u32,
    pub payload: Vec<u8>,
}

impl PageEvent {
    pub const NONE: Self = Self {
        kind: SessionEventKind::None,
        name: String::new(),
        text: String::new(),
        number: 0,
        tick: 0,
        payload: Vec::new(),
    };
}

impl From<SessionEvent> for PageEvent {
    fn from(event: SessionEvent) -> Self {
        match event {
            SessionEvent::GameEvent(event) => Self {
                kind: SessionEventKind::GameEvent,
                number: event.kind,
                tick: event.tick.0,
                payload: event.payload,
                ..Self::NONE
            },
            SessionEvent::GameMessage(payload) => Self {
                kind: SessionEventKind::GameMessage,
                payload,
                ..Self::NONE
            },
            SessionEvent::Chat { from, name, text } => Self {
                kind: SessionEventKind::Chat,
                name,
                text,
                number: from,
                ..Self::NONE
            },
            SessionEvent::Notice(text) => Self {
                kind: SessionEventKind::Notice,
                text,
                ..Self::NONE
            },
            SessionEvent::Prediction { note } => Self {
                kind: SessionEventKind::Prediction,
                text: note.unwrap_or_default(),
                ..Self::NONE
            },
            SessionEvent::Joined { resumed } => Self {
                kind: SessionEventKind::Joined,
                number: u32::from(resumed),
                ..Self::NONE
            },
        }
    }
}

/// Events that the page has not read yet, oldest first.
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    events: VecDeque<PageEvent>,
    game_event_count: usize,
}

impl EventQueue {
    pub fn push(&mut self, event: PageEvent) {
        if event.kind == SessionEventKind::GameEvent {
            if self.game_event_count == MAX_GAME_EVENTS
                && let Some(oldest) =
                    (self.events.iter()).position(|event| event.kind == SessionEventKind::GameEvent)
            {
                self.events.remove(oldest);
                self.game_event_count -= 1;
            }
            self.game_event_count += 1;
        }
        self.events.push_back(event);
    }

    /// The oldest event; [`PageEvent::NONE`] if there is none.
    pub fn pop(&mut self) -> PageEvent {
        let event = self.events.pop_front().unwrap_or(PageEvent::NONE);
        self.game_event_count -= usize::from(event.kind == SessionEventKind::GameEvent);
        event
    }
}
