//! Session events, one at a time.

use crate::wasm::client::WasmClient;
use crate::wasm::event_queue::SessionEventKind;
use wasm_bindgen::prelude::wasm_bindgen;

/// Session events: chat, notices, the game's events and messages, and joining.
#[wasm_bindgen]
impl WasmClient {
    /// Moves to the next event; the values whose names begin with `Event` then belong to it.
    pub fn next_event(&mut self) -> SessionEventKind {
        self.event = self.events.pop();
        self.event.kind
    }
}
