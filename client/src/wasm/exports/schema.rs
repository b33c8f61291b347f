//! The game and its schema: read once after joining.

use crate::wasm::client::WasmClient;
use crate::wasm::schema_json::schema_json;
use tickwire_sync::Schema;
use wasm_bindgen::prelude::wasm_bindgen;

/// The game and its schema; everything is empty before the first `Welcome`.
#[wasm_bindgen]
impl WasmClient {
    /// The game's name.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn game(&self) -> String {
        self.client.game().to_owned()
    }

    /// The game's map, in its own encoding.
    #[must_use]
    pub fn map(&self) -> Vec<u8> {
        self.client.map().to_vec()
    }

    /// The schema as JSON; empty before the first `Welcome`.
    #[must_use]
    pub fn schema_json(&self) -> String {
        self.schema().map(schema_json).unwrap_or_default()
    }

    fn schema(&self) -> Option<&Schema> {
        self.client.replica().map(|replica| &**replica.schema())
    }
}
