//! The browser's shell: what JavaScript sees of the client core.
//!
//! In: what happened on the page's WebSockets, the session's clock, keys and mouse. Out: actions for the
//! sockets, news for the chat and the kill feed, and once a frame a flat list of numbers to draw ([`screen`]). JavaScript
//! owns sockets and pixels and nothing else: every decision is made here or in the core.

mod controls;
mod effects;
mod movement_hash;
mod news;
mod picture;
mod screen;
mod session;
mod status;

use wasm_bindgen::prelude::wasm_bindgen;

/// The version of the client core that this module was built from.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
