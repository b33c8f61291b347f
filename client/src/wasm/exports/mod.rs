//! What JavaScript reads of a session, by topic: values and flat lists of [`super::client::WasmClient`]. Nothing here decides anything.

mod debug;
mod events;
mod numbers;
mod rows;
mod rules;
mod status;
pub(super) mod values;
