//! The phases of a tick that are the room's own: taking inputs, and sending snapshots with the codebooks that they need.

pub(super) mod codebook_schedule;
mod handle_messages;
mod send_snapshots;
mod take_inputs;
