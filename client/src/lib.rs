//! The client core and its native and browser shells.

#[cfg(feature = "wasm")]
pub mod wasm;
