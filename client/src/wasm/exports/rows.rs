//! What the screen shows: whole frames, and the texts in them.
//!
//! A text is a number in a frame's list: the page fetches it once and caches it, as strings are the only costly thing to hand over.

use crate::wasm::client::{WasmClient, micros};
use wasm_bindgen::prelude::wasm_bindgen;

/// What the screen shows.
#[wasm_bindgen]
impl WasmClient {
    /// Moves the view tick on to `now_ms`, and collects what the screen shows then. Returns where the list is in this module's memory,
    /// until the next call: see `shown_rows` for its words. Null before the first `Welcome`.
    pub fn show_frame(&mut self, now_ms: f64) -> *const i32 {
        self.sampled_at = micros(now_ms);
        self.client.sample(self.sampled_at);
        self.texts.begin_frame();
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

    /// The text with a number from [`Self::show_frame`]; empty if unknown.
    #[must_use]
    pub fn text(&self, number: i32) -> String {
        self.texts.text(number).unwrap_or_default().to_owned()
    }
}
