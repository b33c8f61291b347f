//! RFC 6455 framing as a pure state machine: no IO, no clock.

pub(super) mod frame;
mod utf8;
pub(super) mod violation;
