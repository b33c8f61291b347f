//! What must always be true, one function for each promise.
//!
//! In: what the room did, what the game recorded, what a client has. Out: `Ok`, or what is wrong, for a person. Pure: the world calls
//! them, and adds seed, tick, session and trace.

mod delivery;
mod inputs;
mod interest;
mod parts;
mod replica;
mod rooms;
mod transit;

pub use delivery::{
    commands_come_once_in_order, events_reach_their_audience_once, letters_come_once_in_order,
};
pub use inputs::{acts_are_never_repeated, inputs_apply_once_in_order};
pub use interest::view_is_the_interest;
pub use parts::{PartCounts, PartedCells, parts_are_complete, parts_are_for_those_who_take_them};
pub use replica::{
    SentSnapshot, global_coins_conserve, private_lanes_are_the_owners, replica_equals_view,
    visible_rows_are_the_newest,
};
pub use rooms::{
    coins_conserve, memory_is_bounded, sessions_are_those_of_the_game, sessions_end_once,
};
pub use transit::{InTransit, entities_in_transit_stay_visible};

/// `Ok`, or what is wrong.
pub type Verdict = Result<(), String>;
