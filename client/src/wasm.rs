//! The browser's shell: what JavaScript sees of the client core.

use wasm_bindgen::prelude::wasm_bindgen;

/// The version of the client core that this module was built from.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
