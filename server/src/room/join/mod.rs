//! Joining a room: the request, and the new or resumed session that answers it.

pub(super) mod join_request;
mod join_room;
pub(super) mod player_name;
