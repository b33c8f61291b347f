//! The game and its schema: read once after joining.

use crate::wasm::client::WasmClient;
use crate::wasm::schema_json::schema_json;
use tickwire_sync::{Kind, KindId, Schema};
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

    /// The name of a kind of entity. Undefined if there is no such number, like all names here.
    #[must_use]
    pub fn kind_name(&self, kind: u8) -> Option<String> {
        self.kind(kind).map(|kind| kind.name.clone())
    }

    /// The name of one of a kind's public lanes.
    #[must_use]
    pub fn lane_name(&self, kind: u8, lane: usize) -> Option<String> {
        Some(self.kind(kind)?.lanes.get(lane)?.name.clone())
    }

    /// The name of one of a kind's private lanes, which only an entity's owner gets.
    #[must_use]
    pub fn private_lane_name(&self, kind: u8, lane: usize) -> Option<String> {
        Some(self.kind(kind)?.private_lanes.get(lane)?.name.clone())
    }

    /// The name of one of a kind's texts.
    #[must_use]
    pub fn text_name(&self, kind: u8, text: usize) -> Option<String> {
        self.kind(kind)?.texts.get(text).cloned()
    }

    /// The name of a kind of event.
    #[must_use]
    pub fn event_kind_name(&self, event: usize) -> Option<String> {
        Some(self.schema()?.events.get(event)?.name.clone())
    }

    /// Whether a kind's first two lanes are x and y.
    #[must_use]
    pub fn kind_is_placed(&self, kind: u8) -> bool {
        self.kind(kind).is_some_and(|kind| kind.placed)
    }

    fn schema(&self) -> Option<&Schema> {
        self.client.replica().map(|replica| &**replica.schema())
    }

    fn kind(&self, kind: u8) -> Option<&Kind> {
        self.schema()?.kind(KindId(kind))
    }
}
