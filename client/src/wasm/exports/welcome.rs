//! What `Welcome` has said: read once after joining.

use crate::wasm::client::WasmClient;
use crate::wasm::welcome_json::welcome_json;
use wasm_bindgen::prelude::wasm_bindgen;

/// The room, the player, the game and its schema.
#[wasm_bindgen]
impl WasmClient {
    /// The room, the player, the game and its schema as JSON; empty before the first `Welcome`.
    #[must_use]
    pub fn welcome_json(&self) -> String {
        welcome_json(&self.client)
    }

    /// The game's map, in its own encoding.
    #[must_use]
    pub fn map(&self) -> Vec<u8> {
        self.client.map().to_vec()
    }
}
