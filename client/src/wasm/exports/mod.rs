//! What JavaScript reads of a session, by topic: getters and flat lists of [`super::client::WasmClient`]. Nothing here decides anything.

mod events;
mod rows;
mod rules;
mod status;
mod welcome;
