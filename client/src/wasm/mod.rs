//! The browser shell: what JavaScript sees of the client core.
//!
//! In: what happened on the page's WebSockets, the session's clock, and inputs. Out: actions for the sockets, events (chat, game
//! events, messages), and once a frame flat lists of numbers to draw. JavaScript owns sockets and pixels and decides nothing:
//! every decision is made here or in the core.
//!
//! `client` holds the exported [`client::WasmClient`]; `exports` holds what is read of it, by topic. Nothing
//! here knows a game.

mod client;
mod event_queue;
mod exports;
mod inputs;
mod module_rules;
mod shown_rows;
mod texts;
mod welcome_json;
