//! Workers: threads that own rooms and tick them by absolute deadlines.
//!
//! In: commands from the lobby (open a room, let a player in, tell everyone something). Out: ticks, and answers. A worker sleeps
//! until the earliest deadline of its rooms or the next command, and no socket ever blocks it. [`worker_loop`] is the thread,
//! [`room_runner`] one of its rooms; [`due_ticks`] decides what is done about late ticks.

mod command;
mod delivery;
mod due_ticks;
mod liveness;
mod player_link;
mod record_stats;
mod room_checkpoints;
mod room_runner;
mod seats;
mod state_board;
mod worker_handle;
mod worker_loop;

pub(crate) use command::{Command, Newcomer, RoomEntry, ServerRoom};
pub(crate) use delivery::{Delivery, DeliveryBody, PostBox, RoomPost};
pub(crate) use player_link::PlayerLink;
pub(crate) use room_checkpoints::{RestoredFrom, RestoredState, RoomCheckpoints, RoomState};
pub(crate) use seats::{Reservation, SEAT_HELD_FOR};
pub(crate) use worker_handle::WorkerHandle;
