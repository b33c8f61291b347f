//! HTTP on the game port: the page and the SDK, the rules module, the state of a room, the lobby (`GET /rooms` and `POST /match`), and
//! the upgrade to a WebSocket.

pub(super) mod cross_origin;
mod game_port;
mod live_reload;
mod match_body;
mod match_port;
mod no_page;
mod page_folder;
mod percent;
mod room_list;
mod room_state;
mod site;
mod upgrade;

pub use game_port::GamePort;
pub(crate) use game_port::going_away;
pub(super) use game_port::{Caller, refusal};
pub use site::Site;
