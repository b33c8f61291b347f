//! The browser's shell: what JavaScript sees of the client core.
//!
//! In: what happened on the page's WebSockets, the session's clock, the input of the ticks to come. Out: actions for the
//! sockets, news (chat, events, messages), and once a frame flat lists of numbers to draw: the [`rows`] of any game, and
//! what the [`arena`] makes of its own. JavaScript owns sockets and pixels and nothing else: every decision is made here
//! or in the core.

mod arena;
mod movement_hash;
mod news;
mod rows;
mod schema;
mod session;
mod status;

use wasm_bindgen::prelude::wasm_bindgen;

/// The version of the client core that this module was built from.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
