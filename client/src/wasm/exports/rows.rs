//! The rows of any game, as the screen shows them: one flat list of numbers for each kind.
//!
//! In: a kind's number. Out: its entities at the view tick, interpolated as in the native client, and the player's own entity as
//! predicted (`Client::for_each_on_screen`).
//! A text is a number in the list: the page fetches it once and caches it, as strings are the only costly thing to hand over.

use crate::wasm::client::{WasmClient, micros};
use crate::wasm::texts::NO_TEXT;
use tickwire_sync::{EntityId, KindId};
use wasm_bindgen::prelude::wasm_bindgen;

/// What the screen shows.
#[wasm_bindgen]
impl WasmClient {
    /// Moves the view tick on to `now_ms`. [`Self::rows`] shows this moment until the next call.
    pub fn sample(&mut self, now_ms: f64) {
        self.sampled_at = micros(now_ms);
        self.view = self.client.sample(self.sampled_at);
        self.texts.begin_frame();
    }

    /// Moves the view tick on to `now_ms`, and collects what the screen shows then. Returns where the list is in this module's memory,
    /// until the next call: see `shown_rows` for its words. Null before the first `Welcome`.
    pub fn show_frame(&mut self, now_ms: f64) -> *const i32 {
        self.sample(now_ms);
        (self.shown).update(&self.client, &mut self.texts, self.sampled_at);
        match self.shown.words() {
            [] => std::ptr::null(),
            words => words.as_ptr(),
        }
    }

    /// The view tick now, with its fraction: that of the latest frame or poll.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn shown_tick(&self) -> f64 {
        self.client.view_tick().as_ticks()
    }

    /// The view tick of the latest [`Self::sample`], with its fraction.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn view_tick(&self) -> f64 {
        self.view.as_ticks()
    }

    /// The entities of a kind on the screen. Of each: slot, generation, its public lanes, a number for each of its texts.
    #[must_use]
    pub fn rows(&mut self, kind: u8) -> Vec<i32> {
        let mut list = Vec::new();
        let kind = KindId(kind);
        let schema = self.client.replica().map(|replica| replica.schema());
        let Some(text_count) = schema.and_then(|schema| Some(schema.kind(kind)?.texts.len()))
        else {
            return list;
        };
        let (client, texts) = (&self.client, &mut self.texts);
        client.for_each_on_screen(Some(kind), self.sampled_at, &mut |shown| {
            list.extend([shown.id.slot as i32, shown.id.generation as i32]);
            list.extend_from_slice(shown.lanes);
            list.extend((0..text_count).map(|index| {
                let text = shown.row.texts.get(index);
                text.map_or(NO_TEXT, |text| texts.number(text))
            }));
        });
        list
    }

    /// The private lanes of an entity of the player's own, the predicted entity's as predicted; undefined for others' entities.
    #[must_use]
    pub fn private_lanes(&self, kind: u8, slot: u32, generation: u32) -> Option<Vec<i32>> {
        let id = EntityId {
            kind: KindId(kind),
            slot,
            generation,
        };
        self.client.private_lanes(id).map(<[i32]>::to_vec)
    }

    /// The predicted entity: its kind in the upper 8 bits, its slot below; undefined while there is none.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn predicted_id(&self) -> Option<u32> {
        let own = self.client.predicted()?.id;
        (self.client.is_predicting()).then_some(u32::from(own.kind.0) << 24 | own.slot)
    }

    /// The lowest text number in use. When it changes, all earlier numbers are void.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn first_text(&self) -> i32 {
        self.texts.first_number()
    }

    /// The text with a number from [`Self::rows`]; empty if unknown.
    #[must_use]
    pub fn text(&self, number: i32) -> String {
        self.texts.text(number).unwrap_or_default().to_owned()
    }
}
