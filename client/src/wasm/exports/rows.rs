//! The rows of any game, as the screen shows them: one flat list of numbers for each kind.
//!
//! In: a kind's number. Out: its entities at the view tick, interpolated as in the native client (`Client::for_each_shown_at`).
//! A text is a number in the list: the page fetches it once and caches it, as strings are the only costly thing to hand over.

use crate::wasm::client::{WasmClient, micros};
use crate::wasm::shown::for_each_shown;
use crate::wasm::texts::NO_TEXT;
use tickwire_sync::KindId;
use wasm_bindgen::prelude::wasm_bindgen;

/// What the screen shows.
#[wasm_bindgen]
impl WasmClient {
    /// Moves the view tick on to `now_ms`. [`Self::rows`] and the arena's lists show this moment until the next call.
    pub fn sample(&mut self, now_ms: f64) {
        self.sampled_at = micros(now_ms);
        self.view = self.client.sample(self.sampled_at);
        self.texts.begin_frame();
    }

    /// The view tick of the latest [`Self::sample`], with its fraction.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn view_tick(&self) -> f64 {
        self.view.as_ticks()
    }

    /// The entities of a kind at the view tick. Of each: slot, generation, its public lanes, a number for each of its texts.
    #[must_use]
    pub fn rows(&mut self, kind: u8) -> Vec<i32> {
        let mut list = Vec::new();
        let kind = KindId(kind);
        let schema = self.client.replica().map(|replica| replica.schema());
        let Some(text_count) = schema.and_then(|schema| Some(schema.kind(kind)?.texts.len()))
        else {
            return list;
        };
        for_each_shown(&self.client, self.view, kind, &mut |shown| {
            list.extend([shown.id.slot as i32, shown.id.generation as i32]);
            list.extend_from_slice(shown.lanes);
            list.extend((0..text_count).map(|index| {
                let text = shown.row.texts.get(index);
                text.map_or(NO_TEXT, |text| self.texts.number(text))
            }));
        });
        list
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
