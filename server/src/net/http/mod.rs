//! HTTP on the game port: the page and the SDK, the rules module, the state of a room, and the upgrade to a WebSocket.

mod game_port;
mod no_page;
mod page_folder;
mod percent;
mod site;
mod upgrade;

pub(super) use game_port::{Caller, refusal};
pub(crate) use game_port::{GamePort, going_away};
pub use site::Site;
