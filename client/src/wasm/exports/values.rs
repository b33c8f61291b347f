//! What JavaScript reads of a session as one value: numbers, strings and bytes, by name.
//!
//! One function for each type: a getter of its own for every value would cost the page a hundred bytes each, in both languages
//! (docs/decisions/2026-11-30-small-core.md). `web/src/sdk/core.ts` has the same names.

use crate::client::Phase;
use crate::wasm::client::WasmClient;
use crate::wasm::welcome_json::welcome_json;
use wasm_bindgen::prelude::wasm_bindgen;

/// What [`WasmClient::number`] gives.
#[wasm_bindgen]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CoreNumber {
    /// State of the session: a [`PhaseKind`].
    Phase = 0,
    /// The close code of a session that is over; 0 before.
    CloseCode = 1,
    /// The tick of the newest snapshot; 0 before the first one.
    Tick = 2,
    /// 1 if the player's own entity is predicted. If not, [`CoreString::PredictionNote`] says why.
    IsPredicting = 3,
    /// The number of the newest input made, as the server knows it: an event of the game may name the input that caused it.
    InputNumber = 4,
    /// 1 if an input of one tick waits for its tick.
    IsPressWaiting = 5,
    /// The number of the newest chat line or game message received.
    NewestMessage = 6,
    /// The socket of the latest action.
    ActionLink = 7,
    /// Address of the message of the latest [`ActionKind::Send`] in this module's memory, until the next call.
    ///
    /// [`ActionKind::Send`]: crate::wasm::client::ActionKind::Send
    MessageAt = 8,
    /// Length of that message, in bytes.
    MessageLength = 9,
    /// Number of the event; [`SessionEventKind`] says what it means.
    ///
    /// [`SessionEventKind`]: crate::wasm::event_queue::SessionEventKind
    EventNumber = 10,
    /// Tick of an event of the game.
    EventTick = 11,
    /// The lowest number of a text in use. When it changes, all earlier numbers are void.
    FirstText = 12,
    /// The longest input that a server takes, in bytes.
    MaxInputBytes = 13,
    /// The longest command that a server takes by default, in bytes.
    MaxCommandBytes = 14,
}

/// What [`WasmClient::string`] gives.
#[wasm_bindgen]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CoreString {
    /// The room, the player, the game and its schema as JSON; empty before the first `Welcome`.
    Welcome = 0,
    /// Why the session is over, or why there is no connection, for people; empty if all is well or the reason is unknown.
    Trouble = 1,
    /// Why the player's own entity is not predicted, for people; empty while it is, and where nothing is to predict.
    PredictionNote = 2,
    /// Name of the sender of a line of chat.
    EventName = 3,
    /// Text of the event: a line of chat, or a sentence for people.
    EventText = 4,
    /// The path of a rules module to load, relative to the folder of the WebSocket's path; each one is given once, to be started with
    /// [`WasmClient::wanted_hash`] and the room's map. What was loading before is not wanted any more. Empty if there is none.
    WantedRules = 5,
}

/// What [`WasmClient::bytes`] gives.
#[wasm_bindgen]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CoreBytes {
    /// The game's map, in its own encoding.
    Map = 0,
    /// The secret by which a later page can resume the session; empty before the first `Welcome`.
    ResumeToken = 1,
    /// Payload of an event or a message of the game.
    EventPayload = 2,
    /// Measurements, as the bytes of floats.
    Stats = 3,
    /// For the debug overlay, as the bytes of floats: counters.
    DebugCounters = 4,
    /// The interest grid, the kinds and the cells of the view.
    DebugWorld = 5,
    /// Corrections recorded since the last call.
    DebugCorrections = 6,
    /// Nothing, and begins to record corrections.
    DebugRecord = 7,
    /// Nothing, and ends it.
    DebugStop = 8,
}

/// What [`WasmClient::take_bytes`] takes.
#[wasm_bindgen]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TakenBytes {
    /// The input of every tick from the next one on, in the game's own encoding. One that is longer than
    /// [`CoreNumber::MaxInputBytes`] is ignored.
    Input = 0,
    /// A command for the game, in its own encoding. One that is longer than [`CoreNumber::MaxCommandBytes`] is ignored.
    Command = 1,
    /// The seat that is reserved in the room: before the first [`WasmClient::poll`].
    Seat = 2,
}

/// What [`WasmClient::take_text`] takes.
#[wasm_bindgen]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TakenText {
    /// A line of chat for the room.
    Chat = 0,
    /// The ticket for future connections.
    Ticket = 1,
    /// Why the rules module cannot be used, for people.
    RefusedRules = 2,
}

/// State of a session.
#[wasm_bindgen]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PhaseKind {
    /// Not yet in the room.
    Connecting = 0,
    /// In the room, over a live link.
    Playing = 1,
    /// Was in the room and tries to come back.
    Reconnecting = 2,
    /// Over for good; [`CoreNumber::CloseCode`] and [`CoreString::Trouble`] say why.
    Closed = 3,
}

/// The values of a session.
#[wasm_bindgen]
impl WasmClient {
    /// A number of the session.
    #[must_use]
    pub fn number(&self, which: CoreNumber) -> u32 {
        let client = &self.client;
        match which {
            CoreNumber::Phase => match client.phase() {
                Phase::Connecting => PhaseKind::Connecting as u32,
                Phase::Playing => PhaseKind::Playing as u32,
                Phase::Reconnecting => PhaseKind::Reconnecting as u32,
                Phase::Closed { .. } => PhaseKind::Closed as u32,
            },
            CoreNumber::CloseCode => match client.phase() {
                Phase::Closed { code, .. } => (*code).into(),
                _ => 0,
            },
            CoreNumber::Tick => client.newest_snapshot().0.0,
            CoreNumber::IsPredicting => client.is_predicting().into(),
            CoreNumber::InputNumber => client.input_seq(),
            CoreNumber::IsPressWaiting => (self.inputs.waiting() > 0).into(),
            CoreNumber::NewestMessage => client.newest_message(),
            CoreNumber::ActionLink => self.action_link,
            CoreNumber::MessageAt => self.action_message.as_ptr().expose_provenance() as u32,
            CoreNumber::MessageLength => self.action_message.len() as u32,
            CoreNumber::EventNumber => self.event.number,
            CoreNumber::EventTick => self.event.tick,
            CoreNumber::FirstText => self.texts.first_number() as u32,
            CoreNumber::MaxInputBytes => crate::MAX_INPUT_BYTES as u32,
            CoreNumber::MaxCommandBytes => crate::MAX_COMMAND_BYTES as u32,
        }
    }

    /// A string of the session.
    #[must_use]
    pub fn string(&mut self, which: CoreString) -> String {
        let client = &self.client;
        let text = match which {
            CoreString::Welcome => return welcome_json(client),
            CoreString::Trouble => match client.phase() {
                Phase::Closed { reason, .. } => reason,
                _ => client.last_error(),
            },
            CoreString::PredictionNote => client.prediction_note().unwrap_or_default(),
            CoreString::EventName => &self.event.name,
            CoreString::EventText => &self.event.text,
            CoreString::WantedRules => return self.take_wanted_rules(),
        };
        text.to_owned()
    }

    /// A copy of bytes of the session.
    #[must_use]
    pub fn bytes(&mut self, which: CoreBytes) -> Vec<u8> {
        let bytes = match which {
            CoreBytes::Map => self.client.map(),
            CoreBytes::ResumeToken => self.client.resume_token(),
            CoreBytes::EventPayload => &self.event.payload,
            CoreBytes::Stats => return self.stats(),
            CoreBytes::DebugCounters => return self.debug_counters(),
            CoreBytes::DebugWorld => return self.debug_world(),
            CoreBytes::DebugCorrections => return self.take_corrections(),
            CoreBytes::DebugRecord | CoreBytes::DebugStop => {
                (self.client).record_corrections(which == CoreBytes::DebugRecord);
                &[]
            }
        };
        bytes.to_vec()
    }

    /// Takes bytes for the session.
    pub fn take_bytes(&mut self, which: TakenBytes, bytes: &[u8]) {
        match which {
            TakenBytes::Input => self.inputs.hold(bytes),
            TakenBytes::Command if bytes.len() > crate::MAX_COMMAND_BYTES => {}
            TakenBytes::Command => self.client.command(bytes),
            TakenBytes::Seat => self.client.set_reservation(bytes),
        }
    }

    /// Takes a text for the session.
    pub fn take_text(&mut self, which: TakenText, text: &str) {
        match which {
            TakenText::Chat => self.client.chat(text),
            TakenText::Ticket => self.client.set_ticket(text),
            TakenText::RefusedRules => self.refuse_rules(text),
        }
    }
}
