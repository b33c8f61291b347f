//! Session events, one at a time.

use crate::wasm::client::WasmClient;
use crate::wasm::event_queue::SessionEventKind;
use wasm_bindgen::prelude::wasm_bindgen;

/// Session events: chat, notices, the game's events and messages, and joining.
#[wasm_bindgen]
impl WasmClient {
    /// Moves to the next event; the `event_*` getters then belong to it.
    pub fn next_event(&mut self) -> SessionEventKind {
        self.event = self.events.pop();
        self.event.kind
    }

    /// Name of the sender of a [`SessionEventKind::Chat`].
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn event_name(&self) -> String {
        self.event.name.clone()
    }

    /// Text of a [`SessionEventKind::Chat`] or [`SessionEventKind::Notice`].
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn event_text(&self) -> String {
        self.event.text.clone()
    }

    /// Number of the event; [`SessionEventKind`] says what it means.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn event_number(&self) -> u32 {
        self.event.number
    }

    /// Tick of a [`SessionEventKind::GameEvent`].
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn event_tick(&self) -> u32 {
        self.event.tick
    }

    /// Payload of a [`SessionEventKind::GameEvent`] or [`SessionEventKind::GameMessage`]; can be taken once.
    pub fn take_event_payload(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.event.payload)
    }
}
